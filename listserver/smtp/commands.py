"""How the arguments of SMTP commands are read: paths and parameters (RFC 5321 §4.1.2, RFC 1870, 6152, 6531).

Strict, because what passes here is an address that we act upon: angle brackets are needed, a source route is refused,
a quoted local part may hold anything that the grammar allows and nothing else. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.address import parse_path
from listserver.mail.reply import Reply

# A quoted local part may contain '>' and spaces, so the end of the path is found by the grammar and not by the first '>'.
_PATH = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^"<>\s])*)>(.*)\Z', re.DOTALL)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e\x80-\U0010ffff]+))?\Z")
# Goes into our trace field, so no comment, quote or path characters; underscores and single words are seen in the wild.
_HELLO = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]{0,254}\Z")

# Asked for by RFC 3461 only of servers that offer DSN. We do not; a client that sends them all the same loses nothing.
_DSN_MAIL = frozenset({"RET", "ENVID"})
_DSN_RCPT = frozenset({"NOTIFY", "ORCPT"})

BAD_SENDER = Reply(code=553, enhanced="5.1.7", text="That sender address cannot be read")
BAD_RECIPIENT = Reply(code=553, enhanced="5.1.3", text="That recipient address cannot be read")
NEEDS_SMTPUTF8 = Reply(code=553, enhanced="5.6.7", text="Such an address needs the SMTPUTF8 parameter with MAIL")
MAIL_SYNTAX = Reply(code=501, enhanced="5.5.4", text="Syntax: MAIL FROM:<address> [parameters]")
RCPT_SYNTAX = Reply(code=501, enhanced="5.5.4", text="Syntax: RCPT TO:<address> [parameters]")
UNKNOWN_PARAMETER = Reply(code=555, enhanced="5.5.4", text="That parameter is not offered here")
_BAD_BODY = Reply(code=501, enhanced="5.5.4", text="BODY is 7BIT or 8BITMIME")
_BAD_SIZE = Reply(code=501, enhanced="5.5.4", text="SIZE is a number of octets")
_BAD_UTF8 = Reply(code=501, enhanced="5.5.4", text="SMTPUTF8 takes no value")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCommand:
    """MAIL, read. `reverse_path` is '' for the null one."""

    reverse_path: str
    size: int
    smtputf8: bool


def read_hello(argument: str) -> str | None:
    """The name a client gives itself, when it can be shown in a trace field (RFC 5321 §4.1.1.1)."""
    name = argument.rstrip()
    return name if _HELLO.match(name) else None


def _read_parameters(text: str) -> dict[str, str | None] | None:
    """Parameters by upper-case keyword; None when they cannot be read or one is given twice."""
    found: dict[str, str | None] = {}
    for part in text.split():
        match = _PARAMETER.match(part)
        if match is None or match[1].upper() in found:
            return None
        found[match[1].upper()] = match[2]
    return found


def _split(argument: str, keyword: str) -> tuple[str, str] | None:
    """Cut `FROM:<path> parameters` in two. Space after the colon is wrong, but half the world writes it."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.match(argument[len(keyword) :].lstrip(" "))
    if match is None or (match[2] and match[2][0] != " "):
        return None
    return match[1], match[2]


def read_mail(argument: str, *, extended: bool) -> MailCommand | Reply:
    """Read what follows `MAIL` (RFC 5321 §4.1.1.2), or say what is wrong with it. Null reverse-path: ''."""
    parts = _split(argument, "FROM:")
    if parts is None:
        return MAIL_SYNTAX
    path, rest = parts
    parameters = _read_parameters(rest)
    if parameters is None:
        return MAIL_SYNTAX
    if parameters and not extended:
        return UNKNOWN_PARAMETER
    body = parameters.pop("BODY", "7BIT")
    if body is None or body.upper() not in ("7BIT", "8BITMIME"):
        return _BAD_BODY
    smtputf8 = "SMTPUTF8" in parameters
    if parameters.pop("SMTPUTF8", None) is not None:
        return _BAD_UTF8
    size = parameters.pop("SIZE", "0")
    if size is None or not (size.isascii() and size.isdigit() and len(size) <= 20):
        return _BAD_SIZE
    if not parameters.keys() <= _DSN_MAIL:
        return UNKNOWN_PARAMETER
    if path and parse_path(path) is None:
        return BAD_SENDER
    if not (path.isascii() or smtputf8):
        return NEEDS_SMTPUTF8
    return MailCommand(reverse_path=path, size=int(size), smtputf8=smtputf8)


def read_rcpt(argument: str, *, extended: bool, smtputf8: bool, hostname: str) -> str | Reply:
    """Read what follows `RCPT` (RFC 5321 §4.1.1.3): the recipient, or say what is wrong with it.

    `<Postmaster>` without a domain is ours, in any spelling (RFC 5321 §4.5.1).
    """
    parts = _split(argument, "TO:")
    if parts is None:
        return RCPT_SYNTAX
    path, rest = parts
    parameters = _read_parameters(rest)
    if parameters is None:
        return RCPT_SYNTAX
    if parameters and not (extended and parameters.keys() <= _DSN_RCPT):
        return UNKNOWN_PARAMETER
    if path.lower() == "postmaster":
        return f"postmaster@{hostname}"
    if parse_path(path) is None:
        return BAD_RECIPIENT
    if not (path.isascii() or smtputf8):
        return NEEDS_SMTPUTF8
    return path
