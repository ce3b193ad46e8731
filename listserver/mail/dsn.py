"""Delivery reports in their standard form (RFC 3464 in multipart/report, RFC 6522; internationalised, RFC 6533).

Read forgivingly: reports come in multipart/mixed, encoded, without the blank line between their groups, with a blank
line too many. The report is about what it says; which member it is about, says the return-path that it came to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.message_id import read_message_id
from listserver.mail.mime import Part, decode_transfer, read_parts

MAX_RECIPIENTS = 200
MAX_REPORT = 200_000  # octets of a report that are read
_LONGEST = 1_000  # characters of a diagnostic
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\d)")
_COMMENT = re.compile(r"\(([^()]+)\)")
_BLANK_LINE = re.compile(rb"\n(?:[ \t]*\r?\n)+")
_FINAL_RECIPIENT = re.compile(rb"(?:^|\n)(?=final-recipient[ \t]*:)", re.I)
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
RETURNED_PARTS = frozenset(
    ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers", "text/rfc822")
)
_UTF8_ESCAPE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ACTIONS = {
    "failure": "failed",
    "error": "failed",
    "expired": "failed",
    "undeliverable": "failed",
    "fail": "failed",
    "delay": "delayed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """What a report says of one recipient: addresses without their type, the action lower-cased (RFC 3464 §2.3)."""

    recipient: str
    original_recipient: str = ""
    action: str = ""
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A delivery report; `message_id` is that of the mail it is about, where it came back with the report."""

    recipients: tuple[RecipientReport, ...]
    message_id: str | None = None

    @property
    def worst(self) -> RecipientReport:
        """The first recipient that failed, else the first one."""
        return next((each for each in self.recipients if each.action == "failed"), self.recipients[0])

    @property
    def recipient(self) -> str:
        """The address that the worst of the reports is about."""
        return self.worst.recipient

    @property
    def action(self) -> str:
        """What happened to it: failed, delayed, delivered, relayed or expanded."""
        return self.worst.action

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), '' where none can be read."""
        return self.worst.status

    @property
    def diagnostic(self) -> str:
        """What the other system said."""
        return self.worst.diagnostic


def read_report(raw: bytes, header: Header, parts: Sequence[Part] | None = None) -> Report | None:
    """Read a delivery report, or None when there is none in standard form. Never raises.

    Limits: 200 recipients, 200 KB of report, and those of `mime.read_parts`, which is asked unless `parts` are given.
    """
    found: list[RecipientReport] = []
    for part in read_parts(raw, header)[0] if parts is None else parts:
        if part.kind in _STATUS_PARTS and not found:
            found = read_recipients(_content(raw, part))
    if not found:
        return None
    return Report(recipients=tuple(found), message_id=returned_message_id(raw, header, parts))


def returned_message_id(raw: bytes, header: Header, parts: Sequence[Part] | None = None) -> str | None:
    """The Message-ID of the mail that came back with a report, where it did."""
    for part in read_parts(raw, header)[0] if parts is None else parts:
        if part.kind in RETURNED_PARTS:
            return read_message_id(read_header(_content(raw, part).lstrip(b"\r\n")).first("message-id"))
    return None


def _content(raw: bytes, part: Part) -> bytes:
    return decode_transfer(raw[part.start : min(part.end, part.start + MAX_REPORT)], part.encoding).data


def read_recipients(content: bytes) -> list[RecipientReport]:
    """The groups of fields, one for each recipient, after the one for the message (RFC 3464 §2.1)."""
    found: list[RecipientReport] = []
    for piece in _split_groups(content):
        fields = read_header(piece.strip() + b"\r\n")
        final = _after_type(fields, "final-recipient")
        original = _after_type(fields, "original-recipient")
        read = RecipientReport(
            recipient=final or original,
            original_recipient=original,
            action=_read_action(fields),
            status=_read_status(fields),
            diagnostic=_after_type(fields, "diagnostic-code") or _comment(fields),
        )
        previous = found[-1] if found else None
        if previous is not None and not (previous.action and previous.status) and (not final or not previous.action):
            found[-1] = _join(previous, read)  # split by a blank line too many, or Original- and Final-Recipient of one
        elif read.recipient:
            found.append(read)
        if len(found) == MAX_RECIPIENTS:
            break
    return [each for each in found if each.action or each.status or each.diagnostic]


def _split_groups(content: bytes) -> list[bytes]:
    """The groups between blank lines; one that holds several final recipients is several (some programs forget the line)."""
    groups: list[bytes] = []
    for group in _BLANK_LINE.split(content.strip(), 3 * MAX_RECIPIENTS)[: 3 * MAX_RECIPIENTS]:
        starts = [match.start() for match in _FINAL_RECIPIENT.finditer(group)]
        cuts = [0, *starts[1:], len(group)] if len(starts) > 1 else [0, len(group)]
        groups += [group[start:end] for start, end in pairwise(cuts)]
    return groups


def _join(one: RecipientReport, other: RecipientReport) -> RecipientReport:
    return RecipientReport(
        recipient=other.recipient or one.recipient,
        original_recipient=one.original_recipient or other.original_recipient,
        action=one.action or other.action,
        status=one.status or other.status,
        diagnostic=one.diagnostic or other.diagnostic,
    )


def _read_action(fields: Header) -> str:
    words = decode_text(fields.first("action") or b"", 100).lower().replace("(", " ").split()
    return _ACTIONS.get(words[0], words[0]) if words else ""


def _read_status(fields: Header) -> str:
    match = _STATUS.search(unfold(fields.first("status") or b"", 200))
    return match[1] if match else ""


def _comment(fields: Header) -> str:
    """What stands in brackets behind the status: `5.0.0 (recipient reached disk quota)`."""
    match = _COMMENT.search(unfold(fields.first("status") or b"", 400))
    return match[1].strip() if match else ""


def _after_type(fields: Header, name: str) -> str:
    """The value behind a type such as `rfc822;` or `smtp;`; a missing type is forgiven. UTF-8 escapes: RFC 6533 §3."""
    text = decode_text(fields.first(name) or b"", 4 * _LONGEST)
    kind, semicolon, value = text.partition(";")
    value = value if semicolon and " " not in kind.strip() else text
    if kind.strip().lower() == "utf-8":
        value = _UTF8_ESCAPE.sub(lambda match: _character(match[1]), value)
    value = " ".join(value.split())[:_LONGEST]
    return value.strip("<> ") if name.endswith("recipient") else value


def _character(digits: str) -> str:
    code = int(digits, 16)
    return chr(code) if 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code < 0x110000 else "\ufffd"
