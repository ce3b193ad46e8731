"""What the log says: a vocabulary of functions, each one line of key=value; people alert on these words.

No bodies, subjects or tokens; addresses only where the event is about them.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO, cast

import structlog

_LOG = structlog.get_logger("listserver")


class _StandardError:
    """Standard error as it is when something is written, not as it was when the log was set up."""

    def write(self, text: str) -> int:
        """Write to what it is now."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush what it is now."""
        sys.stderr.flush()


def configure(log_format: str, level: str) -> None:
    """Write to standard error: text on a terminal, else one JSON document a line."""
    as_text = log_format == "text" or (not log_format and sys.stderr.isatty())
    shared: list[Any] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if as_text
        else structlog.processors.JSONRenderer()
    )
    closing = [renderer] if as_text else [structlog.processors.format_exc_info, renderer]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, *closing],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", _StandardError()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *closing]
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in ("mail.log", "alembic"):  # aiosmtpd and Alembic talk about themselves
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # what its detectors stumble over is caught, and no news


# Every word that begins a line, and what it says; docs/monitoring.md lists them, and they never change silently.
WORDS = {
    "listening": "the doors are open: addresses, relay",
    "stopping": "the service was told to stop, and drains",
    "warning": "a setting, or the state of the machine, needs a look today",
    "accepted": "a mail was taken, after it was stored: id, peer, protocol, octets, recipients, reply, ms",
    "refused": "a recipient or a mail was refused: peer, recipient, reply",
    "processed": "an accepted mail came to its end: incoming, list, state, post, detail, ms",
    "held": "an accepted mail waits for a person: the same fields",
    "bounced": "a delivery report was read: the same fields",
    "queued": "the copies of a post wait to leave: list, post, outgoing, copies",
    "attempted": "a batch of copies was tried: copies, delivered, deferred, failed, ms",
    "delivered": "copies of one mail left: list, outgoing, copies",
    "deferred": "copies of one mail will be tried again: list, outgoing, copies, reply (of one of them)",
    "failed": "a delivery failed for good: list, outgoing, address, reply",
    "subscribed": "a membership began: list, member",
    "unsubscribed": "a membership ended: list, member",
    "suspended": "email to a member was paused, because it came back too often: list, member",
    "digest_sent": "a digest went to the outbox: list, member, posts",
    "imported": "an archive became posts: list, posts, skipped, quarantined, seconds",
    "repaired": "a person changed a conversation, or took that back: list, action, post, by",
    "digest_failed": "our fault: a digest could not be made; it is tried again: list, member",
    "accept_failed": "our fault: a mail could not be stored, its sender was told to come back",
    "processing_failed": "our fault: an accepted mail could not be worked; tried three times, then quarantined",
    "processing_postponed": "the database is away: accepted mail waits until it is back",
    "claim_postponed": "the database is away: the outbox waits until it is back",
    "record_postponed": "the database is away: outcomes are kept until it is back",
    "not_built": "our fault: the copies of a mail could not be built; they are tried again: list, outgoing",
    "delivery_failed": "our fault: a batch could not be built or recorded; its leases end, and it is tried again",
    "tick_failed": "our fault: a clock's work failed; the next tick comes all the same",
    "tick_postponed": "the database is away: a clock's work waits until it is back",
    "rollback_failed": "our fault, or the disk's: a failed transaction could not be taken back; the connection is given up",
    "page_failed": "our fault: a page could not be made",
    "gate_failed": "our fault: a mail could not be taken, its sender was told to come back",
    "dialogue_failed": "our fault: an SMTP dialogue broke off",
    "closed": "a dialogue was ended by us: peer, reply",
    "turned_away": "a peer was refused at the door, because of a limit: peer, reply",
    "starttls_failed": "a peer did not get through the TLS handshake: peer, problem",
    "starttls_injection": "a peer sent commands in clear behind STARTTLS, which were thrown away: peer, octets",
}
_STATES_WITH_A_WORD = {"held": "held", "bounce": "bounced"}


