"""Addresses: a strict parser of our own, because they decide who somebody is.

What the parser does not take is not guessed at: an author that cannot be read strictly is an unverified one. No
comments, no source routes, no control characters in an addr-spec (RFC 5321 §4.1.2, RFC 6531 for UTF-8); mailbox lists
with display names, comments and groups as RFC 5322 §3.4 writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from unicodedata import normalize

from listserver.mail.headers import Header, decode_text, encode_phrase, plain_line, unfold

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\U0010ffff]|\\[\x20-\x7e])*"')
_LABEL = r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9_\-\u0080-\U0010ffff]{0,61}[A-Za-z0-9\u0080-\U0010ffff])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]+\]", re.I)
_LONGEST_FIELD = 4096
_LONGEST_NAME = 200
_LONGEST_WRITTEN = 2_000  # characters of a name with its quotes and encoded words: a comment may be as long as its field
_SIGNS = frozenset("<>,:;@")
_ATEXT_ONLY = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]*")
# Pieces of an address field; a parenthesis or a quote that is not closed is none of them.
_PIECE = re.compile(r'[ \t]+|"(?:[^"\\]|\\.)*"|[<>,:;@]|[^\s"(),:;<>@]+', re.S)
_PARENTHESIS = re.compile(r"\\.|[()]", re.S)
_ESCAPED = re.compile(r"\\(.)", re.S)
# The shape of nearly every author, without anything that would need a second look.
_USUAL = re.compile(
    r"""\s*+(?:"([^"\\]*+)"\s*+|([A-Za-z0-9.'_ \-]*+))<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]++@[A-Za-z0-9.\-]++)>\s*+"""
)


@dataclass(frozen=True)
class Address:
    """An addr-spec; shown as given, compared by `key`."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @cached_property
    def key(self) -> str:
        """What two spellings of one address have in common: lower-cased, the domain in its ASCII form."""
        local = _unquoted(self.local).lower()
        return f"{local if local.isascii() else normalize('NFC', local)}@{ascii_domain(self.domain)}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, '' if there is none, and an address."""

    name: str
    address: Address


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """A domain lower-cased and in its ASCII form (A-labels, RFC 5890); as it is where that fails."""
    domain = domain.rstrip(".").lower()
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def _unquoted(local: str) -> str:
    if not local.startswith('"'):
        return local
    inner = _ESCAPED.sub(r"\1", local[1:-1])
    return inner if _DOT_ATOM.fullmatch(inner) else local


def parse_address(text: str) -> Address | None:
    """An addr-spec, or None for anything unusual. Limits: 64 octets before the @, 255 after it (RFC 5321 §4.5.3.1)."""
    if len(text) > 400:
        return None
    local, sign, domain = text.rpartition("@")
    if not sign or not local or not domain:
        return None
    if not (_DOT_ATOM.fullmatch(local) or _QUOTED.fullmatch(local)) or not (
        _DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain)
    ):
        return None
    if not text.isprintable() or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        return None
    if len(local.encode()) > 64 or len(domain.encode()) > 255:
        return None
    return Address(local, domain)


def parse_path(text: str) -> Address | None:
    """A path of the envelope; None for the null path and for anything unusual, source routes among it."""
    return parse_address(text[1:-1] if text.startswith("<") and text.endswith(">") else text)


def read_mailboxes(body: bytes | None, limit: int = 4096) -> list[Mailbox] | None:
    """The mailboxes of an address field (RFC 5322 §3.4), groups opened; None when it cannot be read strictly.

    Limits: a longer field is cut at its last comma before `limit` octets.
    """
    if body is None:
        return []
    if len(body) > limit:
        cut = body.rfind(b",", 0, limit)
        if cut < 0:
            return None
        body = body[:cut]
    found = _read_list(body)
    return found.mailboxes if found is not None else None


def read_author(header: Header) -> Mailbox | None:
    """The author: exactly one From field with exactly one address, else None (then nobody is believed).

    A group, or a field too long to be read whole, might show other readers another author: it has none.
    """
    body = header.first("from")
    if body is None or header.count("from") != 1 or len(body) > _LONGEST_FIELD:
        return None
    found = _read_list(body)
    return found.mailboxes[0] if found is not None and len(found.mailboxes) == 1 and not found.groups else None


@dataclass(slots=True)
class _Found:
    mailboxes: list[Mailbox]
    groups: int = 0


