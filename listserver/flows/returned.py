"""What comes back: delivery reports to our return-paths, and deliveries that failed for good.

Reports are recognised by the address they come to, which names list, member and day and is signed, so that nobody can
have others taken off a list. Nothing here is ever answered.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.tokens import read_permission
from listserver.mail.dsn import read_report
from listserver.store import incoming, reports
from listserver.store.incoming import NewMail
from listserver.store.outbox import Settled
from listserver.store.tables import IncomingState


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Callable[[Connection], None]:
    """Record a delivery report; one without our signature counts for nothing and is recorded as such."""
    named = read_permission(site.secret, "bounces", mail.token) if mail.token else None
    report = read_report(prepared.raw, prepared.header)
    now = site.now()

    def work(connection: Connection) -> None:
        if named is None:
            incoming.finish(
                connection,
                mail.list_id,
                mail.id,
                IncomingState.ignored,
                "mail without a sender, to an address that we did not make",
            )
            return
        reports.add(
            connection,
            list_id=named.list_id,
            report_id=site.database.new_id(),
            incoming_id=mail.id,
            member_id=named.member_id,
            now=now,
            action=report.action if report else "",
            status=report.status if report else "",
            recipient=report.recipient if report else "",
            detail=report.diagnostic if report else "",
        )
        incoming.finish(
            connection, mail.list_id, mail.id, IncomingState.bounce, report.status if report else "no standard report"
        )

    return work


def refused(connection: Connection, site: Site, settled: Settled) -> None:
    """A delivery failed for good: log it; weighing it belongs to the bounces."""
    claim = settled.claim
    maillog.failed(list_id=claim.list_id, outgoing=claim.outgoing_id, address=claim.address, reply=settled.reply)
