"""Put a mail of ours into the outbox, unless a limit says that this person has had enough of us (RFC 3834 §2).

Limits: 10 answers to one address and list in a day, the same answer once an hour, three questions about joining to one
address in a day over the whole site (after `+tag` folding). Automatic mail is never answered; that is the caller's part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import links
from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.lists.tokens import sign_permission
from listserver.mail.address import format_mailbox
from listserver.mail.verp import permission_address
from listserver.render.notices import HeaderSet, Letter, write_letter
from listserver.store import incoming, members, outbox, pending
from listserver.store.tables import OutgoingKind

ANSWERS_A_DAY = 10
JOIN_QUESTIONS_A_DAY = 3
ONE_KIND_EVERY = timedelta(hours=1)
# What was done, or is asked because of what was just written, is said each time: the ten a day are limit enough.
_EACH_TIME = frozenset(("confirm-join", "confirm-settings", "did-you-mean", "done", "undone"))
_STRANGERS_ONCE_A_DAY = frozenset(("not-a-member", "help", "not-understood", "strangers-post"))


def folded(address_key: str) -> str:
    """An address without its `+tag`: one mailbox, however many names it gives itself."""
    local, _at, domain = address_key.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def allowed(connection: Connection, alist: MailingList, name: str, address_key: str, now: datetime, *, stranger: bool) -> bool:
    """Whether one more answer of this name may go to this address."""
    key, day_ago = folded(address_key), now - timedelta(days=1)
    if name == "confirm-join" and pending.answers_since(connection, key, day_ago, name=name) >= JOIN_QUESTIONS_A_DAY:
        return False
    if stranger and name in _STRANGERS_ONCE_A_DAY and pending.answers_since(connection, key, day_ago, name=name):
        return False
    if name not in _EACH_TIME and pending.answers_since(connection, key, now - ONE_KIND_EVERY, list_id=alist.id, name=name):
        return False
    return pending.answers_since(connection, key, day_ago, list_id=alist.id) < ANSWERS_A_DAY


def answer(
    connection: Connection,
    site: Site,
    alist: MailingList,
    name: str,
    address: str,
    values: Mapping[str, object],
    *,
    address_key: str,
    to_name: str = "",
    answered: Prepared | None = None,
    token: str = "",
    reply_to: str = "",
    stranger: bool = True,
) -> bool:
    """Write an ANSWER with the null reverse-path; False when a limit kept us silent."""
    now = site.now()
    if not allowed(connection, alist, name, address_key, now, stranger=stranger):
        return False
    unique = site.database.new_id()
    ids = answered.parsed.ids if answered is not None else None
    letter = Letter(
        name=name,
        header_set=HeaderSet.answer,
        alist=alist,
        to_address=address,
        to_name=to_name,
        language=alist.options.language,
        token=token,
        reply_to=reply_to,
        unique=str(unique),
        answers_id=ids.message_id if ids else None,
        answers_chain=ids.chain() if ids else (),
    )
    _queue(connection, site, alist, write_letter(site.templates, letter, values, now), [(0, address)], null_sender=True)
    pending.note_answer(connection, list_id=alist.id, answer_id=unique, address_key=folded(address_key), name=name, now=now)
    return True


def notice(
    connection: Connection,
    site: Site,
    alist: MailingList,
    name: str,
    member: Any,
    values: Mapping[str, object],
    *,
    reply_to: str = "",
    leaving: bool = False,
) -> None:
    """Write a NOTICE to one member; `leaving` leaves List-Unsubscribe out, for who is no member any more."""
    now = site.now()
    token = sign_permission(site.secret, "leave", alist.id, member.id, (now.date() - date(1970, 1, 1)).days)
    letter = Letter(
        name=name,
        header_set=HeaderSet.notice,
        alist=alist,
        to_address=member.address,
        to_name=member.name,
        language=member.language or alist.options.language,
        reply_to=reply_to,
        unique=str(site.database.new_id()),
        unsubscribe="" if leaving else permission_address(alist.local, "leave", token, alist.host),
        one_click=f"{site.web_url}/u/{token}" if site.web_url.startswith("https://") else "",
        archive=links.list_page(site, alist),
    )
    _queue(
        connection,
        site,
        alist,
        write_letter(site.templates, letter, values, now),
        [(member.id, member.address)],
        null_sender=False,
    )


def welcome(connection: Connection, site: Site, alist: MailingList, member_id: int) -> None:
    """Greet a new member (E4)."""
    member = members.by_id(connection, alist.id, member_id)
    if member is not None:
        notice(connection, site, alist, "welcome", member, {"how": how_it_comes(alist, member)}, reply_to=alist.helper("request"))


def staff(
    connection: Connection,
    site: Site,
    alist: MailingList,
    name: str,
    values: Mapping[str, object],
    *,
    roles: Sequence[str] = ("owner",),
) -> None:
    """Write to each of the people who run the list."""
    now = site.now()
    for person in members.with_roles(connection, alist.id, roles):
        letter = Letter(
            name=name,
            header_set=HeaderSet.staff,
            alist=alist,
            to_address=person.address,
            to_name=person.name,
            language=person.language or alist.options.language,
            reply_to=alist.helper("request"),
            unique=str(site.database.new_id()),
        )
        _queue(
            connection,
            site,
            alist,
            write_letter(site.templates, letter, values, now),
            [(person.id, person.address)],
            null_sender=False,
        )


def how_it_comes(alist: MailingList, member: Any) -> str:
    """In one sentence, how a member gets posts."""
    if member.delivery == "digest":
        zone = (member.timezone or alist.options.timezone).rpartition("/")[2].replace("_", " ")
        return f"You get one email a day, at {member.digest_at or alist.options.digest_at} ({zone} time), on days when somebody has written."
    if member.state == "paused":
        return f"You get no email until the pause ends. To end it, write to {alist.helper('owner')}."
    if member.delivery == "none":
        return "You get no posts by email."
    return "You get every post as soon as it is written."


def confirm_address(alist: MailingList, token: str) -> str:
    """Where the answer to a question goes, with a name that people understand."""
    return format_mailbox(f"{alist.short_name} (confirm)", permission_address(alist.local, "confirm", token, alist.host))


def _queue(
    connection: Connection, site: Site, alist: MailingList, raw: bytes, recipients: list[tuple[int, str]], *, null_sender: bool
) -> None:
    now = site.now()
    original_id, outgoing_id = site.database.new_id(), site.database.new_id()
    incoming.add_original(connection, alist.id, original_id, raw)
    outbox.add(
        connection,
        list_id=alist.id,
        outgoing_id=outgoing_id,
        kind=OutgoingKind.notice,
        original_id=original_id,
        now=now,
        null_sender=null_sender,
    )
    for member_id, address in recipients:
        outbox.add_recipient(connection, alist.id, outgoing_id, member_id, address, now)
