"""The only way in for mail: say where a recipient leads, refuse early where that harms nobody, and take responsibility.

Commit 1 stores the original bytes, the envelope and every destination as `in_flight`; the 250 goes out after it.
What the mail means is worked out afterwards, in a second transaction (`flows.process`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.engine import Connection

from listserver.authentication.verify import Belief, believe
from listserver.flows.site import Site
from listserver.lists.addressing import Destination, route
from listserver.lists.fingerprints import Reading, read_post
from listserver.lists.model import MailingList
from listserver.mail.address import parse_path
from listserver.mail.automatic import Signs, read_signs
from listserver.mail.content import content_hash
from listserver.mail.envelope import Envelope, Peer
from listserver.mail.headers import Header
from listserver.mail.parse import ParsedMessage, parse_message
from listserver.mail.quoting import SpanKind, split_body
from listserver.mail.reply import Reply
from listserver.store import incoming
from listserver.store.incoming import NewMail

SITE_LIST = 0  # the list number of what belongs to no list: postmaster@, abuse@, the site's return-path


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One recipient of an incoming mail, and what it means here."""

    recipient: str
    destination: Destination
    alist: MailingList | None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is known of a mail before any database is asked: its fields, and whether its author is believed."""

    raw: bytes
    header: Header
    parsed: ParsedMessage
    belief: Belief

    @cached_property
    def reading(self) -> Reading:
        """What its text says, as fingerprints; it costs a millisecond, so it is asked for before the writing transaction."""
        return read_post(self.raw, self.header)

    @cached_property
    def content_hash(self) -> bytes:
        """Tells a repeated delivery from another post with the same Message-ID."""
        return content_hash(self.header, self.raw[self.header.size :])

    @cached_property
    def own_words(self) -> str:
        """What the writer wrote: without what is quoted, without signature, device line and footer."""
        found = split_body(self.raw, self.header)
        return "".join(found.text[span.start : span.end] for span in found.spans if span.kind is SpanKind.own).strip()


def find_arrival(site: Site, recipient: str) -> Arrival | None:
    """What a recipient address means here, or None: then it is refused (never an open relay)."""
    address = parse_path(recipient)
    if address is None:
        return None
    domain = address.domain.lower()
    if not site.is_ours(domain):
        return None
    destination = route(address.local, domain, lambda name: site.directory.by_address(name) is not None)
    if destination is None:
        return None
    alist = site.directory.by_address(destination.list_address) if destination.list_address else None
    return Arrival(recipient=recipient, destination=destination, alist=alist)


def unknown_recipient(site: Site) -> Reply:
    """The same refusal for whatever does not exist here."""
    where = f" The lists are at {site.web_url}/" if site.web_url.startswith("https://") else ""
    return Reply(550, "5.1.1", f"No list of that name here.{where}")


def prepare(site: Site, envelope: Envelope, raw: bytes) -> Prepared:
    """Read the header section and look whether the author is believed; no database, limits first."""
    parsed = parse_message(raw)
    belief = believe(raw, parsed.header, envelope, mode=site.authentication, resolver=site.resolver, now=site.now())
    return Prepared(raw=raw, header=parsed.header, parsed=parsed, belief=belief)


def new_mails(site: Site, envelope: Envelope, arrivals: Sequence[Arrival]) -> list[NewMail]:
    """One row for each destination; the same destination named twice is one."""
    now = site.now()
    originals: dict[int, int] = {}
    mails: dict[tuple[int, str, str], NewMail] = {}
    for arrival in arrivals:
        list_id = arrival.alist.id if arrival.alist else SITE_LIST
        kind, token = arrival.destination.kind.value, arrival.destination.token or ""
        if (list_id, kind, token) in mails:
            continue
        if list_id not in originals:
            originals[list_id] = site.database.new_id()
        mails[list_id, kind, token] = NewMail(
            list_id=list_id,
            id=site.database.new_id(),
            original_id=originals[list_id],
            kind=kind,
            recipient=arrival.recipient,
            token=token,
            reverse_path=envelope.reverse_path,
            peer=envelope.peer.host,
            helo=envelope.peer.helo,
            protocol=envelope.peer.protocol,
            trusted=envelope.peer.trusted,
            received_at=now,
        )
    return list(mails.values())


def accept(connection: Connection, raw: bytes, mails: Sequence[NewMail]) -> None:
    """Take responsibility: commit 1. The caller answers 250 after the commit, 451 if it fails (RFC 5321 §6.1)."""
    incoming.add(connection, raw, mails)


def prepare_again(site: Site, mail: NewMail, raw: bytes) -> Prepared:
    """Prepare a mail that was accepted before a restart, from its row."""
    peer = Peer(host=mail.peer, port=0, helo=mail.helo, trusted=mail.trusted, tls=False, protocol=mail.protocol)
    return prepare(site, Envelope(reverse_path=mail.reverse_path, recipients=(mail.recipient,), peer=peer), raw)


def signs_of(site: Site, prepared: Prepared, reverse_path: str) -> Signs:
    """The automatic signs of a mail, with our own lists known as such."""
    return read_signs(prepared.header, reverse_path, prepared.parsed.subject, site.directory.list_ids, raw=prepared.raw)
