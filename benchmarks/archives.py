"""Archives whose headers tell the truth: read them, take the threading headers away, and score what threading made of the rest.

Truth: a reply's parent is the nearest ancestor that its own fields name and that stands in the archive. Read with the
standard library alone, so that a mistake in our own readers cannot hide in the scale.
"""

from __future__ import annotations

import email
import email.policy
import gzip
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from listserver.mail.mbox import read_mbox

_FIELDS = re.compile(
    rb"(?:in-reply-to|references|thread-index|thread-topic|x-[a-z-]*(?:thread|reference|reply)[a-z-]*)\s*:", re.I
)
_CONTENT = re.compile(rb"(?:content-|mime-version)", re.I)
_ID = re.compile(r"<([^<>\s]+)>")
_MARK = re.compile(r"^\s{0,3}[A-Za-z]{0,4}[>|]", re.M)
_MARKS = re.compile(r"^(?:\s{0,3}[A-Za-z]{0,4}[>|]\s?)+", re.M)
_INTRODUCTION = re.compile(
    r"^.{0,200}(?:wrote|writes|said|schrieb|a écrit|escribi[óo]|escreveu|ha scritto|schreef|skrev|napisał)[^\n]{0,60}:\s*$"
    r"|^-{2,}\s*Original Message\s*-{2,}\s*$",
    re.M | re.I,
)
_REPLY = re.compile(r"\s*(?:\[[^\]]{1,40}\]\s*)*(?:re|aw|sv|antw?|vs|odp|fwd?|wg|tr|回复|答复)(?:\[\d+\])?\s?[:：]", re.I)
_COUNTS = (
    *("missing", "replies", "quoting", "quoting_right", "parent_right", "thread_right"),
    *("decided", "decided_right", "fresh", "fresh_attached"),
)
_BY_TEXT = ("quote", "digest", "greeting")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a post's own fields say."""

    parent: str | None
    has_fields: bool
    is_reply: bool
    quotes: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """Where threading put a post."""

    parent: str | None
    kind: str
    score: float
    conversation: int


