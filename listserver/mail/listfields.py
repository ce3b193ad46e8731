"""The fields that a list adds: List-* (RFC 2369, 2919), one-click leaving (RFC 8058), Archived-At (RFC 5064).

Addresses never become encoded words and are never broken; a long field is folded between its items only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from listserver.mail.address import ascii_domain, format_mailbox
from listserver.mail.headers import write_field

_IN_MAILTO = "@:+!$'()*,"  # beside letters, digits and -._~ (RFC 6068 §2)
_IN_URL = ":/?#[]@!$&'()*+,;=%"
_PLAIN_MAILTO = re.compile(r"[A-Za-z0-9._~+-]+@[A-Za-z0-9.-]+")
_PLAIN_URL = re.compile(r"https://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIdentity:
    """What the fields say of a list. `archive` is '' where there is none to point at."""

    name: str
    list_id: str
    post: str
    join: str
    help: str
    owner: str
    archive: str = ""


def list_fields(identity: ListIdentity, *, archived_at: str = "") -> bytes:
    """The fields that are the same for every member: all but List-Unsubscribe.

    Raises: ValueError on a line end or NUL, or an address too long for one line.
    """
    fields = [
        write_field("List-Id", _list_id(identity)),
        write_field("List-Post", f"<{_mailto(identity.post)}>"),
        write_field("List-Help", f"<{_mailto(identity.help)}>"),
        write_field("List-Owner", f"<{_mailto(identity.owner)}>"),
        write_field("List-Subscribe", f"<{_mailto(identity.join)}>"),
    ]
    if identity.archive:
        fields.append(write_field("List-Archive", f"<{_url(identity.archive)}>"))
    if archived_at:
        fields.append(write_field("Archived-At", f"<{_url(archived_at)}>"))
    return b"".join(fields)


def unsubscribe_fields(mailto: str, one_click: str = "") -> bytes:
    """List-Unsubscribe of one member; with an https address also List-Unsubscribe-Post (RFC 8058 §3.1).

    It is built for every copy, so the usual case costs little more than joining the texts.
    """
    address = f"mailto:{mailto}" if _PLAIN_MAILTO.fullmatch(mailto) else _mailto(mailto)
    if not one_click.startswith("https://"):
        return f"List-Unsubscribe: <{address}?subject=leave>\r\n".encode("ascii")
    url = one_click if _PLAIN_URL.fullmatch(one_click) else _url(one_click)
    return (
        f"List-Unsubscribe: <{url}>,\r\n <{address}?subject=leave>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    ).encode("ascii")


def _list_id(identity: ListIdentity) -> str:
    """A phrase and the machine name, whose characters are ASCII (RFC 2919 §2)."""
    machine_name = ascii_domain(identity.list_id)
    written = format_mailbox(identity.name, machine_name)
    return written if written.endswith(">") else f"<{machine_name}>"


def _mailto(address: str) -> str:
    """An address as a URI: percent-encoded where needed, the domain in its ASCII form (RFC 6068 §2)."""
    local, _sign, domain = _without_line_ends(address).rpartition("@")
    return f"mailto:{quote(local, safe=_IN_MAILTO)}@{quote(ascii_domain(domain), safe='[:]')}"


def _url(url: str) -> str:
    """A URL in printable ASCII, which cannot leave its angle brackets."""
    return quote(_without_line_ends(url), safe=_IN_URL)


def _without_line_ends(text: str) -> str:
    if any(c in text for c in "\r\n\x00"):
        raise ValueError("a line end or NUL in an address")
    return text
