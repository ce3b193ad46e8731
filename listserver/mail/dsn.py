"""Delivery reports in their standard form (RFC 3464 in multipart/report, RFC 6522; internationalised, RFC 6533)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.bodytext import MAX_TEXT
from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.message_id import read_message_id
from listserver.mail.mime import Part, decode_transfer, read_parameters, read_parts

MAX_RECIPIENTS = 200
_LONGEST = 400
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BLANK_LINE = re.compile(rb"\n[ \t]*\r?\n")
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_PARTS = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers")
_UTF8_ESCAPE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


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


def read_report(raw: bytes, header: Header) -> Report | None:
    """Read a delivery report, or None when the mail is not one in standard form. Never raises. Limits: 200 recipients."""
    kind, parameters = read_parameters(header.first("content-type"))
    if kind != "multipart/report" or parameters.get("report-type", "delivery-status").lower() not in (
        "delivery-status",
        "global-delivery-status",
    ):
        return None
    found: list[RecipientReport] = []
    returned: str | None = None
    for part in read_parts(raw, header)[0]:
        if part.kind in _STATUS_PARTS and not found:
            found = _read_recipients(_content(raw, part))
        elif part.kind in _RETURNED_PARTS and returned is None:
            returned = read_message_id(read_header(_content(raw, part).lstrip(b"\r\n")).first("message-id"))
    return Report(recipients=tuple(found), message_id=returned) if found else None


def _content(raw: bytes, part: Part) -> bytes:
    return decode_transfer(raw[part.start : min(part.end, part.start + MAX_TEXT)], part.encoding).data


def _read_recipients(content: bytes) -> list[RecipientReport]:
    """The groups of fields, one for each recipient, after the one for the message (RFC 3464 §2.1)."""
    found: list[RecipientReport] = []
    for group in _BLANK_LINE.split(content, 2 * MAX_RECIPIENTS):
        fields = read_header(group.strip() + b"\r\n")
        recipient = _after_type(fields, "final-recipient")
        original = _after_type(fields, "original-recipient")
        if not recipient and not original:
            continue
        status = _STATUS.search(unfold(fields.first("status") or b"", 200))
        action = decode_text(fields.first("action") or b"", 100).lower().split()
        found.append(
            RecipientReport(
                recipient=recipient or original,
                original_recipient=original,
                action=action[0] if action else "",
                status=status[1] if status else "",
                diagnostic=_after_type(fields, "diagnostic-code"),
            )
        )
        if len(found) == MAX_RECIPIENTS:
            break
    return found


def _after_type(fields: Header, name: str) -> str:
    """The value behind a type such as `rfc822;` or `smtp;`; a missing type is forgiven. UTF-8 escapes: RFC 6533 §3."""
    text = decode_text(fields.first(name) or b"", 4 * _LONGEST)
    kind, semicolon, value = text.partition(";")
    value = value if semicolon and " " not in kind.strip() else text
    if kind.strip().lower() == "utf-8":
        value = _UTF8_ESCAPE.sub(lambda match: _character(match[1]), value)
    value = " ".join(value.split())[:_LONGEST]
    return value.removeprefix("<").removesuffix(">") if name.endswith("recipient") else value


def _character(digits: str) -> str:
    code = int(digits, 16)
    return chr(code) if 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code < 0x110000 else "\ufffd"
