"""Our own reader for mail that came back without a standard report: what the mail system says in its own words.

By structure: everything before the copy of the original is the explanation; in it stand an address, what another server
said (a reply code or an enhanced code), or a phrase by which programs refuse. Linear; limits before anything is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from listserver.mail.charsets import decode_bytes
from listserver.mail.dsn import RETURNED_PARTS
from listserver.mail.htmltext import html_to_text
from listserver.mail.mime import Part, decode_transfer
from listserver.mail.refusal import Finding, Reason, Weight, find_status, plain_words, says_late, says_refusal, weigh_refusal
from listserver.mail.refusal_words import FAILED, FINAL

MAX_OCTETS = 65_536  # of one part
MAX_LINES = 400
_LONGEST_LINE = 1_000
_STATEMENT_LINES = 5  # of one paragraph that hold what a server said

_ORIGINAL = re.compile(
    r"below this line is a copy|this is a copy of|a copy of (?:the|your) (?:original |e-?mail )?message|copy of the (?:original )?message"
    r"|original (?:e-?)?(?:mail |mail|message )?(?:follows|is (?:included|attached|below))|original message\s*-|^\W{0,8}original message\W*$"
    r"|message (?:headers?|text|body|contents?) (?:follows?|is|are)|(?:unsent|undelivered|returned|original) (?:message|mail|text)"
    r"(?: text)?(?: is)? (?:below|follows)|here is (?:your|a copy)|your (?:original )?message (?:follows|reads|is included|text)"
    r"|start of (?:returned|original)|begin (?:original|returned|forwarded)|(?:returned|original) message\W*$"
    r"|headers? (?:of (?:the|your)|from) (?:original )?message|the header of the|first \d+ (?:lines|bytes)|original headers?\W*$"
    r"|ursprüngliche nachricht|originalnachricht|kopie (?:der|ihrer) nachricht|message d['’]origine|message original\b|mensaje original"
    r"|原始邮件|原邮件|原始郵件|元のメッセージ",
    re.I,
)
_HEADER_LINE = re.compile(
    r">? ?(?:received[ \t]*:|(?:return-path|delivered-to|x-[a-z0-9-]+|dkim-signature|mime-version|list-[a-z]+)[ \t]*:[ \t])", re.I
)
_SAID = re.compile(
    r"(?<![\d.:\-])[45]\d\d(?=[ \-:,)]|$)(?!-\d{3})|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])|said:|\bdiagnostic|\breason\s*:|\berror\s*:|status:",
    re.I,
)
_ANSWER = re.compile(r"[^\w]{0,12}[45]\d\d(?:[ -]|$)(?!\d)|.{0,80}(?<![\d.])5\.\d{1,3}\.\d{1,3}(?![\d.])")
_SUBJECT = re.compile(
    r"\W{0,6}(?:subject|betreff|objet|asunto|assunto|oggetto|onderwerp|temat|ämne|тема|主题|主題|件名)\s*[:：]", re.I
)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_NO_RECIPIENT = re.compile(r"(?:mailer-daemon|postmaster|helpdesk|support|abuse|hostmaster|[^@]*bounces?)[-+\w.]*@", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a mail system says, before the copy of the original."""

    lines: tuple[str, ...]
    words: str
    """The same as plain words, for looking up."""

    @property
    def text(self) -> str:
        """The lines joined."""
        return "\n".join(self.lines)

    @property
    def says_failed(self) -> bool:
        """Whether it says of itself that a mail did not arrive."""
        return FAILED.search(self.words)

    @property
    def is_late(self) -> bool:
        """Whether delivery goes on: a warning, no failure."""
        return says_late(self.words) and not FINAL.search(self.words)

    @property
    def quotes_server(self) -> bool:
        """Whether it repeats what a server said: a line with a code at its beginning, and a phrase by which servers refuse."""
        return any(_ANSWER.match(line) for line in self.lines) and says_refusal(self.words)

    @property
    def refuses(self) -> bool:
        """Whether it repeats a refusal: an enhanced code, or a phrase."""
        return bool(find_status(self.text)) or says_refusal(self.words)


