"""`/LIST/p/N`, a post's permanent address, `/LIST`, what a list is, and `/`, the lists that everyone may read.

What a reader sees is judged in one place (`lists.access`); whatever is not public answers the same for a post that is
there and one that never was. Text only: HTML that people sent is turned into text, never passed on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.requests import Request

from listserver.flows import links
from listserver.flows.site import Site
from listserver.lists.access import Access, judge_reading
from listserver.lists.model import MailingList
from listserver.lists.tokens import is_reading_key
from listserver.mail.bodytext import read_body
from listserver.mail.headers import read_header
from listserver.mail.subject import base_subject
from listserver.store import archive, members
from listserver.store.archive import Found
from listserver.store.reading import ReadOnly
from listserver.web.pages import Page
from listserver.web.shown import blocks, excerpt, mask, mask_address

_LARGEST_NUMBER = 2**31 - 1


def show_post(site: Site, reader: ReadOnly, request: Request) -> Page:
    """One post."""
    alist, number = site.directory.by_path(request.path_params["name"]), int(request.path_params["number"])
    if alist is None or number > _LARGEST_NUMBER:
        return nothing_here()
    has_key = is_reading_key(site.secret, alist.id, number, request.query_params.get("key", ""))
    access = judge_reading(alist.options.archive, has_key=has_key)
    if access is Access.none:
        return nothing_here()
    if access is Access.asked_for_key:
        return Page(name="members-only", values={"list": alist}, status=403, language=alist.options.language)
    with reader.read() as connection:
        found = archive.find(connection, alist.id, number)
    if found is None:
        return nothing_here()
    return Page(
        name="post",
        values=_post_values(site, alist, found, everything=access is Access.all),
        language=alist.options.language,
        public=access is Access.all,
    )


def show_list(site: Site, reader: ReadOnly, request: Request) -> Page:
    """What a list is about, how to join and leave, and for everyone's archives its newest conversations."""
    alist = site.directory.by_path(request.path_params["name"])
    if alist is None:
        return nothing_here()
    access = judge_reading(alist.options.archive, has_key=False)
    if access is Access.none:
        return nothing_here()
    with reader.read() as connection:
        count = members.count(connection, alist.id)
        roots = archive.newest_roots(connection, alist.id) if access is Access.all else []
    path = links.list_path(site, alist)
    conversations = [{**_line(alist, row), "path": f"{path}/p/{row.number}"} for row in roots]
    values = {"list": alist, "members": count, "conversations": conversations, "mailto": _mailto}
    return Page(name="list", values=values, language=alist.options.language, public=access is Access.all)


def show_lists(site: Site, reader: ReadOnly, request: Request) -> Page:
    """The lists whose archives are everyone's."""
    public = [each for each in site.directory.everything() if judge_reading(each.options.archive, has_key=False) is Access.all]
    return Page(name="lists", values={"lists": [(each, links.list_path(site, each)) for each in public]}, public=True)


def nothing_here() -> Page:
    """The same for whatever does not exist and whatever is nobody's business."""
    return Page(name="nothing-here", status=404)


def _post_values(site: Site, alist: MailingList, found: Found, *, everything: bool) -> dict[str, object]:
    post, path = found.post, links.list_path(site, alist)
    body = read_body(found.raw, read_header(found.raw))

    def neighbour(row: Any) -> dict[str, object]:
        return {**_line(alist, row), "path": f"{path}/p/{row.number}" if everything else ""}

    subject = mask(post.subject or "(no subject)", alist.address)
    answer = f"{_mailto(alist.with_token('r', post.token))}?subject={quote(f'Re: {base_subject(post.subject)}', safe='')}"
    return {
        "list": alist,
        "list_path": path,
        "everything": everything,
        "subject": subject,
        **_line(alist, post),
        "blocks": blocks(body.text, alist.address),
        "attachments": [(mask(each.name), _size(each.size)) for each in body.attachments if not each.inline or each.name],
        "parent": neighbour(found.parent) if found.parent is not None else None,
        "parent_words": "" if not everything else _parent_words(alist, found),
        "answers": [neighbour(row) for row in found.answers] if everything else [],
        "before": found.before if everything else None,
        "after": found.after if everything else None,
        "answer": f"{answer}&In-Reply-To={quote(post.message_id, safe='')}",
        "answer_address": alist.with_token("r", post.token),
    }


def _parent_words(alist: MailingList, found: Found) -> str:
    """What was answered, in a few words: of the quote, if there is one."""
    lines = read_body(found.raw, read_header(found.raw)).text[:4000].split("\n")
    quoted = "\n".join(line.lstrip(" >") for line in lines if line.lstrip().startswith(">"))
    return mask(excerpt(quoted), alist.address)


def _line(alist: MailingList, row: Any) -> dict[str, object]:
    """How a post is named wherever it is not shown: number, author, day, subject."""
    author = mask(row.author_name) or (mask_address(row.author_address) if row.author_address else "somebody")
    return {"number": row.number, "author": author, "when": _when(row.date, alist.options.timezone), "title": mask(row.subject)}


def _when(moment: datetime, zone: str) -> str:
    """`Monday 2 March 2026, 12:40 (London)`: written out, in the list's zone."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    local = aware.astimezone(ZoneInfo(zone))
    place = zone.rpartition("/")[2].replace("_", " ")
    return f"{local:%A} {local.day} {local:%B} {local.year}, {local:%H:%M} ({place})"


def _mailto(address: str) -> str:
    return "mailto:" + quote(address, safe="@")


def _size(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB" if octets >= 1_000_000 else f"{max(1, round(octets / 1000))} KB"
