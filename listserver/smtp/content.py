"""What happens to the octets of a message at the door, once and for all: everything behind it sees clean CRLF lines.

Only CRLF . CRLF ends the content (RFC 5321 §4.1.1.4); whatever else looks like an end to some other server is content.
Lone CR and LF then become CRLF, before anything is hashed or stored, so that no later hop can read an end of data into
them ("SMTP smuggling"). Pure: bytes in, bytes or a refusal out.

The one surprise: NUL is refused to the outside (RFC 5321 §4.5.2 never allowed it), but from a trusted peer it is taken
out and the trace field says so. Our own MTA has accepted that mail already; a refusal would make it send a bounce to a
sender who may be forged, and text with NULs taken out is what mail programs show anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from listserver.mail.envelope import Envelope
from listserver.mail.reply import Reply
from listserver.smtp.limits import Limits

_END = b"\r\n.\r\n"

TOO_BIG = Reply(code=552, enhanced="5.3.4", text="The message is larger than this site accepts")
_HAS_NUL = Reply(code=554, enhanced="5.6.0", text="The message contains NUL octets, which mail does not allow")
_LONG_LINE = Reply(code=554, enhanced="5.6.0", text="The message has a line that is too long to be read")
_LOOP = Reply(code=554, enhanced="5.4.6", text="The message has passed too many servers; it seems to run in a loop")


class Collector:
    """Collects the content of one message, however it is cut into pieces.

    Limits: keeps no more than a third above `limit` (what dot-stuffing can add at most); of larger content only the
    last octets are kept, to find its end.
    """

    __slots__ = ("_held", "_searched", "limit", "overflow", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.overflow: Reply | None = None
        self._held = bytearray(b"\r\n")  # the content begins at the beginning of a line: '.' CRLF alone is an empty message
        self._searched = 0

    def feed(self, incoming: bytearray) -> bool:
        """Take from `incoming` what belongs to the content; True when its end was found. What follows the end stays."""
        held = self._held
        before = len(held)
        held += incoming
        incoming.clear()
        end = held.find(_END, self._searched)
        if end >= 0:
            incoming += memoryview(held)[end + 5 :]
            del held[end + 2 :]
            self.size += len(held) - before
            return True
        self.size += len(held) - before
        if self.overflow is None and len(held) > self.limit + self.limit // 3 + 7:
            self.overflow = TOO_BIG
        if self.overflow is not None:
            del held[:-4]
        self._searched = max(0, len(held) - 4)
        return False

    def give_up(self, reply: Reply) -> None:
        """Keep nothing more; the peer gets `reply` after its final dot (RFC 5321 §4.2.5)."""
        self.overflow = self.overflow or reply

    @property
    def held(self) -> int:
        """How many octets are in memory."""
        return len(self._held)

    def content(self) -> bytes | Reply:
        """The message without its dot-stuffing (RFC 5321 §4.5.2), or why there is none."""
        if self.overflow is not None:
            return self.overflow
        content = bytes(self._held).replace(b"\r\n.", b"\r\n")[2:]
        return TOO_BIG if len(content) > self.limit else content


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Clean content. `note` tells in the trace field what was taken out."""

    raw: bytes
    note: str = ""


def admit(content: bytes, *, trusted: bool, limits: Limits) -> Admitted | Reply:
    """Clean the content of one message, or say why it is refused.

    Invariant: a trusted peer is never refused here; loops and endless lines from it are left to those behind the door.
    """
    note = ""
    if b"\0" in content:
        if not trusted:
            return _HAS_NUL
        note = f"{content.count(0)} NUL octets taken out"
        content = content.replace(b"\0", b"")
    content = normalise_line_ends(content)
    if not trusted:
        if has_line_over(content, limits.line_octets):
            return _LONG_LINE
        if count_received(content) > limits.received_fields:
            return _LOOP
    return Admitted(raw=content, note=note)


def normalise_line_ends(content: bytes) -> bytes:
    """Turn every lone CR and lone LF into CRLF.

    CR CR LF, which some mail programs write on Windows, is one line end and not two: two of them in a header would end it.
    Linear: a handful of passes over the octets, and none of them when there is nothing to do.
    """
    ends = content.count(b"\r\n")
    if content.count(b"\n") == ends and content.count(b"\r") == ends:
        return content
    lines = content.replace(b"\r\r\n", b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return lines.replace(b"\n", b"\r\n")


def has_line_over(content: bytes, limit: int) -> bool:
    """Whether a line is longer than `limit`; jumps from line end to line end, so it costs nothing for usual mail."""
    start = 0
    while len(content) - start > limit:
        end = content.rfind(b"\n", start, start + limit)
        if end < 0:
            return True
        start = end + 1
    return False


def count_received(raw: bytes) -> int:
    """How many Received fields the header has (RFC 5321 §6.3). Expects CRLF lines."""
    end = raw.find(b"\r\n\r\n")
    head = (raw if end < 0 else raw[:end]).lower()
    return head.count(b"\nreceived:") + head.startswith(b"received:")


def write_trace(envelope: Envelope, *, hostname: str, identifier: str, now: datetime, note: str = "") -> bytes:
    """Write our Received field (RFC 5321 §4.4), with the protocol words of RFC 3848 and RFC 6531 §4.3.

    The recipient is named only when there is one, so that nobody sees who else got a copy (RFC 5321 §7.2).
    """
    peer = envelope.peer
    origin = f"[{'IPv6:' if ':' in peer.host else ''}{peer.host}]" if peer.host else "local socket"
    recipient = envelope.recipients[0] if len(envelope.recipients) == 1 else ""
    named = f"\r\n\tfor <{recipient}>" if recipient.isascii() and recipient else ""
    comment = f"\r\n\t({note})" if note else ""
    return (
        f"Received: from {peer.helo} ({origin})\r\n\tby {hostname} with {peer.protocol} id {identifier}"
        f"{named}{comment};\r\n\t{format_datetime(now)}\r\n"
    ).encode("ascii", "replace")