def _read_list(body: bytes) -> _Found | None:
    """Read a whole field of mailboxes and groups, or None."""
    text = unfold(body, len(body))
    usual = _USUAL.fullmatch(text)
    if usual is not None:
        address = parse_address(usual[3])
        return None if address is None else _Found([Mailbox(_display(usual[1] or usual[2] or ""), address)])
    pieces = _pieces(text)
    if pieces is None:
        return None
    found = _Found([])
    pending: list[str] = []
    in_group = in_angle = False
    for piece in pieces:
        if piece == "," or (piece == ";" and in_group):
            if not _close(pending, found.mailboxes):
                return None
            pending, in_angle = [], False
            in_group = in_group and piece != ";"
        elif piece == ":" and not in_angle and not in_group:
            pending, in_group = [], True
            found.groups += 1
        else:
            in_angle = in_angle or piece == "<"
            pending.append(piece)
    if not _close(pending, found.mailboxes) or (not _is_utf8(body) and not all(_is_ascii(each) for each in found.mailboxes)):
        return None
    return found


def _pieces(text: str) -> list[str] | None:
    """Words, quoted strings, comments and signs; None where a quote or comment is not closed. Each octet is looked at once."""
    pieces: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == "(":
            end = _comment_end(text, position)
        else:
            match = _PIECE.match(text, position)
            end = match.end() if match is not None else 0
        if not end:
            return None
        pieces.append(text[position:end])
        position = end
    return pieces


def _comment_end(text: str, start: int) -> int:
    """Where a comment ends, those within it counted (RFC 5322 §3.2.2); 0 when it does not."""
    depth = 0
    for match in _PARENTHESIS.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return 0


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_ascii(mailbox: Mailbox) -> bool:
    return mailbox.address.local.isascii() and mailbox.address.domain.isascii()


def _close(pieces: list[str], into: list[Mailbox]) -> bool:
    """Read the pieces of one mailbox; an empty place between commas is nothing."""
    comment = next((p[1:-1] for p in reversed(pieces) if p.startswith("(")), "")
    start, end = 0, len(pieces)
    while start < end and _is_gap(pieces[end - 1]):
        end -= 1
    while start < end and _is_gap(pieces[start]):
        start += 1
    if start == end:
        return True
    words = pieces[start:end]
    name, inner = comment, words
    if "<" in words:
        angle = words.index("<")
        named, inner = [p for p in words[:angle] if not p.startswith("(")], words[angle + 1 : -1]
        name = "".join(named).strip()
        # `boss@bank.example <thief@example.net>` is read as either by one program or another: only quotes make it a name.
        if words[-1] != ">" or (_SIGNS.intersection(named) and name.lower() != "".join(inner).strip().lower()):
            return False
    if any(p.startswith("(") for p in inner):
        return False  # a comment inside an address: who reads it, and how, differs
    address = parse_address("".join(inner).strip())
    if address is None:
        return False
    into.append(Mailbox(_display(name), address))
    return True


def _is_gap(piece: str) -> bool:
    return piece.isspace() or piece.startswith("(")


def _display(name: str) -> str:
    """A display name as a person reads it: quotes off, encoded words decoded, no control characters."""
    name = name[:_LONGEST_WRITTEN]
    if '"' in name or "\\" in name:
        pieces = re.findall(r'"(?:[^"\\]|\\.)*"|[^"]+', name)
        name = "".join(_ESCAPED.sub(r"\1", p[1:-1]) if p.startswith('"') and len(p) > 1 else p for p in pieces)
    if "=?" in name or not name.isprintable():
        name = decode_text(name.encode("utf-8", "replace"))
    return " ".join(name.split())[:_LONGEST_NAME].rstrip()


def format_mailbox(name: str, address: str) -> str:
    """A mailbox for a header: the name quoted or encoded where needed. Raises: ValueError on CR, LF or NUL."""
    if any(c in name + address for c in "\r\n\x00"):
        raise ValueError("a line end or NUL in a mailbox")
    if "<" in address or ">" in address:
        raise ValueError("angle brackets in an address")
    name = plain_line(name[:_LONGEST_NAME])
    if not name:
        return address
    if not name.isascii() or "=?" in name:
        return f"{encode_phrase(name)} <{address}>"
    if _ATEXT_ONLY.fullmatch(name):
        return f"{name} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'
