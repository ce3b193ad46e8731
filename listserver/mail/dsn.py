"""Delivery reports in their standard form (RFC 3464 in multipart/report, RFC 6522; internationalised, RFC 6533)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.bodytext import read_parameters
from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.message_id import read_message_id

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_MOST_PARTS = 20
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says of its first failed recipient, else of its first one; `message_id` of the mail it is about."""

    recipient: str
    action: str
    status: str
    diagnostic: str
    message_id: str | None = None


def read_report(raw: bytes, header: Header) -> Report | None:
    """Read a delivery report, or None when the mail is not one in standard form. Never raises."""
    kind, parameters = read_parameters(header.first("content-type"))
    boundary = parameters.get("boundary", "")
    if kind != "multipart/report" or not boundary:
        return None
    found: list[Report] = []
    returned: str | None = None
    marker = b"--" + boundary.encode("utf-8", "replace")
    for part in raw[header.size : header.size + _LARGEST].split(marker)[1:_MOST_PARTS]:
        content = part.lstrip(b" \t").removeprefix(b"\r\n").removeprefix(b"\n")
        fields = read_header(content)
        part_kind = read_parameters(fields.first("content-type"))[0]
        rest = content[fields.size :]
        if part_kind in ("message/delivery-status", "message/global-delivery-status"):
            found += _recipients(rest)
        elif part_kind in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"):
            returned = read_message_id(read_header(rest.lstrip(b"\r\n")).first("message-id"))
    if not found:
        return None
    worst = next((each for each in found if each.action == "failed"), found[0])
    return Report(
        recipient=worst.recipient, action=worst.action, status=worst.status, diagnostic=worst.diagnostic, message_id=returned
    )


def _recipients(content: bytes) -> list[Report]:
    """The groups of fields, one for each recipient, after the one for the message."""
    found = []
    for group in re.split(rb"\r?\n[ \t]*\r?\n", content.strip())[:200]:
        fields = read_header(group.strip() + b"\r\n")
        recipient = fields.first("final-recipient") or fields.first("original-recipient")
        if recipient is None:
            continue
        status = _STATUS.search(unfold(fields.first("status") or b"", 200))
        found.append(
            Report(
                recipient=unfold(recipient, 400).partition(";")[2].strip().strip("<>"),
                action=unfold(fields.first("action") or b"", 100).strip().lower(),
                status=status[1] if status else "",
                diagnostic=decode_text((fields.first("diagnostic-code") or b"")[:1000]).partition(";")[2].strip()[:400],
            )
        )
    return found
