"""Authentication-Results, read in linear time and without recursion (RFC 8601 §2.2).

Comments go first, with quoted strings kept whole, so that neither can say `dkim=pass` in the place of the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.headers import unfold

MAX_FIELD = 4096  # octets; what is cut off is not guessed at

_SIGN = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[();]')
_IN_COMMENT = re.compile(r"\\.|[()]")  # quotes mean nothing there
_PAIR = re.compile(r'([^\s;="]+)\s*=\s*((?:"(?:[^"\\]|\\.)*"|[^\s;"])*)')
_FIRST = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s;="]+)(?:\s+\d+)?\s*')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthResults:
    """Whose results they are, and (method, result, properties) in order; all lower-cased but the properties' values."""

    authserv_id: str
    results: tuple[tuple[str, str, dict[str, str]], ...]


def read_results(body: bytes) -> AuthResults | None:
    """Read one field, or None when it does not say whose it is. Limits: 4 KB; a statement that is cut is left out."""
    statements = _statements(unfold(body, MAX_FIELD))
    if len(body) > MAX_FIELD and statements:
        statements.pop()
    first = _FIRST.fullmatch(statements[0]) if statements else None
    authserv_id = _value(first[1]) if first else ""
    if not authserv_id:
        return None
    results = []
    for statement in statements[1:]:
        pairs = [(name.lower(), _value(value)) for name, value in _PAIR.findall(statement)]
        if not pairs:
            continue  # `none`
        properties: dict[str, str] = {}
        for name, value in pairs[1:]:
            properties.setdefault(name, value)  # of one property written twice the first counts
        results.append((pairs[0][0].partition("/")[0].strip(), pairs[0][1].lower(), properties))
    return AuthResults(authserv_id=authserv_id, results=tuple(results))


def _statements(text: str) -> list[str]:
    """The text between semicolons, without comments, which nest; what follows an unclosed comment belongs to it."""
    statements: list[str] = [""]
    depth = position = 0
    while (match := (_IN_COMMENT if depth else _SIGN).search(text, position)) is not None:
        sign = match[0]
        if not depth:
            statements[-1] += text[position : match.start()]
        position = match.end()
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth = max(depth - 1, 0)
            statements[-1] += "" if depth else " "
        elif depth:
            continue
        elif sign == ";":
            statements.append("")
        else:
            statements[-1] += sign
    if not depth:
        statements[-1] += text[position:]
    return statements


def _value(text: str) -> str:
    return _QUOTED.sub(lambda match: _ESCAPED.sub(r"\1", match[1]), text)