def read_archive(path: Path, limit: int = 0) -> Iterator[bytes]:
    """The messages of an mbox or mbox.gz file, in order."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as handle:
        for count, message in enumerate(read_mbox(handle), start=1):
            yield message.raw
            if count == limit:
                return


def strip(raw: bytes, *, unmark: bool = False) -> bytes:
    """A message without any threading field; `unmark` takes away the quote marks and introductions as well."""
    match = re.search(rb"\r?\n\r?\n", raw)
    head, body = (raw[: match.start()], raw[match.end() :]) if match else (raw, b"")
    fields: list[bytes] = []
    for line in re.split(rb"\r?\n", head):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\n" + line
        else:
            fields.append(line)
    fields = [each for each in fields if not _FIELDS.match(each)]
    if unmark:
        fields = [each for each in fields if not _CONTENT.match(each)]
        fields += [b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit"]
        text = _INTRODUCTION.sub("", _text_of(_message(raw)))
        body = _MARKS.sub("", text).encode("utf-8", "replace")
    return b"\n".join(fields) + b"\n\n" + body.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"


def _message(raw: bytes) -> Message:
    return email.message_from_bytes(raw, policy=email.policy.compat32)


def _text_of(message: Message) -> str:
    parts = [part for part in message.walk() if part.get_content_type() == "text/plain"]
    parts = parts or [part for part in message.walk() if part.get_content_type() == "text/html"]
    chunks = []
    for part in parts[:8]:
        payload: Any = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
        try:
            text = data.decode(part.get_content_charset() or "utf-8", "replace")
        except (LookupError, ValueError):
            text = data.decode("latin-1")
        chunks.append(re.sub(r"<[^>]+>", " ", text) if part.get_content_type() == "text/html" else text)
    return "\n".join(chunks)


def read_truth(messages: Sequence[bytes]) -> dict[str, Truth]:
    """By Message-ID (without brackets), what the fields say; a second post with the same id is left out."""
    chains: dict[str, tuple[list[str], str, bool]] = {}
    for raw in messages:
        message = _message(raw)
        own = _ID.findall(str(message.get("Message-ID", "")))
        if own and own[0] not in chains:
            chain = _ID.findall(str(message.get("In-Reply-To", "")))[:1] + _ID.findall(str(message.get("References", "")))[::-1]
            chains[own[0]] = (chain, str(message.get("Subject", "")), bool(_MARK.search(_text_of(message))))
    return {
        own: Truth(
            next((each for each in chain if each in chains and each != own), None),
            bool(chain),
            bool(_REPLY.match(subject)),
            quotes,
        )
        for own, (chain, subject, quotes) in chains.items()
    }


def score(truth: Mapping[str, Truth], placed: Mapping[str, Placed]) -> tuple[dict[str, float | int | None], list[dict[str, Any]]]:
    """The figures of one archive, and every error. A post that is missing counts as wrong everywhere."""
    n: Counter[str] = Counter(dict.fromkeys(_COUNTS, 0), posts=len(truth))
    errors: list[dict[str, Any]] = []
    for own, true in truth.items():
        got = placed.get(own)
        n["missing"] += got is None
        if true.parent:
            right = got is not None and got.parent == true.parent
            n["replies"] += 1
            n["quoting"] += true.quotes
            n["quoting_right"] += true.quotes and right
            n["parent_right"] += right
            n["thread_right"] += (
                got is not None and true.parent in placed and placed[true.parent].conversation == got.conversation
            )
            if got is not None and got.parent and got.kind in _BY_TEXT:
                n["decided"] += 1
                n["decided_right"] += right
            if not right:
                errors.append({"post": own, "true": true.parent, "quotes": true.quotes, **_got(got)})
        elif not true.has_fields and not true.is_reply:
            n["fresh"] += 1
            if got is not None and got.parent and got.score >= 0.5:
                n["fresh_attached"] += 1
                errors.append({"post": own, "true": None, "quotes": true.quotes, **_got(got)})

    def share(part: str, whole: str) -> float | None:
        return round(n[part] / n[whole], 4) if n[whole] else None

    shares = {
        "parent_precision": share("decided_right", "decided"),
        "parent_recall": share("quoting_right", "quoting"),
        "parent_all": share("parent_right", "replies"),
        "thread_all": share("thread_right", "replies"),
        "fresh_attached_share": share("fresh_attached", "fresh"),
        "bcubed_f1": _bcubed(truth, {own: each.conversation for own, each in placed.items()}),
    }
    return {**n, **shares}, errors


def _got(got: Placed | None) -> dict[str, Any]:
    return (
        {"chosen": got.parent, "kind": got.kind, "score": got.score} if got else {"chosen": None, "kind": "missing", "score": 0}
    )


def _bcubed(truth: Mapping[str, Truth], conversations: Mapping[str, int]) -> float | None:
    """B-cubed F1 (Bagga & Baldwin 1998) over posts whose true conversation is known: falls when they are merged or torn."""
    roots: dict[str, str] = {}

    def root(own: str) -> str:
        path: list[str] = []
        while own not in roots and own not in path:
            path.append(own)
            own = truth[own].parent or own
        top = roots.get(own, own)
        roots.update(dict.fromkeys(path, top))
        return top

    known = [own for own, true in truth.items() if true.parent or not (true.has_fields or true.is_reply)]
    if not known:
        return None
    pairs = [(root(own), conversations.get(own, f"missing {own}")) for own in known]
    both, gold, made = Counter(pairs), Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
    precision = sum(count * count / made[pair[1]] for pair, count in both.items()) / len(pairs)
    recall = sum(count * count / gold[pair[0]] for pair, count in both.items()) / len(pairs)
    return round(2 * precision * recall / (precision + recall), 4)
