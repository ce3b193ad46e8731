"""Tell the people who run a list what waits for them: at once, or together at 08:00 and 18:00, as the list chose (E24, E25)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from listserver.flows import notices
from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.model import MailingList
from listserver.mail.parse import ParsedMessage, parse_message
from listserver.store import incoming, pending
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

HOURS = (time(8), time(18))
_NAME = "waiting-list"
_ROLES = ("owner", "moderator")
_SHOWN = 50


def tell_at_once(connection: Connection, site: Site, alist: MailingList, mail: NewMail, prepared: Prepared, reason: str) -> None:
    """A post is held, and the list wants to hear of each."""
    if alist.options.notices == "at-once":
        _tell(connection, site, alist, [_describe(mail.id, prepared.parsed, mail.reverse_path, reason)])


def remind(site: Site) -> int:
    """Write the waiting list of every list for which its hour has come; how many lists that were."""
    return site.database.write(lambda connection: sum(_remind(connection, site, each) for each in site.directory.everything()))


def _remind(connection: Connection, site: Site, alist: MailingList) -> bool:
    if alist.options.notices != "together":
        return False
    hour = _latest_hour(site.now(), alist.options.timezone)
    rows = [row for row in incoming.waiting(connection, IncomingState.held, alist.id, _SHOWN) if row.received_at <= hour]
    if not rows or pending.answers_since(connection, alist.address, hour, list_id=alist.id, name=_NAME):
        return False
    items = []
    for row in rows:
        parsed = parse_message(incoming.raw_of(connection, row.list_id, row.original_id))
        items.append(_describe(row.id, parsed, row.reverse_path, row.detail))
    _tell(connection, site, alist, items)
    pending.note_answer(
        connection, list_id=alist.id, answer_id=site.database.new_id(), address_key=alist.address, name=_NAME, now=site.now()
    )
    return True


def _latest_hour(now: datetime, zone: str) -> datetime:
    """The last moment at which a clock in `zone` showed one of the hours."""
    place = ZoneInfo(zone)
    today = now.astimezone(place).date()
    moments = [datetime.combine(today - timedelta(days=d), hour, tzinfo=place) for d in (0, 1) for hour in HOURS]
    return max(moment for moment in moments if moment <= now).astimezone(now.tzinfo)


def _describe(number: int, parsed: ParsedMessage, reverse_path: str, reason: str) -> dict[str, object]:
    return {
        "number": number,
        "from": (parsed.author.name or str(parsed.author.address)) if parsed.author else reverse_path or "nobody",
        "subject": " ".join(parsed.subject.split())[:80] or "(no subject)",
        "reason": reason,
    }


def _tell(connection: Connection, site: Site, alist: MailingList, items: list[dict[str, object]]) -> None:
    notices.staff(connection, site, alist, _NAME, {"items": items}, roles=_ROLES)
