"""Held posts: show them, and post, give back or throw away, as the people who run the list decide."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from listserver.errors import NotFound
from listserver.flows import accept, answers, notices, post
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.mail.parse import parse_message
from listserver.store import incoming, members
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

NOBODY_HAD_TIME = "nobody looked at it for 14 days"


def waiting(site: Site, alist: MailingList | None) -> list[dict[str, Any]]:
    """What waits, oldest first."""
    found = []
    with site.database.read() as connection:
        for row in incoming.waiting(connection, IncomingState.held, alist.id if alist else None):
            parsed = parse_message(incoming.raw_of(connection, row.list_id, row.original_id))
            of_list = site.directory.by_id(row.list_id)
            found.append(
                {
                    "id": row.id,
                    "list": of_list.address if of_list else "",
                    "from": str(parsed.author.address) if parsed.author else row.reverse_path,
                    "name": parsed.author.name if parsed.author else "",
                    "subject": parsed.subject,
                    "since": row.received_at,
                    "reason": row.detail,
                }
            )
    return found


def _get(site: Site, held_id: int) -> tuple[NewMail, bytes, MailingList]:
    """A held mail. Raises: NotFound."""
    with site.database.read() as connection:
        row = incoming.find(connection, held_id)
        if row is None or row.state != IncomingState.held.value:
            raise NotFound(f"nothing with the number {held_id} is held: see `listserver held ls`")
        raw = incoming.raw_of(connection, row.list_id, row.original_id)
    alist = site.directory.by_id(row.list_id)
    if alist is None:
        raise NotFound("its list is gone")
    return NewMail(**{name: getattr(row, name) for name in NewMail.__dataclass_fields__}), raw, alist


def approve(site: Site, held_id: int, reason: str = "") -> str:
    """Post it, from where it stopped. Raises: NotFound."""
    mail, raw, alist = _get(site, held_id)
    prepared = accept.prepare_again(site, mail, raw)
    one = post.Incoming(mail=mail, prepared=prepared, alist=alist, message_id=post.message_id_of(site, prepared))

    def work(connection: Connection) -> post.Published:
        _still_held(connection, mail)
        author = prepared.parsed.author
        member = members.find(connection, alist.id, author.address.key) if author is not None else None
        answered = answers.find(connection, site, alist, mail, prepared)
        return post.publish(
            connection, site, one, member if member is not None and member.state != "left" else None, answered.post
        )

    done = site.database.write(work)
    return f"Posted as #{done.number}." if done.is_new else f"It is posted already, as #{done.number}: recorded as a duplicate."


def reject(site: Site, held_id: int, reason: str = "") -> str:
    """Give it back with a reason. Raises: NotFound."""
    mail, raw, alist = _get(site, held_id)
    prepared = accept.prepare_again(site, mail, raw)

    def work(connection: Connection) -> bool:
        _still_held(connection, mail)
        incoming.finish(connection, mail.list_id, mail.id, IncomingState.rejected, reason or "a moderator said no")
        return _give_back(connection, site, mail, prepared, alist, "not-posted", reason)

    return "Rejected, and its writer was told." if site.database.write(work) else "Rejected; its writer could not be told."


def give_up(site: Site, held_id: int) -> bool:
    """Nobody decided in time: it goes back to its writer (E21), when we are sure who that is; else it ends without a word.

    Raises: NotFound when somebody decided meanwhile, or its list is gone.
    """
    mail, raw, alist = _get(site, held_id)
    prepared = accept.prepare_again(site, mail, raw)

    def work(connection: Connection) -> bool:
        _still_held(connection, mail)
        told = prepared.belief.verified and _give_back(connection, site, mail, prepared, alist, "nobody-had-time", "")
        state = IncomingState.rejected if told else IncomingState.discarded
        incoming.finish(connection, mail.list_id, mail.id, state, NOBODY_HAD_TIME)
        return told

    return site.database.write(work)


def _give_back(
    connection: Connection, site: Site, mail: NewMail, prepared: accept.Prepared, alist: MailingList, letter: str, reason: str
) -> bool:
    """The writer's own words, with why they were not posted; never to a robot."""
    author = prepared.parsed.author
    if author is None or not mail.reverse_path or accept.signs_of(site, prepared, mail.reverse_path).is_automatic:
        return False
    values = {
        "subject": " ".join(prepared.parsed.subject.split())[:80] or "(no subject)",
        "reason": " ".join(reason.split()),
        "own_text": post.own_text(prepared),
    }
    return notices.answer(
        connection,
        site,
        alist,
        letter,
        str(author.address),
        values,
        address_key=author.address.key,
        to_name=author.name,
        answered=prepared,
        reply_to=alist.helper("owner"),
        stranger=False,
    )


def discard(site: Site, held_id: int, reason: str = "") -> str:
    """Throw it away without a word. Raises: NotFound."""
    mail, _raw, _alist = _get(site, held_id)

    def work(connection: Connection) -> None:
        _still_held(connection, mail)
        incoming.finish(connection, mail.list_id, mail.id, IncomingState.discarded, reason or "a moderator threw it away")

    site.database.write(work)
    return "Discarded."


def _still_held(connection: Connection, mail: NewMail) -> None:
    """Somebody else may have decided meanwhile. Raises: NotFound."""
    row = incoming.find(connection, mail.id, mail.list_id)
    if row is None or row.state != IncomingState.held.value:
        raise NotFound("somebody else has decided already")
