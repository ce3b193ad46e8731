"""Mails that we write ourselves, in the three header sets for answers, notices and staff.

An ANSWER goes to whoever wrote to us, with the null reverse-path; a NOTICE comes unasked to a member; STAFF goes to the
people who run a list. Their Message-ID carries the token of the question they ask, because some programs answer From
and ignore Reply-To.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum

from listserver.lists.model import MailingList
from listserver.lists.transform import identity_of
from listserver.mail.address import format_mailbox
from listserver.mail.compose import compose
from listserver.mail.listfields import list_fields, unsubscribe_fields
from listserver.render.environment import Templates
from listserver.render.textwidth import wrap


class HeaderSet(StrEnum):
    """Which fields a mail of ours carries."""

    answer = "answer"
    notice = "notice"
    staff = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail to be written: which template, to whom, with what values."""

    name: str
    header_set: HeaderSet
    alist: MailingList
    to_address: str
    to_name: str = ""
    language: str = "en"
    reply_to: str = ""
    token: str = ""
    unique: str
    answers_id: str | None = None
    answers_chain: tuple[str, ...] = ()
    unsubscribe: str = ""
    one_click: str = ""
    archive: str = ""
    """The list's own page, '' where there is none."""


def write_letter(templates: Templates, letter: Letter, values: Mapping[str, object], now: datetime) -> bytes:
    """The whole mail as bytes. Raises: ValueError when a value would break a header; jinja2's errors for a missing value."""
    alist = letter.alist
    shared = {
        "list": alist,
        "options": alist.options,
        "to_address": letter.to_address,
        "to_name": letter.to_name,
        "archive": letter.archive,
        "button": "",
        **values,
    }
    blocks = templates.render_blocks("mail", letter.language, f"{letter.name}.txt.j2", shared)
    closing = templates.render_blocks("mail", letter.language, "closing.txt.j2", shared)["text"]
    subject = " ".join(blocks["subject"].split())[:200]
    text = wrap(blocks["text"].strip("\n") + "\n\n-- \n" + closing.strip("\n") + "\n")
    fields = [
        ("From", _sender(letter)),
        ("To", format_mailbox(letter.to_name, letter.to_address)),
        ("Subject", subject),
        ("Date", format_datetime(now)),
        ("Message-ID", f"<{letter.name}-{letter.token or letter.unique}.{now:%Y%m%d%H%M%S}@{alist.host}>"),
        ("Auto-Submitted", "auto-replied" if letter.header_set is HeaderSet.answer else "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    if letter.reply_to:
        fields.append(("Reply-To", letter.reply_to))
    if letter.answers_id:
        fields.append(("In-Reply-To", letter.answers_id))
        chain = [*reversed(letter.answers_chain[:20]), letter.answers_id]
        fields.append(("References", " ".join(dict.fromkeys(chain))))
    mail = compose(fields, text)
    return _list_part(letter) + mail


def _sender(letter: Letter) -> str:
    alist = letter.alist
    if letter.header_set is HeaderSet.staff:
        return format_mailbox(f"{alist.short_name} moderation", alist.helper("owner"))
    return format_mailbox(f"{alist.short_name} helper", alist.helper("request"))


def _list_part(letter: Letter) -> bytes:
    """The List-* fields: the full set on notices, only Id and Help on answers and mail to staff."""
    fields = list_fields(identity_of(letter.alist, letter.archive))
    if letter.header_set is HeaderSet.notice:
        return fields + (unsubscribe_fields(letter.unsubscribe, letter.one_click) if letter.unsubscribe else b"")
    return b"".join(line + b"\r\n" for line in fields.split(b"\r\n") if line.startswith((b"List-Id:", b"List-Help:")))
