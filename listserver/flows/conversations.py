"""Conversations as people and programs read them: trees, and the reasons for each link.

Used by the command line and by the web; reads only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy.engine import Connection, Row

from listserver.errors import NotFound
from listserver.flows import quotations
from listserver.lists.threads import order_posts
from listserver.store import evidence, incoming, posts

_TOGETHER = 400  # conversations read at once


def describe_all(connection: Connection, list_id: int) -> Iterator[dict[str, Any]]:
    """Every conversation of a list, oldest first, its posts in thread order; read while they are taken."""
    ordered = posts.conversations(connection, list_id)
    for start in range(0, len(ordered), _TOGETHER):
        some = [each.conversation for each in ordered[start : start + _TOGETHER]]
        trees: dict[int, list[Row[Any]]] = {conversation: [] for conversation in some}
        for row in posts.of_conversations(connection, list_id, some):
            trees[row.conversation].append(row)
        chosen = evidence.chosen(connection, list_id, some)
        for conversation in some:
            yield _describe_tree(conversation, trees[conversation], chosen)


def describe(connection: Connection, list_id: int, post_name: str) -> dict[str, Any]:
    """The conversation that holds a post. Raises: NotFound."""
    post = posts.get(connection, list_id, post_name)
    rows = posts.of_conversations(connection, list_id, [post.conversation])
    return _describe_tree(post.conversation, rows, evidence.chosen(connection, list_id, [post.conversation]))


def describe_posts(connection: Connection, list_id: int, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """These posts in this order, each as it stands in its conversation."""
    rows = {row.number: row for row in posts.some(connection, list_id, numbers)}
    parents = {row.number: row for row in posts.some(connection, list_id, [row.parent for row in rows.values() if row.parent])}
    chosen = evidence.chosen(connection, list_id, sorted({row.conversation for row in rows.values()}))
    above = {
        conversation: posts.parents_of(connection, list_id, conversation)
        for conversation in {row.conversation for row in rows.values()}
    }
    described = []
    for number in numbers:
        if number in rows:
            row = rows[number]
            depth, parent = 0, row.parent
            while parent is not None and depth <= len(above[row.conversation]):
                depth, parent = depth + 1, above[row.conversation].get(parent)
            described.append(_describe_post(row, depth, parents, chosen.get(number)))
    return described


def _describe_tree(conversation: int, rows: Sequence[Row[Any]], chosen: Mapping[int, Row[Any]]) -> dict[str, Any]:
    by_number = {row.number: row for row in rows}
    ordered = order_posts([(row.number, row.parent, row.date) for row in rows])
    described = [_describe_post(by_number[number], depth, by_number, chosen.get(number)) for number, depth in ordered]
    return {"id": conversation, "subject": by_number[ordered[0][0]].subject, "posts": described}


def _describe_post(row: Row[Any], depth: int, by_number: Mapping[int, Row[Any]], piece: Row[Any] | None) -> dict[str, Any]:
    parent = by_number[row.parent].message_id if row.parent in by_number else None
    return {
        "number": row.number,
        "message_id": row.message_id,
        "author": {"name": row.author_name, "address": row.author_address},
        "date": row.date.replace(tzinfo=UTC) if row.date.tzinfo is None else row.date,
        "subject": row.subject,
        "parent": parent,
        "depth": depth,
        "evidence": {"kind": row.kind, "score": round(row.score, 4), "detail": piece.detail if piece is not None else ""},
    }


def explain(connection: Connection, list_id: int, post_name: str) -> dict[str, Any]:
    """Why a post stands where it stands: the chosen evidence, the other candidates, and sentences for people."""
    try:
        post = posts.get(connection, list_id, post_name)
    except NotFound as error:
        waiting = evidence.awaiting(connection, list_id, _bracketed(post_name))
        if not waiting:
            raise
        answers = " and ".join(f"#{row.post_number}" for row in waiting)
        raise NotFound(
            f"{_bracketed(post_name)} never came to this list: a ghost, known only because {answers} names it"
        ) from error
    rows = {row.number: row for row in posts.of_conversations(connection, list_id, [post.conversation])}
    depth = dict(order_posts([(row.number, row.parent, row.date) for row in rows.values()]))[post.number]
    pieces = evidence.of_post(connection, list_id, post.number)
    chosen = next((piece for piece in pieces if piece.chosen), None)
    others = [piece for piece in pieces if not piece.chosen]
    described = _describe_post(post, depth, rows, chosen)
    named = {row.number: row for row in posts.some(connection, list_id, [p.parent for p in pieces if p.parent])}
    described["candidates"] = [
        {
            "message_id": named[p.parent].message_id if p.parent in named else p.message_id,
            "kind": p.kind,
            "score": round(p.score, 4),
            "detail": p.detail,
        }
        for p in pieces
        if p.parent is not None or p.message_id
    ]
    quotes = quotations.describe(connection, list_id, post)
    described["quotes"] = [each.described for each in quotes]
    sentences = [chosen.detail if chosen is not None else "It starts a conversation."]
    sentences += [f"{'Before: ' if piece.undone_at else 'Not followed: '}{piece.detail}" for piece in others]
    sentences += [each.sentence for each in quotes]
    sentences += _about(connection, list_id, post)
    described["sentences"] = sentences
    return described


def _bracketed(name: str) -> str:
    name = name.strip()
    return name if name.startswith("<") else f"<{name}>"


def _about(connection: Connection, list_id: int, post: Row[Any]) -> list[str]:
    """What else is to be known of a post's place: circles that others would have closed, and mails that were the same."""
    sentences = [
        f"#{number} names this post, too, but this one answers #{number}: a circle, refused"
        for number in evidence.refused_links(connection, list_id, post.conversation, post.number)
    ]
    if post.flags:
        sentences.append(post.flags)
    later = [row.number for row in posts.by_message_ids(connection, list_id, [post.message_id]) if row.number > post.number]
    sentences += [f"another post, #{number}, has the same Message-ID and other content" for number in later]
    again = incoming.repeated(connection, list_id, post.number)
    if again:
        times = "once" if len(again) == 1 else f"{len(again)} times"
        sentences.append(
            f"the same mail came again, {times}, last on {again[-1]:%d %B %Y at %H:%M} UTC: a duplicate, not posted a second time"
        )
    return sentences
