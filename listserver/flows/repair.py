"""People repair conversations: move a post, split one off, merge two; and take the last repair back.

The same for the command line, for mail and for the web. A repair is evidence of kind `moderator`, which beats all other
evidence and is never recomputed: what a late parent or a newer rule would have done is noted beside it
(`evidence.choose_anew`), and counts from the moment on at which the repair is taken back. Repairs are undone in the
opposite order, so that as many undos as repairs give the first tree back.
Invariants: no post is above itself; a conversation is named by its oldest post's number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.errors import Conflict, NotFound
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.lists.threads import would_cycle
from listserver.store import evidence, lists, posts, repairs


@dataclass(frozen=True, slots=True)
class _Desk:
    """Who repairs which list, inside one transaction that nobody else posts in meanwhile."""

    connection: Connection
    list_id: int
    by: str
    now: datetime


def move(site: Site, alist: MailingList, post: str, under: str, *, by: str) -> str:
    """Put a post, with all its answers, under another. Raises: NotFound; Conflict where that would close a circle."""

    def work(desk: _Desk) -> str:
        row, parent = (posts.get(desk.connection, desk.list_id, name) for name in (post, under))
        _refuse_circle(desk, row, parent)
        detail = f"{by} moved it under #{parent.number}"
        number = repairs.add(desk.connection, desk.list_id, "move", f"#{row.number} under #{parent.number}", by, desk.now)
        _place(desk, number, 1, row.number, parent.number, parent.message_id, detail)
        return f"#{row.number} answers #{parent.number} now."

    return _run(site, alist, by, work)


def split(site: Site, alist: MailingList, post: str, *, by: str) -> str:
    """Let a post, with all its answers, be a conversation of its own. Raises: NotFound; Conflict if it is one already."""

    def work(desk: _Desk) -> str:
        row = posts.get(desk.connection, desk.list_id, post)
        tree = posts.parents_of(desk.connection, desk.list_id, row.conversation)
        if row.parent is None and _below(tree, row.number) == set(tree):
            raise Conflict(f"#{row.number} begins its conversation already")
        number = repairs.add(desk.connection, desk.list_id, "split", f"#{row.number}", by, desk.now)
        _place(desk, number, 1, row.number, None, "", f"{by} let it begin a conversation")
        return f"#{row.number} begins a conversation now."

    return _run(site, alist, by, work)


def merge(site: Site, alist: MailingList, post: str, into: str, *, by: str) -> str:
    """Put the whole conversation of a post under another post. Raises: NotFound; Conflict if they are in one already."""

    def work(desk: _Desk) -> str:
        row, target = (posts.get(desk.connection, desk.list_id, name) for name in (post, into))
        if row.conversation == target.conversation:
            raise Conflict(f"#{row.number} and #{target.number} are in one conversation already")
        tree = posts.parents_of(desk.connection, desk.list_id, row.conversation)
        detail = f"{by} merged its conversation into that of #{target.number}"
        number = repairs.add(desk.connection, desk.list_id, "merge", f"#{row.number} into #{target.number}", by, desk.now)
        for position, root in enumerate(sorted(each for each, parent in tree.items() if parent is None), start=1):
            _place(desk, number, position, root, target.number, target.message_id, detail)
        return f"{len(tree)} post{'s' if len(tree) > 1 else ''} stand under #{target.number} now."

    return _run(site, alist, by, work)


def undo(site: Site, alist: MailingList, *, by: str) -> str:
    """Take back the last repair of a list. Raises: NotFound when there is none."""

    def work(desk: _Desk) -> str:
        last = repairs.newest(desk.connection, desk.list_id)
        if last is None:
            raise NotFound("nothing was repaired on this list that could be undone")
        for step in repairs.steps(desk.connection, desk.list_id, last.id):
            _take_back(desk, step)
        repairs.undone(desk.connection, desk.list_id, last.id, by, desk.now)
        return f"Taken back: {last.action} {last.detail}, by {last.made_by} on {last.made_at:%d %B %Y}."

    return _run(site, alist, by, work)


def _run(site: Site, alist: MailingList, by: str, work: Any) -> str:
    def locked(connection: Connection) -> str:
        lists.last_post(connection, alist.id)  # under the list's lock: no post is placed meanwhile
        return str(work(_Desk(connection, alist.id, by, site.now())))

    said = site.database.write(locked)
    maillog.repaired(list_id=alist.id, by=by, what=said)
    return said


def _refuse_circle(desk: _Desk, row: Any, parent: Any) -> None:
    if row.number == parent.number:
        raise Conflict(f"#{row.number} cannot answer itself")
    tree = posts.parents_of(desk.connection, desk.list_id, parent.conversation)
    if would_cycle(row.number, parent.number, tree.get):
        raise Conflict(f"#{parent.number} stands below #{row.number}: that would close a circle")


def _place(desk: _Desk, repair: int, position: int, number: int, parent: int | None, message_id: str, detail: str) -> None:
    """One step: link a post by a moderator's evidence, and regroup."""
    values = {
        "kind": evidence.MODERATOR,
        "parent": parent,
        "message_id": message_id,
        "score": 1.0,
        "detail": detail,
        "made_by": desk.by,
    }
    before, after = evidence.repair(desk.connection, desk.list_id, number, values, desk.now)
    beside = _relink(desk, number, parent, None, evidence.MODERATOR, 1.0)
    repairs.add_step(
        desk.connection, desk.list_id, repair, position, post_number=number, before=before, after=after, beside=beside
    )