def read_explanation(raw: bytes, parts: Sequence[Part]) -> Explanation:
    """The explanation: the first parts that are text, up to the copy of the original. Limits: 64 KB a part, 400 lines."""
    lines: list[str] = []
    plain = False
    for part in parts:
        if part.kind in RETURNED_PARTS or len(lines) >= MAX_LINES or (lines and part.kind.startswith("message/")):
            break  # what follows a report is the original, whatever it is called
        if part.is_multipart or not part.kind.startswith("text/") or (part.kind == "text/html" and plain):
            continue
        content = decode_transfer(raw[part.start : min(part.end, part.start + MAX_OCTETS)], part.encoding).data
        text = decode_bytes(content, part.parameters.get("charset", ""))
        text = html_to_text(text) if part.kind == "text/html" else text
        lines += _before_original(text)
        plain = plain or (part.kind != "text/html" and bool(text.strip()))
    kept = tuple(lines[:MAX_LINES])
    return Explanation(lines=kept, words=plain_words(" ".join(kept)))


def _before_original(text: str) -> list[str]:
    kept: list[str] = []
    for line in text.splitlines()[:MAX_LINES]:
        line = line[:_LONGEST_LINE].rstrip()
        if len(kept) > 1 and (
            _HEADER_LINE.match(line) or (len(line) < 120 and _ORIGINAL.search(line) and any(map(_said_or_named, kept)))
        ):
            break
        kept.append(line)
    return kept


def _said_or_named(line: str) -> bool:
    return "@" in line or _SAID.search(line) is not None


def weigh_explanation(explanation: Explanation, *, late: bool = False) -> tuple[Finding, str]:
    """What the words weigh, and the part of them that says why.

    What a server said is looked at first, then the paragraphs that name an address, then everything.
    """
    if late or explanation.is_late:
        return (Weight.delayed, Reason.unreachable), _statement(explanation.lines)
    lines = [line for line in explanation.lines if not _SUBJECT.match(line)]  # those words are the writer's
    for statement in (_statement(lines), _paragraphs_with_address(lines), "\n".join(lines)):
        if statement:
            finding = weigh_refusal(statement, status=find_status(statement))
            if finding[1] is not Reason.none:
                return finding, " ".join(statement.split())
    return (Weight.hard, Reason.none), " ".join(_statement(explanation.lines).split())


def _statement(lines: Sequence[str]) -> str:
    """The lines that hold a code or what somebody said, each with what continues it."""
    kept: list[str] = []
    left = 0
    for line in lines:
        if _SAID.search(line):
            left = _STATEMENT_LINES
        elif not line.strip():
            left = 0
        if left:
            kept.append(line)
            left -= 1
        if len(kept) >= 4 * _STATEMENT_LINES:
            break
    return "\n".join(kept)


def _paragraphs_with_address(lines: Sequence[str]) -> str:
    """The paragraphs that name an address; one that only names it takes the next with it."""
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    kept: list[str] = []
    take_next = False
    for paragraph in paragraphs:
        named = any("@" in line for line in paragraph)
        if named or take_next:
            kept += paragraph
        take_next = named and len(paragraph) == 1
    return "\n".join(kept[:40])


def find_recipient(explanation: Explanation) -> str:
    """The address that the explanation is about, as well as can be told; '' where it names none."""
    candidates: list[tuple[int, int, str]] = []
    for number, line in enumerate(explanation.lines[:200]):
        for match in _ADDRESS.finditer(line):
            address = match[0].strip(".'`*=")
            if _NO_RECIPIENT.match(address) or "@" not in address:
                continue
            before = line[: match.start()].strip(" \t<'\"(*:[").lower()
            rank = 0 if not before else 1 if before.split()[-1].strip(":") in ("to", "recipient", "for", "address", "user") else 2
            candidates.append((rank, number, address))
            break
    return min(candidates)[2] if candidates else ""
