"""Mail to the people who run a list or the site: passed on to each of them, never answered by us."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.transform import pass_on
from listserver.store import incoming, members, outbox
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState, OutgoingKind


def plan(site: Site, mail: NewMail, prepared: Prepared) -> object:
    """Pass a mail on to the owners, or to the site's administrator where a list has none."""
    alist = site.directory.by_id(mail.list_id)
    author = prepared.parsed.author
    reply_to = str(author.address) if author is not None else ""
    copy = pass_on(prepared.raw, prepared.header, reply_to=reply_to)
    now = site.now()

    def work(connection: Connection) -> None:
        if prepared.signs.strong:
            incoming.finish(connection, mail.list_id, mail.id, IncomingState.ignored, "automatic mail: " + prepared.signs.strong[0])
            return
        people = members.with_roles(connection, alist.id, ("owner",)) if alist is not None else []
        targets = [(p.id, p.address) for p in people] or [(0, site.administrator)]
        outgoing_id, original_id = site.database.new_id(), site.database.new_id()
        incoming.add_original(connection, mail.list_id, original_id, copy)
        outbox.add(connection, list_id=mail.list_id, outgoing_id=outgoing_id, kind=OutgoingKind.notice, original_id=original_id, now=now)
        for number, address in targets:
            outbox.add_recipient(connection, mail.list_id, outgoing_id, number, address, now)
        incoming.finish(connection, mail.list_id, mail.id, IncomingState.owner, f"passed on to {len(targets)}")

    return work