def _take_back(desk: _Desk, step: Any) -> None:
    """Let a post stand where it stood; or where a later finding of the machine would have put it meanwhile."""
    piece = evidence.to_return_to(desk.connection, desk.list_id, step.post_number, step.before)
    parent = piece.parent
    if parent is not None:
        (above,) = posts.some(desk.connection, desk.list_id, [parent])
        tree = posts.parents_of(desk.connection, desk.list_id, above.conversation)
        if would_cycle(step.post_number, parent, tree.get):
            parent = None
    if parent == piece.parent:
        evidence.choose_again(desk.connection, desk.list_id, step.post_number, piece.id, desk.now)
        _relink(desk, step.post_number, parent, step.beside, piece.kind, piece.score)
        return
    detail = f"its former parent, #{piece.parent}, answers it by now: it begins a conversation"
    values = {"kind": "none", "parent": None, "message_id": "", "score": 1.0, "detail": detail, "made_by": desk.by}
    evidence.repair(desk.connection, desk.list_id, step.post_number, values, desk.now)
    _relink(desk, step.post_number, None, step.beside, "none", 1.0)


def _relink(desk: _Desk, number: int, parent: int | None, beside: int | None, kind: str, score: float) -> int | None:
    """Give a post another parent, and let it and all below it join the conversation of that; or of the post `beside`.

    Returns a post that it stood together with before and does not any more, to find back.
    """
    connection, list_id = desk.connection, desk.list_id
    anchor = parent if parent is not None else beside
    rows = {row.number: row for row in posts.some(connection, list_id, [number, *([anchor] if anchor is not None else [])])}
    old = rows[number].conversation
    tree = posts.parents_of(connection, list_id, old)
    moved = _below(tree, number)
    rest = set(tree) - moved
    posts.link(connection, list_id, number, parent=parent, kind=kind, score=score)
    if anchor in moved:
        anchor = None
    if anchor not in rest:
        joined = set(posts.parents_of(connection, list_id, rows[anchor].conversation)) if anchor is not None else set()
        for group in (rest, moved | joined):
            if group:
                posts.set_conversation(connection, list_id, sorted(group), min(group))
    return min(rest) if rest else None


def _below(tree: Mapping[int, int | None], top: int) -> set[int]:
    """A post and everything under it."""
    children: dict[int | None, list[int]] = {}
    for number, parent in tree.items():
        children.setdefault(parent, []).append(number)
    found: set[int] = set()
    waiting = [top]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += children.get(number, [])
    return found
