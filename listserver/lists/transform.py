"""The one closed table of edits that a list makes to a copy; whatever is not named here leaves byte for byte as it came.

*Removed*: Return-Path, Bcc, every incoming List-* field and Archived-At, requests for receipts, `Approved`, and
Authentication-Results that claim our name. *Added on top*: the List-* set, Archived-At, our loop mark; below:
`Precedence: list`, X-Auto-Response-Suppress. Loop marks of other servers stay, for they must know their mail when it
comes back. *By policy*: Reply-To and From (`lists.dmarc` decides), a Message-ID only where none can be read, and, only if
the owner turned them on, a subject prefix, a footer, and attachments left out
(`lists.attachments`). The footer is added to a single text/plain part that is not
encoded and whose charset can hold it; other messages leave without it, because re-encoding would touch what people wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from listserver.lists.attachments import left_out, strip
from listserver.lists.model import ListOptions, MailingList
from listserver.mail.address import Mailbox, format_mailbox
from listserver.mail.automatic import OWN_MARK
from listserver.mail.headers import Header, decode_text, edit_header, encode_phrase, read_header, unfold, write_field
from listserver.mail.listfields import ListIdentity, list_fields
from listserver.mail.message_id import read_message_id

REMOVED = frozenset(
    (
        "return-path",
        "bcc",
        "disposition-notification-to",
        "return-receipt-to",
        "x-confirm-reading-to",
        "approved",
        "archived-at",
    )
)
_ADDED = frozenset(
    (
        "precedence",
        "x-auto-response-suppress",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "list-id",
        "list-post",
        "list-help",
        "list-owner",
        "list-subscribe",
        "list-archive",
        OWN_MARK,
    )
)
_RESULTS = "authentication-results"
# Charsets of one octet a character that write ASCII as ASCII.
_HOLDS_ASCII = re.compile(r"us-ascii|utf-8|iso-8859-\d{1,2}|windows-125\d")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:+-]+)", re.I)
_AUTHSERV_ID = re.compile(r'\s*(?:\([^()]*\)\s*)*"?([^\s;"()]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFields:
    """Which fields (lower-case names) the list adds, changes or removes, and whether it touches the body."""

    names: frozenset[str]
    body_changed: bool


def edited_fields(options: ListOptions, header: Header, *, rewrite: bool, strips: bool = False) -> EditedFields:
    """What the list's edits touch in this message, for the prediction of signatures (`lists.dmarc`).

    `strips`: attachments of this message are left out.

    Invariant: every field in which `copy_content` differs from the message is named.
    """
    names = set(REMOVED | _ADDED) | {field.name for field in header.fields if field.name.startswith("list-")}
    if options.reply_to == "list" or (rewrite and not header.count("reply-to")):
        names.add("reply-to")
    if rewrite:
        names.add("from")
    if _prefixed(options, header) is not None:
        names.add("subject")
    if read_message_id(header.first("message-id")) is None:
        names.add("message-id")
    if header.count(_RESULTS):
        names.add(_RESULTS)  # perhaps one in our name
    return EditedFields(names=frozenset(names), body_changed=strips or _takes_footer(options.footer, header))


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFactsForCopy:
    """What the copies of one post say of it, beside its own bytes."""

    message_id: str
    reply_token: str
    author: Mailbox | None
    rewrite_author: bool
    hostname: str
    archived_at: str = ""
    archive: str = ""


def copy_content(alist: MailingList, raw: bytes, header: Header, facts: PostFactsForCopy) -> bytes:
    """The content that all copies of one post share: the list's fields, the edited header section, the body.

    What differs for each member is `listfields.unsubscribe_fields`, written before it.
    """
    if alist.options.attachments == "strip" and left_out(raw, header):
        raw = strip(raw, header)
        header = read_header(raw)
    top = list_fields(identity_of(alist, facts.archive), archived_at=facts.archived_at)
    mark = f"{_MARK_NAME}: {alist.list_id}\r\n".encode()
    kept = replace(header, fields=tuple(f for f in header.fields if not _is_forged(f.name, f.raw, facts.hostname)))
    remove = REMOVED | {f.name for f in header.fields if f.name.startswith("list-")} | {""}
    head = edit_header(raw, kept, remove=remove, replace=_changed(alist, header, facts))
    if not head.endswith(b"\n"):
        head += b"\r\n"
    body = raw[header.end :] if header.size > header.end else b"\r\n" + raw[header.end :]
    if _takes_footer(alist.options.footer, header):
        body = _with_footer(body, alist.options.footer)
    return top + mark + head + body


def _changed(alist: MailingList, header: Header, facts: PostFactsForCopy) -> dict[str, bytes]:
    """The fields that are written anew, by name."""
    options, author = alist.options, facts.author
    changed = {
        "precedence": write_field("Precedence", "list"),
        "x-auto-response-suppress": write_field("X-Auto-Response-Suppress", "OOF, AutoReply"),
    }
    if options.reply_to == "list":
        changed["reply-to"] = write_field("Reply-To", format_mailbox(f"{alist.short_name} (everyone)", alist.address))
    elif facts.rewrite_author and author is not None and header.first("reply-to") is None:
        changed["reply-to"] = write_field("Reply-To", format_mailbox(author.name, str(author.address)))
    if facts.rewrite_author and author is not None:
        shown = f"{author.name or author.address.local} via {alist.short_name}"
        changed["from"] = write_field("From", format_mailbox(shown, alist.with_token("r", facts.reply_token)))
    if read_message_id(header.first("message-id")) is None:
        changed["message-id"] = write_field("Message-ID", facts.message_id)
    subject = _prefixed(options, header)
    if subject is not None:
        changed["subject"] = subject
    return changed


_MARK_NAME = "X-Listserver-Loop"


def identity_of(alist: MailingList, archive: str = "") -> ListIdentity:
    """What the List-* fields say of a list."""
    return ListIdentity(
        name=alist.name,
        list_id=alist.list_id,
        post=alist.address,
        join=alist.helper("join"),
        help=alist.helper("help"),
        owner=alist.helper("owner"),
        archive=archive,
    )


def pass_on(raw: bytes, header: Header, *, reply_to: str) -> bytes:
    """A mail to the owners as it is passed on to them: unchanged but for Reply-To, and receipts that nobody should send."""
    changed = {"reply-to": write_field("Reply-To", reply_to)} if reply_to and header.first("reply-to") is None else {}
    remove = REMOVED | {""}
    return edit_header(raw, header, remove=remove, replace=changed) + raw[header.end :]


def _is_forged(name: str, field: bytes, hostname: str) -> bool:
    """An Authentication-Results field that claims to be ours (RFC 8601 §5)."""
    if name != _RESULTS:
        return False
    authserv = _AUTHSERV_ID.match(unfold(field.partition(b":")[2], 500))
    return authserv is not None and authserv[1].lower() == hostname.lower()


def _prefixed(options: ListOptions, header: Header) -> bytes | None:
    """The subject with the list's prefix before the author's own bytes, or None when there is nothing to change."""
    prefix = " ".join(options.subject_prefix.split())
    body = header.first("subject")
    if not prefix or (body is not None and prefix in decode_text(body)):
        return None
    # Within the encoded word, because white space between two encoded words is not shown (RFC 2047 §6.2).
    written = prefix if prefix.isascii() else encode_phrase(f"{prefix} ")
    given = (body or b"").strip(b" \t\r\n")
    first = given.partition(b"\n")[0]
    gap = b" " if len(written) + len(first) < 65 else b"\r\n "
    return b"Subject: " + written.encode("ascii") + (gap + given if given else b"") + b"\r\n"


def _takes_footer(footer: str, header: Header) -> bool:
    """Whether the footer can stand behind the text as it is: one part, not encoded, in a charset that holds it."""
    if not footer.strip() or header.count("content-type") > 1:
        return False
    kind = unfold(header.first("content-type") or b"text/plain", 500)
    if kind.partition(";")[0].strip().lower() != "text/plain":
        return False
    found = _CHARSET.search(kind)
    charset = found[1].lower() if found else "us-ascii"
    encoding = unfold(header.first("content-transfer-encoding") or b"7bit", 100).lower()
    if footer.isascii():
        return encoding in ("7bit", "8bit") and _HOLDS_ASCII.fullmatch(charset) is not None
    return encoding == "8bit" and charset == "utf-8"


def _with_footer(body: bytes, footer: str) -> bytes:
    """The footer under a rule of three characters, which screen readers bear."""
    lines = "\r\n".join(footer.strip().splitlines()).encode("utf-8", "replace")
    return body + (b"" if body.endswith(b"\n") else b"\r\n") + b"___\r\n" + lines + b"\r\n"
