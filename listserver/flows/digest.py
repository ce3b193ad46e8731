"""The digest clock: whose digest is due, what goes in, and out with it; each post that is due to a member exactly once.

In one transaction for each member: the due moment is read again, the row (list, member, local day) is taken, the posts
since the last cut go into one mail, and cut and next moment are written. A second clock or a restart finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from listserver import maillog, metrics
from listserver.errors import NotFound
from listserver.flows import links, schedule
from listserver.flows.membership import address_key
from listserver.flows.site import Site
from listserver.lists.digests import ConversationFacts, DigestConversation, DigestPost, arrange, local_day
from listserver.lists.model import MailingList
from listserver.lists.quotes import own_lines, runs_of, without_known_quotes
from listserver.lists.tokens import name_token
from listserver.mail.bodytext import BodyText, read_body
from listserver.mail.headers import read_header
from listserver.mail.subject import base_subject
from listserver.render.digests import DigestIssue, RenderedDigest, excerpt, render_digest, write_digest
from listserver.store import digests, incoming, lists, members, outbox, posts
from listserver.store.tables import OutgoingKind

_BATCH = 200
_AGAIN_AFTER = timedelta(minutes=15)

_DIGESTS = metrics.counter("listserver_digests_total", "Digests put into the outbox since the start")


@dataclass
class Sent:
    """What one run of the clock did."""

    due: int = 0
    queued: int = 0
    empty: int = 0
    posts: int = 0


def send_due(site: Site, alist: MailingList | None = None, at: datetime | None = None) -> Sent:
    """Queue every digest that is due at `at` (now, if not given), of one list or of all.

    A digest that cannot be made is tried again in a quarter of an hour, and keeps no other reader waiting (P7).
    """
    site.directory.refresh()  # a list that another process just made must not look as if it were gone
    moment, done = at or site.now(), Sent()
    while True:
        with site.database.read() as connection:
            rows = digests.due(connection, moment, _BATCH, alist.id if alist else None)
        if not rows:
            return done
        for row in rows:
            found = site.directory.by_id(row.list_id)
            if found is None:
                site.database.write(lambda c, r=row: members.schedule_digests(c, r.list_id, {r.id: None}))  # type: ignore[misc]
                continue
            try:
                count = site.database.write(lambda c, f=found, r=row: _send_one(c, site, f, r.id, moment))  # type: ignore[misc]
            except (OSError, SQLAlchemyError):
                raise  # the database, not this digest
            except Exception:  # noqa: BLE001 - whatever is wrong with one digest, the others go out
                maillog.digest_failed(list_id=row.list_id, member=row.id)
                later = {row.id: moment + _AGAIN_AFTER}
                site.database.write(lambda c, r=row, when=later: members.schedule_digests(c, r.list_id, dict(when)))  # type: ignore[misc]
                continue
            if count is not None:
                done.due += 1
                done.queued += count > 0
                done.empty += count == 0
                done.posts += count


def _send_one(connection: Connection, site: Site, alist: MailingList, member_id: int, moment: datetime) -> int | None:
    """One member's digest; how many posts it has, None when somebody else was faster."""
    last = lists.last_post(connection, alist.id)
    member = members.by_id(connection, alist.id, member_id)
    if member is None or member.digest_due is None or member.digest_due > moment:
        return None
    if member.state != "active" or member.delivery != "digest":
        members.schedule_digests(connection, alist.id, {member_id: None})
        return None
    zone, _hour = schedule.place_of(alist, member)
    following = schedule.next_due(alist, member, moment)
    issue = _make_issue(connection, site, alist, member, moment, member.digest_through, last, name_token(site.random_bytes(16)))
    day = local_day(moment, zone).isoformat()
    if issue is None:
        members.change(connection, alist.id, member_id, {"digest_due": following, "digest_through": last})
        return 0
    outgoing_id = site.database.new_id()
    if not digests.claim(
        connection,
        list_id=alist.id,
        member_id=member_id,
        day=day,
        first_post=member.digest_through + 1,
        last_post=last,
        token=issue.token,
        outgoing_id=outgoing_id,
        now=moment,
    ):
        members.change(
            connection, alist.id, member_id, {"digest_due": following}
        )  # never two a day; the posts wait for tomorrow's
        return 0
    members.change(connection, alist.id, member_id, {"digest_due": following, "digest_through": last})
    rendered = render_digest(site.templates, issue)
    _queue(connection, site, issue, rendered, outgoing_id, member)
    digests.add_entries(connection, alist.id, member_id, day, rendered.numbers)
    _DIGESTS.inc()
    maillog.digest_sent(list_id=alist.id, member=member_id, posts=len(rendered.numbers))
    return len(rendered.numbers)


