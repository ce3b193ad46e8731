"""The fields that a list adds: List-* (RFC 2369, 2919), one-click leaving (RFC 8058), Archived-At (RFC 5064).

Addresses never become encoded words and are never broken; a long field is folded between its items only.
"""

from __future__ import annotations

from dataclasses import dataclass

from listserver.mail.headers import encode_words


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
    """The fields that are the same for every member: all but List-Unsubscribe."""
    name = " ".join(identity.name.split())
    name = (name if name.isascii() else encode_words(name)).replace("<", "").replace(">", "")
    fields = [
        _line("List-Id", f"{name} <{identity.list_id}>" if name else f"<{identity.list_id}>"),
        _line("List-Post", f"<mailto:{identity.post}>"),
        _line("List-Help", f"<mailto:{identity.help}>"),
        _line("List-Owner", f"<mailto:{identity.owner}>"),
        _line("List-Subscribe", f"<mailto:{identity.join}>"),
    ]
    if identity.archive:
        fields.append(_line("List-Archive", f"<{identity.archive}>"))
    if archived_at:
        fields.append(_line("Archived-At", f"<{archived_at}>"))
    return b"".join(fields)


def unsubscribe_fields(mailto: str, one_click: str = "") -> bytes:
    """List-Unsubscribe of one member; with an https address also List-Unsubscribe-Post (RFC 8058 §3.1)."""
    if one_click.startswith("https://"):
        return (
            f"List-Unsubscribe: <{one_click}>,\r\n <mailto:{mailto}?subject=leave>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        ).encode("ascii")
    return f"List-Unsubscribe: <mailto:{mailto}?subject=leave>\r\n".encode("ascii")


def _line(name: str, value: str) -> bytes:
    if any(c in value for c in "\r\n\x00"):
        raise ValueError(f"a line end or NUL in the text of {name}")
    return f"{name}: {value}\r\n".encode("ascii", "replace")
