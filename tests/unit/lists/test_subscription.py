"""Every state of a membership meets every event, under every policy: the whole table."""

from __future__ import annotations

from itertools import product

import pytest

from listserver.lists.model import MemberState
from listserver.lists.subscription import Event, Letters, Transition, advance

S, E, L = MemberState, Event, Letters
POLICIES = ("confirm", "approve", "invite", "closed")
STATES = (None, *MemberState)
ON_LIST = (S.active, S.paused, S.suspended)


def _expected(
    state: MemberState | None, event: Event, policy: str, *, welcome: bool
) -> tuple[MemberState | None, Letters | None]:
    """The table as people would write it down, case by case; `left` counts as nobody."""
    is_nobody, greeting = state in (None, S.left), L.welcome if welcome else None
    rows: dict[Event, tuple[MemberState | None, Letters | None]] = {
        E.join_asked: (state, L.already_member)
        if state in ON_LIST
        else ((None if is_nobody else state), L.by_invitation)
        if policy in ("invite", "closed")
        else (S.pending, L.waiting_for_owner)
        if state is S.pending
        else (None, L.confirm_join),
        E.join_confirmed: (state, L.already_member)
        if state in ON_LIST
        else (S.pending, L.waiting_for_owner)
        if policy == "approve"
        else ((None if is_nobody else state), L.by_invitation)
        if policy in ("invite", "closed")
        else (S.active, greeting),
        E.owner_let_in: (state, None) if state in ON_LIST else (S.active, greeting),
        E.owner_kept_out: (S.left, None) if state is S.pending else ((None if is_nobody else state), None),
        E.leave_verified: (None, L.not_a_member) if is_nobody else (S.left, L.goodbye),
        E.leave_confirmed: (None, L.not_a_member) if is_nobody else (S.left, L.goodbye),
        E.leave_unverified: (None, L.not_a_member)
        if is_nobody
        else (S.left, L.goodbye)
        if state is S.pending
        else (state, L.confirm_leave),
        E.removed: ((None if is_nobody else S.left), L.goodbye if state in ON_LIST else None),
        E.pause: ((None if is_nobody else S.paused if state is S.active else state), None),
        E.resume: ((None if is_nobody else S.active if state in (S.paused, S.suspended) else state), None),
        E.mail_returned_too_often: ((None if is_nobody else S.suspended if state is S.active else state), None),
    }
    return rows[event]


@pytest.mark.parametrize(("state", "event", "policy", "welcome"), list(product(STATES, Event, POLICIES, (True, False))))
def test_the_whole_table(state: MemberState | None, event: Event, policy: str, welcome: bool) -> None:
    """State afterwards and the mail that the person gets."""
    transition = advance(state, event, policy=policy, welcome=welcome)
    assert (transition.state, transition.letter) == _expected(state, event, policy, welcome=welcome)


@pytest.mark.parametrize(("state", "policy"), list(product(STATES, POLICIES)))
def test_nobody_becomes_a_member_by_asking(state: MemberState | None, policy: str) -> None:
    """Only a confirmation or an owner makes one."""
    if state not in ON_LIST:
        assert advance(state, E.join_asked, policy=policy).state is not S.active


@pytest.mark.parametrize(("state", "event"), list(product(STATES, Event)))
def test_every_transition_is_a_value(state: MemberState | None, event: Event) -> None:
    """No event is left out of the match."""
    assert isinstance(advance(state, event), Transition)