def _queue(
    connection: Connection, site: Site, issue: DigestIssue, rendered: RenderedDigest, outgoing_id: int, member: Any
) -> None:
    now, original_id = site.now(), site.database.new_id()
    incoming.add_original(
        connection, issue.alist.id, original_id, write_digest(issue, rendered, archive=links.list_page(site, issue.alist))
    )
    outbox.add(
        connection, list_id=issue.alist.id, outgoing_id=outgoing_id, kind=OutgoingKind.digest, original_id=original_id, now=now
    )
    outbox.add_recipient(connection, issue.alist.id, outgoing_id, member.id, member.address, now)


def preview(site: Site, alist: MailingList, address: str, at: datetime | None, *, html: bool) -> str:
    """The digest that a member would get, as text. Raises: NotFound for a stranger, or when there is nothing new."""
    if html:
        raise NotFound("there is no HTML form of the digest yet: leave --html out")
    moment = at or site.now()
    with site.database.read() as connection:
        member = members.get(connection, alist.id, address_key(address))
        last = posts.last_number(connection, alist.id)
        issue = _make_issue(connection, site, alist, member, moment, member.digest_through, last, "preview123")
    if issue is None:
        raise NotFound(f"nothing new for {address} since the last digest")
    rendered = render_digest(site.templates, issue)
    return f"Subject: {rendered.subject}\n\n{rendered.text}"


def _make_issue(
    connection: Connection, site: Site, alist: MailingList, member: Any, moment: datetime, through: int, last: int, token: str
) -> DigestIssue | None:
    """Gather the posts after `through`; None when there is nothing but the reader's own."""
    rows = posts.numbered(connection, alist.id, through + 1, last, imported=False)
    if not any(row.member_id != member.id for row in rows):
        return None
    zone, hour = schedule.place_of(alist, member)
    return DigestIssue(
        alist=alist,
        conversations=_arrange(connection, alist, rows, member.id),
        reader_id=member.id,
        reader_address=member.address,
        reader_name=member.name,
        zone=zone,
        hour=f"{hour:%H:%M}",
        moment=moment,
        token=token,
        language=member.language or alist.options.language,
        pages={row.number: links.post_page(site, alist, row.number) for row in rows},
    )


def _arrange(connection: Connection, alist: MailingList, rows: Sequence[Any], reader_id: int) -> tuple[DigestConversation, ...]:
    together = posts.of_conversations(connection, alist.id, sorted({row.conversation for row in rows}))
    by_number = {row.number: row for row in together}
    needed = {row.number for row in rows} | {row.parent for row in rows if row.parent in by_number}
    bodies = {number: _read(connection, alist.id, by_number[number].original_id) for number in needed}
    shows_files = alist.options.attachments != "strip"
    new = [_digest_post(row, by_number, bodies, shows_files=shows_files) for row in rows]
    facts = {}
    for conversation in {row.conversation for row in rows}:
        members_of_it = [row for row in together if row.conversation == conversation]
        facts[conversation] = ConversationFacts(
            title=_title(members_of_it[0]),
            total=len(members_of_it),
            people=len({r.author_address.lower() for r in members_of_it}),
            first_post=members_of_it[0].number,
            with_reader=any(r.member_id == reader_id for r in members_of_it),
        )
    return arrange(new, facts)


def _title(row: Any) -> str:
    return base_subject(row.subject) or row.subject or "(no subject)"


def _read(connection: Connection, list_id: int, original_id: int) -> BodyText:
    raw = incoming.raw_of(connection, list_id, original_id)
    return read_body(raw, read_header(raw))


def _digest_post(row: Any, by_number: dict[int, Any], bodies: dict[int, BodyText], *, shows_files: bool) -> DigestPost:
    body, parent = bodies[row.number], by_number.get(row.parent)
    known, above = [], row.parent
    while above in bodies:
        known.append(runs_of(bodies[above].text))
        above = by_number[above].parent
    text = without_known_quotes(body.text, known)
    return DigestPost(
        number=row.number,
        conversation=row.conversation,
        parent=row.parent,
        author=row.author_name or row.author_address.partition("@")[0],
        author_id=row.member_id,
        date=row.date,
        subject=row.subject,
        text=text,
        excerpt=excerpt(text),
        attachments=tuple((a.name, a.size) for a in body.attachments) if shows_files else (),
        token=row.token,
        parent_author=(parent.author_name or parent.author_address.partition("@")[0]) if parent is not None else "",
        parent_date=parent.date if parent is not None else None,
        parent_excerpt=excerpt(own_lines(bodies[row.parent].text)) if row.parent in bodies else "",
    )
