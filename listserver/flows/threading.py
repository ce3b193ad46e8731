"""Give a new post its place in a conversation, and move those that waited for it.

A conversation is named by its oldest post's number. Posts that name the same message which never came stand in one
conversation, as siblings; when it comes, they move under it, unless that would close a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import evidence_rows, relinking, weighing, words
from listserver.flows.weighing import Gathered
from listserver.lists import decision
from listserver.lists.matching import Newcomer
from listserver.lists.threads import AwaitedId, PostRef, ThreadMatch, choose_parent, late_parent, refused_cycle, would_cycle
from listserver.mail.message_id import ReplyIds
from listserver.store import evidence, posts
from listserver.store.clean import clean_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a post stands. `look_again` names posts that may answer it: `relinking.look_again` once the post is stored."""

    conversation: int
    parent: int | None
    kind: str
    score: float
    flags: str
    look_again: tuple[int, ...] = ()


def look_up(connection: Connection, list_id: int, message_id: str, ids: ReplyIds) -> list[Any]:
    """The posts that carry an id of this mail's own or of its chain, oldest first.

    Read under the list's lock (after `lists.next_post`), so that no post that is being stored meanwhile is overlooked.
    """
    return posts.by_message_ids(connection, list_id, [message_id, *ids.chain()])


def place(
    connection: Connection,
    list_id: int,
    number: int,
    message_id: str,
    ids: ReplyIds,
    named: Any,
    now: datetime,
    *,
    held: Sequence[Any],
    clues: Newcomer,
) -> Placed:
    """Choose the parent of post `number`, keep the evidence and its words, and link those that waited for it.

    `held` is what `look_up` found, `clues` what its text says, read before the transaction.
    """
    known: dict[str, PostRef] = {}
    for row in held:
        known.setdefault(row.message_id, PostRef(number=row.number, message_id=row.message_id, conversation=row.conversation))
    twin = known.pop(message_id, None)
    target = (
        PostRef(number=named.number, message_id=named.message_id, conversation=named.conversation) if named is not None else None
    )
    match = choose_parent(ids, known, named=target)
    gathered = _gather(connection, list_id, clues, match)
    decided = decision.decide(match, gathered.estimates, clues)
    parent = decided.chosen.parent
    by_number = {ref.number: ref.conversation for ref in known.values()} | (
        {target.number: target.conversation} if target else {}
    )
    conversation = by_number.get(parent) or gathered.conversation_of(parent) if parent is not None else number
    evidence_rows.keep(connection, list_id, number, (decided.chosen, *decided.others), now)
    joined = {conversation}
    if match.awaited:
        joined |= _await(connection, list_id, number, match.awaited)
    waiting = evidence.awaiting(connection, list_id, message_id) if twin is None else []
    if waiting:
        joined |= _adopt(
            connection, list_id, PostRef(number=number, message_id=message_id, conversation=conversation), parent, waiting, now
        )
    conversation = _merge(connection, list_id, joined)
    own = words.keep(connection, list_id, number, gathered, parent)
    flags = f"another post, #{twin.number}, has the same Message-ID and other content" if twin is not None else ""
    return Placed(
        conversation=conversation,
        parent=parent,
        kind=decided.chosen.kind,
        score=decided.chosen.score,
        flags=flags,
        look_again=relinking.find(connection, list_id, number, gathered, own),
    )


def _gather(connection: Connection, list_id: int, clues: Newcomer, match: ThreadMatch) -> Gathered:
    """What speaks for which parent; where fields and text agree already, nobody else is looked for."""
    if match.chosen.parent is not None and match.is_nearest:
        agreed = weighing.gather_above(connection, list_id, clues, match.chosen.parent)
        if agreed is not None:
            return agreed
    return weighing.gather(connection, list_id, clues, [c.parent for c in match.candidates if c.parent is not None])


def _await(connection: Connection, list_id: int, number: int, awaited: Sequence[AwaitedId]) -> set[int]:
    """Note the ids that are awaited; the conversations of the posts that await them too."""
    waiting_too = evidence.conversations_awaiting(connection, list_id, [a.message_id for a in awaited])
    rows = [
        {
            "list_id": list_id,
            "message_id": clean_text(each.message_id, 998),
            "post_number": number,
            "rank": each.rank,
            "field": each.field,
        }
        for each in awaited
    ]
    evidence.await_ids(connection, rows)
    return waiting_too


def _adopt(
    connection: Connection, list_id: int, arrived: PostRef, parent: int | None, waiting: list[Any], now: datetime
) -> set[int]:
    """Link posts that named the arrived one before it came; the conversations that are thereby one."""
    children = {row.number: row for row in posts.some(connection, list_id, [each.post_number for each in waiting])}
    parent_of: dict[int, int | None] = {arrived.number: parent}
    for conversation in {row.conversation for row in children.values()} | {arrived.conversation}:
        parent_of.update({k: v for k, v in posts.parents_of(connection, list_id, conversation).items() if k != arrived.number})
    joined = set()
    for each in waiting:
        child = children[each.post_number]
        if child.kind != evidence.MODERATOR:
            joined.add(child.conversation)
        if would_cycle(child.number, arrived.number, parent_of.get):
            evidence.note(connection, list_id, child.number, evidence_rows.values(refused_cycle(each.field, arrived)), now)
            continue
        nearer = evidence.awaited_by(connection, list_id, child.number, each.rank)
        link = late_parent(each.field, each.rank, arrived, nearer)
        if evidence.choose_anew(connection, list_id, child.number, evidence_rows.values(link), now):
            parent_of[child.number] = arrived.number
            posts.link(connection, list_id, child.number, parent=arrived.number, kind=link.kind, score=link.score)
        evidence.no_longer_awaited(connection, list_id, child.number, each.rank)
    evidence.arrived(connection, list_id, arrived.message_id)
    return joined


def _merge(connection: Connection, list_id: int, conversations: set[int]) -> int:
    """Make several conversations one, named by its oldest post."""
    oldest = min(conversations)
    others = [each for each in conversations if each != oldest]
    if others:
        posts.move_conversations(connection, list_id, others, oldest)
    return oldest
