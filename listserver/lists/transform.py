"""The one closed table of edits that a list makes to a copy; whatever is not named here leaves byte for byte as it came.

*Removed*: Return-Path, Bcc, every incoming List-* field and Archived-At, requests for receipts, `Approved`, our own loop
mark, and Authentication-Results that claim our name. *Added on top*: the List-* set, Archived-At, `Precedence: list`,
X-Auto-Response-Suppress and our loop mark. *By policy*: Reply-To and From (`lists.dmarc` decides), a Message-ID only
where none is, and, only if the owner turned them on, a subject prefix and a footer. The footer is added to a single
text/plain part that is not encoded; other messages leave without it, because re-encoding would touch what people wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from listserver.lists.model import ListOptions, MailingList
from listserver.mail.address import Mailbox, format_mailbox
from listserver.mail.automatic import OWN_MARK
from listserver.mail.headers import Header, decode_text, edit_header, unfold, write_field
from listserver.mail.listfields import ListIdentity, list_fields

REMOVED = frozenset(
    (
        "return-path",
        "bcc",
        "disposition-notification-to",
        "return-receipt-to",
        "x-confirm-reading-to",
        "approved",
        "archived-at",
        OWN_MARK,
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
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedFields:
    """Which fields (lower-case names) the list adds, changes or removes, and whether it touches the body."""

    names: frozenset[str]
    body_changed: bool


def edited_fields(options: ListOptions, header: Header, *, rewrite: bool) -> EditedFields:
    """What the list's edits touch in this message, for the prediction of signatures (`lists.dmarc`)."""
    names = set(REMOVED | _ADDED) | {field.name for field in header.fields if field.name.startswith("list-")}
    if options.reply_to == "list" or rewrite:
        names.add("reply-to")
    if rewrite:
        names.add("from")
    if options.subject_prefix and _prefixed(options, header) is not None:
        names.add("subject")
    if header.first("message-id") is None:
        names.add("message-id")
    return EditedFields(names=frozenset(names), body_changed=bool(options.footer) and _takes_footer(header))


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
    """The content that all copies of one post share: the list's fields, the edited header section, the body."""
    options = alist.options
    changed: dict[str, bytes] = {
        "precedence": write_field("Precedence", "list"),
        "x-auto-response-suppress": write_field("X-Auto-Response-Suppress", "OOF, AutoReply"),
    }
    if options.reply_to == "list":
        changed["reply-to"] = write_field("Reply-To", format_mailbox(f"{alist.short_name} (everyone)", alist.address))
    elif facts.rewrite_author and facts.author is not None and header.first("reply-to") is None:
        changed["reply-to"] = write_field("Reply-To", format_mailbox(facts.author.name, str(facts.author.address)))
    if facts.rewrite_author and facts.author is not None:
        shown = facts.author.name or facts.author.address.local
        changed["from"] = write_field(
            "From", format_mailbox(f"{shown} via {alist.short_name}", alist.with_token("r", facts.reply_token))
        )
    if header.first("message-id") is None:
        changed["message-id"] = f"Message-ID: {facts.message_id}\r\n".encode()
    subject = _prefixed(options, header)
    if subject is not None:
        changed["subject"] = write_field("Subject", subject)
    top = (
        list_fields(identity_of(alist, facts.archive), archived_at=facts.archived_at)
        + f"{_MARK_NAME}: {alist.list_id}\r\n".encode()
    )
    kept = replace(header, fields=tuple(f for f in header.fields if not _is_forged(f.name, f.raw, facts.hostname)))
    remove = REMOVED | {f.name for f in header.fields if f.name.startswith("list-")} | {""}
    head = edit_header(raw, kept, remove=remove, replace=changed)
    body = raw[header.end :] if header.size > header.end else b"\r\n" + raw[header.end :]
    if options.footer and _takes_footer(header):
        body = _with_footer(body, options.footer)
    return top + head + body


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
    if name != "authentication-results":
        return False
    authserv = unfold(field.partition(b":")[2], 500).partition(";")[0].split()
    return bool(authserv) and authserv[0].lower() == hostname.lower()


def _prefixed(options: ListOptions, header: Header) -> str | None:
    """The subject with the list's prefix, or None when there is nothing to change."""
    if not options.subject_prefix:
        return None
    subject = decode_text(header.first("subject") or b"", 900)
    return None if options.subject_prefix in subject else f"{options.subject_prefix} {subject}"


def _takes_footer(header: Header) -> bool:
    kind = unfold(header.first("content-type") or b"text/plain", 500).lower()
    encoding = unfold(header.first("content-transfer-encoding") or b"7bit", 100).strip().lower()
    return (
        kind.startswith("text/plain")
        and encoding in ("7bit", "8bit")
        and ("charset" not in kind or "utf-8" in kind or "us-ascii" in kind)
    )


def _with_footer(body: bytes, footer: str) -> bytes:
    text = footer.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    return body + (b"" if body.endswith(b"\r\n") else b"\r\n") + b"_____\r\n" + text + b"\r\n"
