"""Judge a post: ordered, named rules, the first that speaks decides; judges change nothing.

The order: what must not go round in circles, then who may not write, then who need not ask, then what a person should
see first. A verdict carries its reason in words that the writer may read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from listserver.lists.model import ListOptions, Role

MOST_POSTS_A_DAY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFacts:
    """What a judge needs to know; gathered by the flow."""

    author: str | None
    """The author's address key, None when there is not exactly one readable author."""
    is_member: bool = False
    role: Role = Role.member
    verified: bool = False
    refused_by_domain: bool = False
    """The author's domain asks that mail which fails its checks be refused, and this one has no pass."""
    moderated: bool = False
    posts: int = 0
    posts_today: int = 0
    size: int = 0
    has_attachments: bool = False
    names_list: bool = True
    strong_signs: tuple[str, ...] = ()
    foreign_list: bool = False
    senders: tuple[str, ...] = ()
    """For a mail that came through another list: the addresses that speak for that list (reverse-path, Sender, List-Post)."""
    own_mark: bool = False
    header_too_big: bool = False
    is_bomb: bool = False
    """It has more parts or levels than are opened."""
    received_fields: int = 0
    older_than_week: bool = False
    header_text: Callable[[str], tuple[str, ...]] = lambda _name: ()
    """The decoded bodies of all fields of a name."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Post it."""

    rule: str = "accepted"


@dataclass(frozen=True, slots=True)
class Hold:
    """A person reads it first; the reason is told to the writer unless `silent`."""

    rule: str
    reason: str
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """Not taken; `reason` names the notice, and inside the dialogue the reply."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Thrown away with a record."""

    rule: str


@dataclass(frozen=True, slots=True)
class Ignore:
    """Automatic mail: not distributed, not answered."""

    rule: str


Verdict = Accept | Hold | Reject | Discard | Ignore
Rule = Callable[[PostFacts, ListOptions], Verdict | None]


def judge(facts: PostFacts, options: ListOptions) -> Verdict:
    """The first rule that speaks decides."""
    for rule in RULES:
        verdict = rule(facts, options)
        if verdict is not None:
            return verdict
    return Accept()


def _loop(facts: PostFacts, _options: ListOptions) -> Verdict | None:
    if facts.own_mark:
        return Discard("it went through this list before")
    return Discard("it passed more than 100 servers") if facts.received_fields > 100 else None


def _automatic(facts: PostFacts, _options: ListOptions) -> Verdict | None:
    return Ignore(f"automatic mail: {facts.strong_signs[0]}") if facts.strong_signs else None


def _unreadable(facts: PostFacts, _options: ListOptions) -> Verdict | None:
    if facts.header_too_big:
        return Hold("header-too-big", "its header is longer than any mail program writes", silent=True)
    if facts.is_bomb:
        return Hold("bomb", "it has more parts than any mail program writes", silent=True)
    return Hold("author", "we could not see who wrote it", silent=True) if facts.author is None else None


def _banned(facts: PostFacts, options: ListOptions) -> Verdict | None:
    return Discard("banned") if is_listed(facts.author or "", options.banned) else None


def _foreign(facts: PostFacts, options: ListOptions) -> Verdict | None:
    if facts.foreign_list and not _is_allowed(facts, options):
        return Hold("foreign-list", "it came through another list", silent=True)
    return None


def _is_allowed(facts: PostFacts, options: ListOptions) -> bool:
    """Whether the author, or for a mail of another list that list, stands in `allowed_senders`: a parent list."""
    spoken = (facts.author or "", *(facts.senders if facts.foreign_list else ()))
    return any(is_listed(each, options.allowed_senders) for each in spoken)


def _spam(facts: PostFacts, options: ListOptions) -> Verdict | None:
    for line in options.hold_if_header.splitlines():
        name, sign, pattern = line.partition(":")
        if not sign:
            continue
        expression = re.compile(pattern.strip(), re.I)
        if any(expression.search(text[:1000]) for text in facts.header_text(name.strip().lower())):
            return Hold("header", "a filter thought it might be unwanted", silent=True)
    return None


def _stranger(facts: PostFacts, options: ListOptions) -> Verdict | None:
    if facts.is_member or options.post == "anyone" or _is_allowed(facts, options):
        return None
    return Reject("stranger", "only members can write to this list")


def _announce(facts: PostFacts, options: ListOptions) -> Verdict | None:
    if options.post != "announce":
        return None
    if facts.role is Role.member:
        return Hold("announce", "only the people who run this list write to it")
    return None if facts.verified else Hold("announce-unverified", "we could not be sure it came from you")


def _too_big(facts: PostFacts, options: ListOptions) -> Verdict | None:
    return Reject("too-big", "it is larger than this list takes") if facts.size > options.max_bytes else None


def _refused_by_domain(facts: PostFacts, options: ListOptions) -> Verdict | None:
    if facts.verified:
        return None
    if facts.refused_by_domain:
        return Hold("unverified", "we could not be sure it came from you", silent=True)
    return Hold("unverified", "we could not be sure it came from you") if options.unverified_posts == "hold" else None


def _staff(facts: PostFacts, _options: ListOptions) -> Verdict | None:
    return Accept("staff") if facts.role is not Role.member and facts.verified and not facts.older_than_week else None


def _late(facts: PostFacts, _options: ListOptions) -> Verdict | None:
    return Hold("old", "it was written more than 7 days ago") if facts.older_than_week else None


def _moderated(facts: PostFacts, options: ListOptions) -> Verdict | None:
    if options.post == "moderated":
        return Hold("moderated", "the moderators read everything here")
    if facts.moderated:
        return Hold("member-moderated", "a moderator reads your posts first")
    if facts.is_member and facts.posts < options.moderate_first:
        return Hold("first-posts", "it is your first post here" if facts.posts == 0 else "it is one of your first posts here")
    return None


def _hidden(facts: PostFacts, options: ListOptions) -> Verdict | None:
    if options.bcc_posts == "hold" and not facts.names_list and not (facts.foreign_list and _is_allowed(facts, options)):
        return Hold("bcc", "it does not name the list in To or Cc")
    return None


def _attached(facts: PostFacts, options: ListOptions) -> Verdict | None:
    return Hold("attachment", "it has an attachment") if options.attachments == "hold" and facts.has_attachments else None


def _too_many(facts: PostFacts, _options: ListOptions) -> Verdict | None:
    if facts.posts_today >= MOST_POSTS_A_DAY:
        return Hold("too-many", f"you have written {facts.posts_today} posts today")
    return None


RULES: tuple[Rule, ...] = (
    _loop,
    _automatic,
    _unreadable,
    _banned,
    _foreign,
    _spam,
    _stranger,
    _too_big,
    _announce,
    _refused_by_domain,
    _staff,
    _late,
    _moderated,
    _hidden,
    _attached,
    _too_many,
)


def is_listed(address: str, entries: str) -> bool:
    """Whether an address, or its @domain, stands in a comma-separated option."""
    domain = "@" + address.rpartition("@")[2]
    return bool(address) and any(entry.strip() in (address, domain) for entry in entries.split(",") if entry.strip())