def listening(*, addresses: object, relay: str) -> None:
    """The doors are open."""
    _LOG.info(
        "listening",
        addresses=[str(each) for each in addresses] if isinstance(addresses, (list, tuple)) else str(addresses),
        relay=relay,
    )


def stopping() -> None:
    """The service was told to stop and drains."""
    _LOG.info("stopping")


def warning(text: str) -> None:
    """Someone should look today."""
    _LOG.warning("warning", text=text)


def accepted(*, id: str, peer: object, protocol: str, octets: int, recipients: int, reply: str, ms: int) -> None:
    """A mail was taken; it is stored by now."""
    _LOG.info("accepted", id=id, peer=str(peer), protocol=protocol, octets=octets, recipients=recipients, reply=reply, ms=ms)


def refused(*, peer: object, recipient: str, reply: str) -> None:
    """A recipient, or with '' a whole mail, was refused."""
    _LOG.info("refused", peer=str(peer), recipient=recipient, reply=reply)


def processed(*, list_id: int, incoming: int, state: str, detail: str, post: int | None = None, ms: int = 0) -> None:
    """An accepted mail ended in a state; `held` and `bounced` are words of their own."""
    _LOG.info(
        _STATES_WITH_A_WORD.get(state, "processed"), list=list_id, incoming=incoming, state=state, post=post, detail=detail, ms=ms
    )


def queued(*, list_id: int, post: int, outgoing: int, copies: int) -> None:
    """The copies of a post wait to leave."""
    _LOG.info("queued", list=list_id, post=post, outgoing=outgoing, copies=copies)


def attempted(*, copies: int, delivered: int, deferred: int, failed: int, ms: int) -> None:
    """A batch of copies was tried."""
    _LOG.info("attempted", copies=copies, delivered=delivered, deferred=deferred, failed=failed, ms=ms)


def delivered(*, list_id: int, outgoing: int, copies: int) -> None:
    """Copies of one mail left."""
    _LOG.info("delivered", list=list_id, outgoing=outgoing, copies=copies)


def failed(*, list_id: int, outgoing: int, address: str, reply: str) -> None:
    """A delivery failed for good."""
    _LOG.warning("failed", list=list_id, outgoing=outgoing, address=address, reply=reply)


def deferred(*, list_id: int, outgoing: int, copies: int, reply: str) -> None:
    """Copies of one mail will be tried again; the reply is that to one of them."""
    _LOG.info("deferred", list=list_id, outgoing=outgoing, copies=copies, reply=reply)


def bounced(*, list_id: int, member: int, weight: str, status: str) -> None:
    """A mail to a member came back."""
    _LOG.info("bounced", list=list_id, member=member, weight=weight, status=status)


def suspended(*, list_id: int, member: int) -> None:
    """Mail to a member stopped, because it comes back."""
    _LOG.info("suspended", list=list_id, member=member)


def subscribed(*, list_id: int, member: int) -> None:
    """A membership began."""
    _LOG.info("subscribed", list=list_id, member=member)


def unsubscribed(*, list_id: int, member: int) -> None:
    """A membership ended."""
    _LOG.info("unsubscribed", list=list_id, member=member)


def digest_failed(*, list_id: int, member: int) -> None:
    """A digest could not be made; it is tried again."""
    _LOG.error("digest_failed", list=list_id, member=member, exc_info=True)


def digest_sent(*, list_id: int, member: int, posts: int) -> None:
    """A digest went to the outbox."""
    _LOG.info("digest_sent", list=list_id, member=member, posts=posts)


def imported(*, list_id: int, posts: int, skipped: int, quarantined: int, seconds: float) -> None:
    """An archive became posts."""
    _LOG.info("imported", list=list_id, posts=posts, skipped=skipped, quarantined=quarantined, seconds=seconds)


def repaired(*, list_id: int, by: str, what: str) -> None:
    """A person changed a conversation, or took such a change back; `what` names posts by number."""
    _LOG.info("repaired", list=list_id, by=by, what=what)
