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


def processed(*, list_id: int, incoming: int, state: str, detail: str) -> None:
    """An accepted mail ended in a state."""
    _LOG.info("processed", list=list_id, incoming=incoming, state=state, detail=detail)


def failed(*, list_id: int, outgoing: int, address: str, reply: str) -> None:
    """A delivery failed for good."""
    _LOG.warning("failed", list=list_id, outgoing=outgoing, address=address, reply=reply)


def deferred(*, list_id: int, outgoing: int, reply: str) -> None:
    """A delivery will be tried again."""
    _LOG.info("deferred", list=list_id, outgoing=outgoing, reply=reply)


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


def repaired(*, list_id: int, action: str, post: int, by: str) -> None:
    """A person changed a conversation, or took such a change back."""
    _LOG.info("repaired", list=list_id, action=action, post=post, by=by)
