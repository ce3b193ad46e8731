"""Mail to the people who run a list or the site: passed on to each of them, never answered by us."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import Connection

from listserver.flows.accept import Prepared, signs_of
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.lists.transform import pass_on as passed_on_copy
from listserver.store import incoming, members, outbox
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState, OutgoingKind


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Callable[[Connection], None]:
    """Pass a mail on to the owners, or to the site's administrator where there are none; automatic mail is only recorded."""
    alist = site.directory.by_id(mail.list_id)
    signs = signs_of(site, prepared, mail.reverse_path)

    def work(connection: Connection) -> None:
        if signs.strong or signs.own_mark:
            incoming.finish(
                connection, mail.list_id, mail.id, IncomingState.ignored, f"automatic mail: {(*signs.strong, 'our own')[0]}"
            )
            return
        count = pass_on(connection, site, mail, prepared, alist)
        incoming.finish(connection, mail.list_id, mail.id, IncomingState.owner, f"passed on to {count}")

    return work


def pass_on(connection: Connection, site: Site, mail: NewMail, prepared: Prepared, alist: MailingList | None) -> int:
    """Queue a mail for the people who run the list; how many they are."""
    author = prepared.parsed.author
    copy = passed_on_copy(prepared.raw, prepared.header, reply_to=str(author.address) if author is not None else "")
    people = members.with_roles(connection, alist.id, ("owner",)) if alist is not None else []
    targets = [(person.id, person.address) for person in people] or [(0, site.administrator)]
    now = site.now()
    outgoing_id, original_id = site.database.new_id(), site.database.new_id()
    incoming.add_original(connection, mail.list_id, original_id, copy)
    outbox.add(
        connection,
        list_id=mail.list_id,
        outgoing_id=outgoing_id,
        kind=OutgoingKind.notice,
        original_id=original_id,
        now=now,
        null_sender=alist is None,
    )
    for number, address in targets:
        outbox.add_recipient(connection, mail.list_id, outgoing_id, number, address, now)
    return len(targets)
