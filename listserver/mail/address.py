"""Addresses: a strict parser of our own, because they decide who somebody is.

What the parser does not take is not guessed at: an author that cannot be read strictly is an unverified one. No
comments, no source routes, no control characters in an addr-spec (RFC 5321 §4.1.2, RFC 6531 for UTF-8); mailbox lists
with display names, comments and groups as RFC 5322 §3.4 writes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from listserver.mail.headers import Header, decode_text, encode_phrase, unfold

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\U0010ffff]|\\[\x20-\x7e])*"')
_LABEL = r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9_\-\u0080-\U0010ffff]{0,61}[A-Za-z0-9\u0080-\U0010ffff])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]+\]", re.I)
_ATEXT_ONLY = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]*")
_TOKEN = re.compile(r'[ \t]+|"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|[<>,:;@]|[^\s"(),:;<>@]+|.', re.S)


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
        return f"{_unquoted(self.local).lower()}@{ascii_domain(self.domain)}"


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
    inner = re.sub(r"\\(.)", r"\1", local[1:-1])
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
    """The mailboxes of an address field (RFC 5322 §3.4), groups opened; None when it cannot be read strictly."""
    if body is None:
        return []
    if len(body) > limit:
        cut = body.rfind(b",", 0, limit)
        if cut < 0:
            return None
        body = body[:cut]
    mailboxes: list[Mailbox] = []
    pending: list[str] = []
    in_group = False
    for token in _TOKEN.findall(unfold(body, limit)):
        if token == "," or (token == ";" and in_group):
            if not _close(pending, mailboxes):
                return None
            pending = []
            in_group = in_group and token != ";"
        elif token == ":" and "<" not in pending and not in_group:
            pending, in_group = [], True
        else:
            pending.append(token)
    return mailboxes if _close(pending, mailboxes) else None


def _close(tokens: list[str], into: list[Mailbox]) -> bool:
    """Read the tokens of one mailbox; an empty place between commas is nothing."""
    comments = [t for t in tokens if t.startswith("(")]
    words = [t for t in tokens if not t.startswith("(")]
    text = "".join(words).strip()
    if not text:
        return True
    if text.endswith(">"):
        start = text.rfind("<")
        name, spec = text[:start].strip(), text[start + 1 : -1].strip()
        if start < 0 or "<" in name or ">" in name:
            return False
    else:
        name, spec = (comments[-1][1:-1] if comments else ""), text
    address = parse_address(spec)
    if address is None:
        return False
    into.append(Mailbox(_display(name), address))
    return True


def _display(name: str) -> str:
    """A display name as a person reads it: quotes off, encoded words decoded, no control characters."""
    pieces = re.findall(r'"(?:[^"\\]|\\.)*"|[^"]+', name)
    plain = "".join(re.sub(r"\\(.)", r"\1", p[1:-1]) if p.startswith('"') and len(p) > 1 else p for p in pieces)
    return " ".join(decode_text(plain.encode("utf-8", "replace")).split())[:200]


def read_author(header: Header) -> Mailbox | None:
    """The author: exactly one From field with exactly one address, else None (then nobody is believed)."""
    if header.count("from") != 1:
        return None
    found = read_mailboxes(header.first("from"))
    return found[0] if found is not None and len(found) == 1 else None


def format_mailbox(name: str, address: str) -> str:
    """A mailbox for a header: the name quoted or encoded where needed. Raises: ValueError on CR, LF or NUL."""
    if any(c in name + address for c in "\r\n\x00"):
        raise ValueError("a line end or NUL in a mailbox")
    name = " ".join(name.split())
    if not name:
        return address
    if not name.isascii() or "=?" in name:
        return f"{encode_phrase(name)} <{address}>"
    if _ATEXT_ONLY.fullmatch(name):
        return f"{name} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'
