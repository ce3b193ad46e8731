"""Blocks of `label: value` lines above a quote, in any language: three or more, one with a date, one with an address.

With a line of dashes above them, fewer lines and less evidence are enough.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from listserver.mail.attribution import Introduction, read_introduction
from listserver.mail.quotedates import find_date
from listserver.mail.quotemarks import Line

MAX_LABELS = 12
_LONGEST_LABEL = 30
_LABEL = re.compile(r"[*_]{0,2}([^\W\d_][\w .'/()-]{0,26}?)[*_]{0,2}[ \u00a0]?[:：][*_]{0,2}(?:\s+|$|(?=\S))(.*)")
_NOT_LABEL = frozenset(("http", "https", "ftp", "mailto", "file"))
SEPARATOR = re.compile(r"[-_=*‐‑–—~]{2,}\s?[^-_=*‐‑–—~\n].{0,60}?\s?[-_=*‐‑–—~>]{2,}:?|[_-]{10,}|[‐–—]{4,}")
_FORWARDS = re.compile(
    r"forward|fwd|weitergeleitet|transf[ée]r|faire suivre|reenviad|encaminhad|inoltrat|doorgestuurd|vidarebefordr|videresend|"
    r"пересыла|переслан|przekazan|předan|preposlan|edellee?n|välitett|ileti(?:len|lmi)|továbbít|转发|轉寄|转寄|転送|전달",
    re.I,
)
_ORIGINALS = re.compile(
    r"original|urspr|origin|исходн|oryginaln|původní|eredeti|alkuper|opprinnelig|originele|원본|原始|原邮件|元のメッセージ", re.I
)
_SUBJECTS = re.compile(
    r"subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|тема|temat|předmět|predmet|tárgy|aihe|konu|subiect|θέμα|主题|主旨|件名|제목|נושא|الموضوع",
    re.I,
)
_SENDERS = re.compile(
    r"from|von|de|da|van|från|fra|от|od|odesílatel|feladó|lähettäjä|kimden|gönderen|de la|από|发件人|寄件者|寄件人|差出人|"
    r"보낸 사람|מאת|من|від|mittente|expéditeur|expeditor",
    re.I,
)
_REPLY = re.compile(r"(?:re|aw|sv|antw|vs|odp|fwd?|wg|tr|rv|rif|回复|答复|转发)(?:\[\d+\])?\s?[:：]", re.I)


class HeaderBlock(NamedTuple):
    """Which lines a block takes, from `first` to before `last`, and what it says."""

    first: int
    last: int
    introduction: Introduction
    address_at: int
    is_forward: bool
    confidence: float


def find_header_block(lines: list[Line], index: int) -> HeaderBlock | None:
    """The block that begins at a line, which may be a separator above it. Limits: 12 labels, 5 lines each."""
    first = index
    separator = bool(SEPARATOR.fullmatch(lines[index].text)) or lines[index].hint == "separator"
    hinted = lines[index].hint == "block"
    forward_words = bool(
        lines[index].text.endswith((":", "：")) and len(lines[index].text) < 60 and _FORWARDS.search(lines[index].text)
    )
    words = lines[index].text
    position = index
    if separator or forward_words:
        position = _next_text(lines, index + 1, lines[index].marks, 2)
        if position < 0:
            return None
    values, position = _read_labels(lines, position)
    named = hinted or (separator and bool(_ORIGINALS.search(words) or _FORWARDS.search(words)))
    if len(values) < (1 if named else 2 if separator or forward_words else 3):
        return None
    found = _judge(values, named=named or forward_words, separator=separator or forward_words)
    if found is None:
        return None
    introduction, confidence = found
    is_forward = bool(_FORWARDS.search(words)) if separator or forward_words else False
    return HeaderBlock(first, position, introduction, 0, is_forward, confidence)


def could_begin(line: Line) -> bool:
    """Whether a block may begin here; cheap."""
    text = line.text
    if not text:
        return False
    if text[0] in "-_=*‐‑–—~":
        return True
    colon = text.find(":", 0, _LONGEST_LABEL)
    return colon > 0 or text.find("：", 0, _LONGEST_LABEL) > 0


def _next_text(lines: list[Line], index: int, marks: int, most_blank: int) -> int:
    """The next line that is not blank, at these marks, after at most so many blank ones; -1 for none."""
    for place in range(index, min(index + most_blank + 1, len(lines))):
        if lines[place].text:
            return place if lines[place].marks == marks else -1
    return -1


def _label(line: Line) -> tuple[str, str] | None:
    text = line.text
    if ":" not in text[:_LONGEST_LABEL] and "：" not in text[:_LONGEST_LABEL]:
        return None
    match = _LABEL.match(text[:400])
    if match is None or match[1].lower() in _NOT_LABEL or len(match[1].split()) > 4:
        return None
    return match[1].strip(), match[2].strip(" *_\t")


def _read_labels(lines: list[Line], index: int) -> tuple[list[tuple[str, str]], int]:
    """The labels and values from a line on, and the first line behind them."""
    values: list[tuple[str, str]] = []
    marks = lines[index].marks
    position = end = index
    continued = 0
    while position < len(lines) and len(values) < MAX_LABELS:
        line = lines[position]
        if line.marks != marks or line.hint == "stop":
            break
        if not line.text:
            following = _next_text(lines, position, marks, 1)
            if following < 0 or len(values) >= 3 or not values or _label(lines[following]) is None:
                break
            position = following
            continue
        label = _label(line)
        if label is not None:
            values.append(label)
            continued = 0
        elif values and continued < 5 and _continues(values[-1][1], line, lines, position):
            values[-1] = (values[-1][0], f"{values[-1][1]} {line.text}"[:800])
            continued += 1
        else:
            break
        position += 1
        end = position
    return values, end


def _continues(value: str, line: Line, lines: list[Line], position: int) -> bool:
    """Whether a line goes on with the value above it: folded, or a list of addresses."""
    if not value or value.endswith((",", ";")):
        return True
    if "@" in line.text and ("@" in value or ";" in value) and len(line.text.split()) < 12:
        return True
    following = lines[position + 1] if position + 1 < len(lines) else None
    return following is not None and following.marks == line.marks and bool(following.text) and _known(following)


def _known(line: Line) -> bool:
    label = _label(line)
    return label is not None and bool(_SUBJECTS.match(label[0]) or _SENDERS.fullmatch(label[0]))


def _judge(values: list[tuple[str, str]], *, named: bool, separator: bool) -> tuple[Introduction, float] | None:
    """Who and when, if the labels are those of a message."""
    date = who = None
    subject = known = False
    for label, value in values:
        if _SUBJECTS.match(label):
            subject = True
            continue
        found = read_introduction(value + ":")
        if date is None and found.date is not None and find_date(value[:120]) is not None:
            date = found.date
            continue
        is_sender = bool(_SENDERS.fullmatch(label))
        known = known or is_sender
        if who is None and (found.address or is_sender):
            who = found._replace(name=found.name or ("" if found.address else value[:80].strip()))
    if who is None and (date is None or not separator):
        return None
    evidence = 2 * (date is not None) + 2 * bool(who and who.address) + subject + known + 2 * named + separator
    if evidence < 4:
        return None
    who = who or read_introduction("")
    message_id = next((v for label, v in values if label.lower() == "message-id" and v.startswith("<")), "")
    return who._replace(date=date, message_id=message_id, start=0), min(0.99, 0.6 + 0.06 * evidence)
