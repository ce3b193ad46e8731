"""What a refusal means: its status, its reply code and its words → how much it weighs, and why, in one value.

Words beat codes where they are plain: real servers answer `5.7.1 no such user` and `5.1.1 mailbox full`. Codes beat
silence. `policy` (spam, blocklists, DMARC, relaying) says nothing about the address, so it never weighs against anybody.
The words themselves stand in `refusal_words`. Enhanced codes: RFC 3463, and their registry.
"""

from __future__ import annotations

import re
from enum import StrEnum

from listserver.mail.refusal_words import FULL, GREY, LATE, NO_DOMAIN, POLICY, SIZE, SPAM, UNKNOWN, UNREACHED, Words

_LOOKED_AT = 4_000  # characters of a refusal; what servers say is shorter
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>()\"']{0,500}")
_ADDRESS = re.compile(r"[^\s<>\"'(){}\[\],;:=]{1,64}@[^\s<>\"'(){}\[\],;]{1,255}")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_CODE = re.compile(
    r"(?<![\d.:])([45]\d\d)(?=[ -]|$)(?!-\d{3})(?! ?(?:bytes|octets|kb|mb|days?|hours?|minutes?|seconds?|recipients|\d))"
)


class Weight(StrEnum):
    """What a mail that came back says about the address it was meant for."""

    hard = "hard"
    soft = "soft"
    policy = "policy"
    delayed = "delayed"
    auto_reply = "auto-reply"
    complaint = "complaint"
    delivered = "delivered"


class Reason(StrEnum):
    """Why a mail came back, as people are told."""

    unknown = "unknown"
    full = "full"
    refused = "refused"
    too_big = "too-big"
    unreachable = "unreachable"
    none = "none"


Finding = tuple[Weight, Reason]

_HARD_UNKNOWN: Finding = (Weight.hard, Reason.unknown)
_FULL: Finding = (Weight.soft, Reason.full)
_TOO_BIG: Finding = (Weight.soft, Reason.too_big)
_POLICY: Finding = (Weight.policy, Reason.refused)
_UNREACHABLE: Finding = (Weight.soft, Reason.unreachable)

# Subject and detail of enhanced codes that say enough by themselves (RFC 3463 §3); '' as the detail: any other of that subject.
_BY_STATUS: dict[tuple[str, str], Finding] = {
    ("1", "7"): _POLICY, ("1", "8"): _POLICY, ("1", ""): _HARD_UNKNOWN,
    ("2", "1"): _HARD_UNKNOWN, ("2", "2"): _FULL, ("2", "3"): _TOO_BIG, ("2", "4"): _UNREACHABLE,
    ("3", "1"): _FULL, ("3", "4"): _TOO_BIG, ("3", ""): _UNREACHABLE,
    ("4", "4"): _HARD_UNKNOWN, ("4", "310"): _HARD_UNKNOWN, ("4", ""): _UNREACHABLE,
    ("5", "0"): _HARD_UNKNOWN, ("5", ""): _UNREACHABLE,
    ("6", ""): _POLICY, ("7", ""): _POLICY,
}  # fmt: skip
_BY_CODE: dict[str, Finding] = {
    "421": _UNREACHABLE, "451": _UNREACHABLE, "452": _FULL, "552": _FULL, "523": _TOO_BIG, "534": _TOO_BIG,
    "530": _POLICY, "535": _POLICY, "538": _POLICY, "571": _POLICY, "521": _HARD_UNKNOWN, "556": _HARD_UNKNOWN,
}  # fmt: skip


def weigh_refusal(text: str, *, status: str = "", action: str = "") -> Finding:
    """What one refusal weighs, and why. Limits: the first 4,000 characters are looked at; linear."""
    if action in ("delivered", "relayed", "expanded"):
        return Weight.delivered, Reason.none
    words = plain_words(text)
    level, subject, detail = _read_status(status, words)
    if action == "delayed":
        return Weight.delayed, _by_words(words, level, subject, detail)[1]
    weight, reason = _by_words(words, level, subject, detail)
    if weight is Weight.hard and level == "4":
        return Weight.soft, reason  # given up after many temporary answers: the address may be right
    return weight, reason


def plain_words(text: str) -> str:
    """The words of a refusal, fit for looking up: one line, case folded, without addresses and URLs."""
    cut = " ".join(text[:_LOOKED_AT].replace("_", " ").split()).casefold()
    return _ADDRESS.sub("@", _URL.sub(" ", cut)) if "@" in cut or "/" in cut else cut


def says_refusal(words: str) -> bool:
    """Whether plain words hold any phrase by which servers refuse mail."""
    return any(each.search(words) for each in (UNKNOWN, FULL, SPAM, POLICY, SIZE, NO_DOMAIN, UNREACHED))


def says_late(words: str) -> bool:
    """Whether plain words say that delivery goes on: a warning, no failure."""
    return LATE.search(words)


def find_status(text: str) -> str:
    """The first enhanced code of a failure in a text, or ''."""
    match = next((m for m in _STATUS.finditer(text[:_LOOKED_AT]) if m[1] in "45"), None)
    return match[0] if match else ""


def find_code(text: str) -> str:
    """The first reply code of a failure in a text, or ''."""
    match = _CODE.search(text[:_LOOKED_AT])
    return match[1] if match else ""


def _read_status(status: str, words: str) -> tuple[str, str, str]:
    """Level, subject and detail. What the other server said counts before a general code of ours (`5.0.0`)."""
    given = _STATUS.search(status)
    said = _STATUS.search(words)
    if said is not None and said[1] in "45" and (given is None or given[2] == "0" or given.groups()[1:] == said.groups()[1:]):
        return said[1], said[2], said[3]
    if given is not None and (given[2] != "0" or not _CODE.search(words)):
        return given[1], given[2], given[3]
    code = _CODE.search(words)
    if code is not None:
        return code[1][0], "0", "0"
    return (given[1], given[2], given[3]) if given is not None else ("", "", "")


def _by_words(words: str, level: str, subject: str, detail: str) -> Finding:
    """Plain words first, then the codes."""
    if FULL.search(words):
        return _FULL
    if GREY.search(words):
        return _UNREACHABLE
    if SIZE.search(words):
        return _TOO_BIG
    unknown = _first(words, UNKNOWN, NO_DOMAIN)
    spam = SPAM.position(words)
    if spam >= 0 and not (0 <= unknown < spam and subject != "7"):
        return _POLICY
    if unknown >= 0:
        return _HARD_UNKNOWN
    if POLICY.search(words):
        return _POLICY
    found = _BY_STATUS.get((subject, detail)) or (_BY_STATUS.get((subject, "")) if subject else None)
    if found is not None and not (found is _HARD_UNKNOWN and UNREACHED.search(words)):
        return found
    if UNREACHED.search(words):
        return _UNREACHABLE
    code = _CODE.search(words)
    if code is not None and code[1] in _BY_CODE:
        return _BY_CODE[code[1]]
    return (Weight.soft, Reason.unreachable) if level == "4" else (Weight.hard, Reason.none)


def _first(words: str, *groups: Words) -> int:
    found = [position for position in (group.position(words) for group in groups) if position >= 0]
    return min(found) if found else -1
