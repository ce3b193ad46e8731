"""Joining and leaving as a table: state × event → next state, mails to write, and what to ask or tell.

Pure: the flow reads the state, looks up the transition, and carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from listserver.lists.model import MemberState


class Event(StrEnum):
    """What happened to a membership."""

    join_asked = "join_asked"
    join_confirmed = "join_confirmed"
    owner_let_in = "owner_let_in"
    owner_kept_out = "owner_kept_out"
    leave_verified = "leave_verified"
    leave_unverified = "leave_unverified"
    leave_confirmed = "leave_confirmed"
    removed = "removed"
    pause = "pause"
    resume = "resume"
    mail_returned_too_often = "mail_returned_too_often"


class Letters(StrEnum):
    """Which mail goes to the person, named like its template."""

    confirm_join = "confirm-join"
    already_member = "already-member"
    waiting_for_owner = "waiting-for-owner"
    by_invitation = "by-invitation"
    welcome = "welcome"
    confirm_leave = "confirm-leave"
    goodbye = "goodbye"
    not_a_member = "not-a-member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The state afterwards (None: no membership, and nothing changed) and the mail that the person gets."""

    state: MemberState | None
    letter: Letters | None = None


_S, _E, _L = MemberState, Event, Letters
_ON_THE_LIST = (MemberState.active, MemberState.paused, MemberState.suspended)


def advance(state: MemberState | None, event: Event, *, policy: str = "confirm", welcome: bool = True) -> Transition:
    """What follows when `event` meets a membership in `state` (None or left: no member) on a list with this `subscribe` policy."""
    current = None if state is MemberState.left else state
    match event:
        case Event.join_asked:
            return _join_asked(current, policy)
        case Event.join_confirmed:
            return _join_confirmed(current, policy, welcome=welcome)
        case Event.owner_let_in:
            return Transition(
                state=current if current in _ON_THE_LIST else _S.active,
                letter=None if current in _ON_THE_LIST else _greeting(welcome),
            )
        case Event.owner_kept_out:
            return Transition(state=_S.left if current is _S.pending else current)
        case Event.leave_verified | Event.leave_confirmed | Event.leave_unverified:
            return _leave(current, event)
        case Event.removed:
            return Transition(state=_S.left if current else None, letter=_L.goodbye if current in _ON_THE_LIST else None)
        case Event.pause:
            return Transition(state=_S.paused if current is _S.active else current)
        case Event.resume:
            return Transition(state=_S.active if current in (_S.paused, _S.suspended) else current)
        case Event.mail_returned_too_often:
            return Transition(state=_S.suspended if current is _S.active else current)


def _join_asked(current: MemberState | None, policy: str) -> Transition:
    if current in _ON_THE_LIST:
        return Transition(state=current, letter=_L.already_member)
    if policy in ("invite", "closed"):
        return Transition(state=current, letter=_L.by_invitation)
    if current is _S.pending:
        return Transition(state=current, letter=_L.waiting_for_owner)
    return Transition(state=None, letter=_L.confirm_join)


def _join_confirmed(current: MemberState | None, policy: str, *, welcome: bool) -> Transition:
    if current in _ON_THE_LIST:
        return Transition(state=current, letter=_L.already_member)
    if policy == "approve":
        return Transition(state=_S.pending, letter=_L.waiting_for_owner)
    if policy in ("invite", "closed"):
        return Transition(state=current, letter=_L.by_invitation)
    return Transition(state=_S.active, letter=_greeting(welcome))


def _greeting(welcome: bool) -> Letters | None:
    return Letters.welcome if welcome else None


def _leave(current: MemberState | None, event: Event) -> Transition:
    if current is None:
        return Transition(state=None, letter=_L.not_a_member)
    if current is _S.pending:
        return Transition(state=_S.left, letter=_L.goodbye)
    if event is Event.leave_unverified:
        return Transition(state=current, letter=_L.confirm_leave)
    return Transition(state=_S.left, letter=_L.goodbye)
