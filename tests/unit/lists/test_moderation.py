"""The judges of a post: each rule alone, and the order in which they speak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from listserver.lists.model import ListOptions, Role
from listserver.lists.moderation import RULES, Accept, Discard, Hold, Ignore, PostFacts, Reject, is_listed, judge

GOOD = PostFacts(author="gwen@example.net", is_member=True, verified=True, posts=9)

# What makes each rule speak, in the order of the rules, and what it says; the options it needs stand beside it.
TRIGGERS: list[tuple[str, dict[str, Any], dict[str, str], type]] = [
    ("_loop", {"own_mark": True}, {}, Discard),
    ("_automatic", {"strong_signs": ("Auto-Submitted",)}, {}, Ignore),
    ("_unreadable", {"author": None}, {}, Hold),
    ("_banned", {}, {"banned": "@example.net"}, Discard),
    ("_foreign", {"foreign_list": True}, {}, Hold),
    ("_spam", {"header_text": lambda name: ("YES",) if name == "x-spam-flag" else ()}, {}, Hold),
    ("_stranger", {"is_member": False}, {}, Reject),
    ("_too_big", {"size": 5_000}, {"max_bytes": "4000"}, Reject),
    ("_announce", {}, {"post": "announce"}, Hold),
    ("_refused_by_domain", {"verified": False, "refused_by_domain": True}, {}, Hold),
    ("_staff", {"role": Role.moderator}, {}, Accept),
    ("_late", {"older_than_week": True}, {}, Hold),
    ("_moderated", {"moderated": True}, {}, Hold),
    ("_hidden", {"names_list": False}, {}, Hold),
    ("_attached", {"has_attachments": True}, {"attachments": "hold"}, Hold),
    ("_too_many", {"posts_today": 20}, {}, Hold),
]


def test_each_rule_has_a_trigger() -> None:
    """The table below is whole, and in the order of the rules."""
    assert [name for name, *_rest in TRIGGERS] == [rule.__name__ for rule in RULES]


@pytest.mark.parametrize(
    ("name", "facts", "options", "kind"), TRIGGERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_rule_alone(name: str, facts: dict[str, Any], options: dict[str, str], kind: type) -> None:
    """Turned on alone it decides; turned off, the post is accepted."""
    assert judge(GOOD, ListOptions()) == Accept()
    verdict = judge(replace(GOOD, **facts), ListOptions.read(options))
    assert isinstance(verdict, kind), name
    rule = next(rule for rule in RULES if rule.__name__ == name)
    assert verdict == rule(replace(GOOD, **facts), ListOptions.read(options))


@pytest.mark.parametrize("place", range(len(TRIGGERS) - 1))
def test_the_earlier_rule_speaks_first(place: int) -> None:
    """Of two neighbours that both would speak, the first decides."""
    (first, facts, options, _kind), (second, more, others, _other) = TRIGGERS[place], TRIGGERS[place + 1]
    merged = replace(GOOD, **{**more, **facts})
    both = ListOptions.read({**others, **options})
    spoken = {rule.__name__: rule(merged, both) for rule in RULES}
    if spoken[first] is None or spoken[second] is None:
        return  # the facts of one silence the other: they never meet
    assert judge(merged, both) == spoken[first]


@pytest.mark.parametrize(
    ("facts", "options", "rule"),
    [
        ({"received_fields": 101}, {}, "it passed more than 100 servers"),
        ({"header_too_big": True}, {}, "header-too-big"),
        ({"is_member": False}, {"post": "anyone"}, "accepted"),
        ({"is_member": False}, {"allowed_senders": "gwen@example.net"}, "accepted"),
        ({"role": Role.owner}, {"post": "announce"}, "staff"),
        ({"role": Role.owner, "verified": False}, {"post": "announce"}, "announce-unverified"),
        ({"role": Role.owner}, {"post": "moderated"}, "staff"),
        ({"role": Role.owner, "verified": False}, {"post": "moderated"}, "moderated"),
        ({"role": Role.owner, "older_than_week": True}, {}, "old"),
        ({"verified": False}, {}, "accepted"),
        ({"verified": False}, {"unverified_posts": "hold"}, "unverified"),
        ({"posts": 1}, {"moderate_first": "2"}, "first-posts"),
        ({"posts": 2}, {"moderate_first": "2"}, "accepted"),
        ({"is_member": False, "posts": 0}, {"post": "anyone", "moderate_first": "2"}, "accepted"),
        ({"names_list": False}, {"bcc_posts": "post"}, "accepted"),
        ({"has_attachments": True}, {}, "accepted"),
        ({"has_attachments": True}, {"attachments": "strip"}, "accepted"),
        ({"posts_today": 19}, {}, "accepted"),
        ({"foreign_list": True, "senders": ("valley@example.org",)}, {"allowed_senders": "@example.org"}, "accepted"),
        ({"foreign_list": True, "senders": ("x@example.com",)}, {"allowed_senders": "@example.org"}, "foreign-list"),
        ({"senders": ("valley@example.org",), "is_member": False}, {"allowed_senders": "@example.org"}, "stranger"),
    ],
)
def test_the_edges_of_each_rule(facts: dict[str, Any], options: dict[str, str], rule: str) -> None:
    """Who is let through, and who just is not."""
    assert judge(replace(GOOD, **facts), ListOptions.read(options)).rule == rule


def test_reasons_are_words_for_the_writer() -> None:
    """Every hold and reject says why in words that stand after `because`; what a machine or a stranger caused is silent."""
    for _name, facts, options, kind in TRIGGERS:
        verdict = judge(replace(GOOD, **facts), ListOptions.read(options))
        if kind in (Hold, Reject):
            assert isinstance(verdict, Hold | Reject)
            assert verdict.reason[0].islower()
            assert not verdict.reason.endswith(".")


@pytest.mark.parametrize(
    ("address", "entries", "found"),
    [
        ("a@x.org", "a@x.org", True),
        ("a@x.org", "@x.org", True),
        ("a@sub.x.org", "@x.org", False),
        ("a@x.org", "b@x.org, a@x.org", True),
        ("", "@", False),
        ("a@x.org", "", False),
        ("aa@x.org", "a@x.org", False),
    ],
)
def test_lists_of_addresses(address: str, entries: str, found: bool) -> None:
    """Whole addresses and whole domains."""
    assert is_listed(address, entries) is found
