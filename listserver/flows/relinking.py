"""Look again at posts that came before the one they answer.

A post whose parent came late stood alone, or under an ancestor, or under a guess by its subject. When a post arrives
whose words it quotes, or that fits between it and its guess, it is weighed anew with the same rules, as if it had come
now; so the order of arrival does not decide where posts stand. Fields that name a held post, and people's own decisions,
are not looked at again. Nothing is forgotten: the evidence before stays on record as undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import evidence_rows, weighing, words
from listserver.flows.weighing import Gathered
from listserver.lists import decision
from listserver.lists.fingerprints import read_post
from listserver.lists.threads import PostRef, choose_parent, would_cycle
from listserver.mail.parse import parse_message
from listserver.store import fingerprints, incoming, posts

_ASKED = 32  # fingerprints of a new post, those with the smallest lower half, that are looked for among what is awaited
_MOST = 20  # posts that one arrival can make us look at again
_BY_FIELDS = frozenset(("token", "in-reply-to", "references", "thread-index", "digest", "moderator"))


def find(connection: Connection, list_id: int, number: int, gathered: Gathered, own: Sequence[int]) -> tuple[int, ...]:
    """Posts that may answer the one that arrives as `number`: they quote its words, or have its subject and are younger."""
    smallest = sorted(own, key=lambda each: each & 0xFFFFFFFF)[:_ASKED]
    quoting = Counter(each for numbers in fingerprints.find_waiting(connection, list_id, smallest).values() for each in numbers)
    younger = [each for each, written in gathered.same_subject if written > gathered.newcomer.written]
    return tuple(each for each in dict.fromkeys((*(n for n, _count in quoting.most_common()), *younger)) if each != number)[
        :_MOST
    ]


def look_again(connection: Connection, list_id: int, numbers: Sequence[int], now: datetime) -> None:
    """Weigh these posts anew, the oldest first, and move those that have a better place now."""
    rows = sorted(posts.some(connection, list_id, numbers), key=lambda row: (row.date, row.message_id))
    for row in rows:
        if row.kind not in _BY_FIELDS:
            _weigh_again(connection, list_id, row, now)


def _weigh_again(connection: Connection, list_id: int, row: Any, now: datetime) -> None:
    raw = incoming.raw_of(connection, list_id, row.original_id)
    parsed = parse_message(raw)
    date = row.date.replace(tzinfo=UTC) if row.date.tzinfo is None else row.date
    clues = weighing.newcomer(parsed, read_post(raw, parsed.header), row.message_id, date)
    known = {
        each.message_id: PostRef(number=each.number, message_id=each.message_id, conversation=each.conversation)
        for each in posts.by_message_ids(connection, list_id, parsed.ids.chain())
    }
    known.pop(row.message_id, None)
    match = choose_parent(parsed.ids, known)
    named = [each.parent for each in match.candidates if each.parent is not None]
    gathered = weighing.gather(connection, list_id, clues, named, itself=row.number)
    decided = decision.decide(match, gathered.estimates, clues)
    chosen = decided.chosen
    if (chosen.parent, chosen.kind, round(chosen.score, 2)) == (row.parent, row.kind, round(row.score, 2)):
        return
    conversation = gathered.conversation_of(chosen.parent) if chosen.parent is not None else row.conversation
    if chosen.parent is not None and _closes_circle(connection, list_id, row, chosen.parent, conversation):
        return
    current = posts.get(connection, list_id, str(row.number))
    if chosen.parent is None and current.parent is None:
        return
    if not evidence_rows.choose(connection, list_id, row.number, chosen, now):
        return
    words.keep_again(connection, list_id, row.number, gathered, chosen.parent)
    move(connection, list_id, row.number, current.conversation, conversation if chosen.parent is not None else None)


def _closes_circle(connection: Connection, list_id: int, row: Any, parent: int, conversation: int) -> bool:
    parents = posts.parents_of(connection, list_id, conversation) | posts.parents_of(connection, list_id, row.conversation)
    return would_cycle(row.number, parent, parents.get)


def move(connection: Connection, list_id: int, number: int, here: int, there: int | None) -> None:
    """Bring a post and everything under it from one conversation into another, or into one of its own (None).

    Invariant: a conversation is named by the number of its oldest post.
    """
    if here == there:
        return
    parents = posts.parents_of(connection, list_id, here)
    children: dict[int, list[int]] = {}
    for child, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(child)
    moved, waiting = {number}, [number]
    while waiting:
        fresh = [each for each in children.get(waiting.pop(), []) if each not in moved]
        moved.update(fresh)
        waiting += fresh
    stay = sorted(set(parents) - moved)
    target = min(moved) if there is None else min(there, *moved)
    if there is not None and target != there:
        posts.move_conversations(connection, list_id, [there], target)
    posts.set_conversation(connection, list_id, sorted(moved), target)
    if stay and stay[0] != here:
        posts.set_conversation(connection, list_id, stay, stay[0])
