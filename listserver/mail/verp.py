"""Local parts that carry a token: a return-path that names the delivery (VERP), an address to leave by.

Where list name, word and token would exceed 64 octets (RFC 5321 §4.5.3.1.1), the site's own address carries the token.
"""

from __future__ import annotations

_LONGEST = 64


def permission_address(list_local: str, word: str, token: str, host: str) -> str:
    """`LIST-word+TOKEN@HOST`, or `word+TOKEN@HOST` where that is too long."""
    local = f"{list_local}-{word}+{token}"
    return f"{local if len(local.encode()) <= _LONGEST else f'{word}+{token}'}@{host}"


def permission_frame(list_local: str, word: str, token_length: int, host: str) -> tuple[str, str]:
    """What stands before and after a token of this length; lets many addresses be built by joining three texts."""
    before, _token, after = permission_address(list_local, word, "\x00" * token_length, host).partition("\x00" * token_length)
    return before, after
