"""Complaints: a person pressed “this is spam”, and their provider tells us (RFC 5965; Microsoft's older form).

A feedback report whose type is not a person's doing (a failed DMARC check, RFC 6591, or “this is no spam”) is no
complaint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.mime import Part, decode_transfer

_NO_COMPLAINT = frozenset(("not-spam", "auth-failure", "dkim", "dmarc"))
_LONGEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """Who complained, as far as the report says: many providers hide the address."""

    feedback_type: str
    recipient: str = ""


def read_complaint(raw: bytes, header: Header, parts: Sequence[Part]) -> Complaint | None:
    """Read a feedback report, or None when the mail is none, or no complaint. Limits: 64 KB of the report."""
    for part in parts:
        if part.kind == "message/feedback-report":
            content = decode_transfer(raw[part.start : min(part.end, part.start + 65_536)], part.encoding).data
            fields = read_header(content.lstrip(b"\r\n"))
            kind = unfold(fields.first("feedback-type") or b"abuse", 100).lower()
            if kind in _NO_COMPLAINT:
                return None
            recipient = decode_text(fields.first("original-rcpt-to") or fields.first("removal-recipient") or b"", _LONGEST)
            return Complaint(feedback_type=kind, recipient=recipient.rpartition(";")[2].strip("<> "))
    if header.count("x-hmxmroriginalrecipient"):  # the junk mail reporting of Outlook.com
        recipient = decode_text(header.first("x-hmxmroriginalrecipient") or b"", _LONGEST)
        return Complaint(feedback_type="abuse", recipient=recipient.strip("<> "))
    return None
