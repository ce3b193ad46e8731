"""Authentication-Results, read without recursion and in linear time (RFC 8601 §2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.headers import unfold

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)|[;=]|[^\s"();=]+|[()]')


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthResults:
    """Whose results they are, and (method, result, properties) in order; names and results lower-cased."""

    authserv_id: str
    results: tuple[tuple[str, str, dict[str, str]], ...]


def read_results(body: bytes) -> AuthResults | None:
    """Read one field, or None when it names nobody. Limits: 4 KB."""
    tokens = [t for t in _TOKEN.findall(unfold(body, 4096)) if not t.startswith("(") and t != ")"]
    statements: list[list[str]] = [[]]
    for token in tokens:
        if token == ";":
            statements.append([])
        else:
            statements[-1].append(token.strip('"'))
    if not statements[0] or statements[0][0] == "=":
        return None
    results = []
    for words in statements[1:]:
        pairs = [(words[i - 1].lower(), words[i + 1]) for i, word in enumerate(words) if word == "=" and 0 < i < len(words) - 1]
        if pairs:
            method = pairs[0][0].partition("/")[0]
            results.append((method, pairs[0][1].lower(), dict(pairs[1:])))
    return AuthResults(authserv_id=statements[0][0], results=tuple(results))
