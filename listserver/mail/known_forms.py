"""The forms of bounces that flufl.bounce knows, behind a guard: limits before it, and nothing that it raises gets out.

It gives addresses as bytes and no status, and calls an answer of 4.2.2 permanent; so it is asked only whether a mail came
back and for whom, never how much that weighs.
"""

from __future__ import annotations

import email
import warnings
from email.policy import compat32

from flufl.bounce import all_failures

from listserver.mail.headers import Header

MAX_OCTETS = 65_536
_MOST_LINES = 1_500
_MOST_PARTS = 60  # lines that look like a boundary


def find_failures(raw: bytes, header: Header) -> tuple[tuple[str, ...], bool]:
    """Addresses whose mail came back, and whether all of it was only late. Never raises. Limits: 64 KB, 1,500 lines."""
    cut = raw[: header.size + MAX_OCTETS] if header.size < MAX_OCTETS else raw[:MAX_OCTETS]
    lines = cut.split(b"\n", _MOST_LINES)[:_MOST_LINES]
    if sum(line.startswith(b"--") for line in lines) > _MOST_PARTS or max(map(len, lines)) > 10_000:
        return (), False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            late, failed = all_failures(email.message_from_bytes(b"\n".join(lines), policy=compat32))
    except Exception:  # noqa: BLE001 - a foreign parser fed with what anybody may send: whatever it raises, it read nothing
        return (), False
    found = [each.decode("utf-8", "replace") for each in sorted(failed or late) if b"@" in each]
    return tuple(found), bool(found) and not failed
