"""Blocks of `label: value` lines above a quote, in any language: three or more, one with a date, one with an address.

With a line of dashes above them, fewer lines and less evidence are enough.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from listserver.mail.attribution import Introduction, find_address, read_introduction
from listserver.mail.quotedates import find_date
from listserver.mail.quotemarks import Line

MAX_LABELS = 12
LONGEST_RULE = 160  # characters of a line of dashes
_LONGEST_LABEL = 30
_LONGEST_CONTINUED = 100
_MOST_WORDS = 6  # of a line such as "Begin forwarded message:"
_LABEL = re.compile(r"[*_]{0,2}([^\W\d_](?:[^\W\d]|[ .'/()-]){0,26}?)[*_]{0,2}[ \u00a0]?[:：][*_]{0,2}(?:\s+|$|(?=\S))(.*)")
_NOT_LABEL = frozenset(("http", "https", "ftp", "mailto", "file"))
SEPARATOR = re.compile(r"[-_=*‐‑–—~]{2,}\s?[^-_=*‐‑–—~\n].{0,60}?\s?[-_=*‐‑–—~>]{2,}:?|[_-]{10,}|[‐–—]{4,}")
_FORWARDS = re.compile(
    r"forward|fwd|weitergeleitet|transf[ée]r|faire suivre|reenviad|encaminhad|inoltrat|doorgestuurd|vidarebefordr|videresend|"
    r"пересыла|переслан|przekazan|předan|preposlan|edellee?n|välitett|ileti(?:len|lmi)|továbbít|转发|轉寄|转寄|転送|전달",
    re.I,
)
_MESSAGES = re.compile(
    r"message|nachricht|mensaje|mensagem|messaggio|bericht|meddel|melding|wiadomo|zpráva|správa|сообщени|повідомл|viesti|üzenet|mesaj|ileti|"
    r"μήνυμα|missatge|邮件|郵件|メッセージ|메시지|הודעה|رسالة|original|urspr|origin|исходн|oryginaln|původní|eredeti|alkuper|opprinnelig|originele|원본|原始|原邮件|元のメッセージ",
    re.I,
)
_BEHALF = re.compile(
    r"\b(?:on behalf of|im auftrag von|de la part de|namens|em nome de|en nombre de|per conto di|от имени)\s", re.I
)
_ENDS = re.compile(r"[-=_*‐–—]+\s?(?:end|ende|fin|fine|fim|slut|koniec|konec|конец)\b", re.I)
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
    is_forward: bool
    confidence: float
    is_end: bool = False


def find_header_block(lines: list[Line], index: int) -> HeaderBlock | None:
    """The block that begins at a line, which may be a separator above it. Limits: 12 labels, 5 lines each."""
    words, hint = lines[index].text, lines[index].hint
    separator = hint == "separator" or (len(words) < LONGEST_RULE and SEPARATOR.fullmatch(words) is not None)
    forwards = words[-1] in ":：" and len(words) < 60 and _FORWARDS.search(words) is not None
    speaks = separator and any(map(str.isalpha, words))
    named = hint == "block" or (speaks and bool(_MESSAGES.search(words) or _FORWARDS.search(words)))
    if named and _ENDS.match(words):
        return HeaderBlock(index, index + 1, read_introduction(""), True, 0.9, is_end=True)
    position = index
    if separator or forwards:
        position = _next_text(lines, index + 1, lines[index].marks, 2)
    elif hint != "block" and not _is_run(lines, index):
        return None
    if position >= 0:
        values, end = _read_labels(lines, position)
        least = 1 if named else 2 if separator or forwards else 3
        found = _judge(values, named=named or forwards, separator=separator or forwards) if len(values) >= least else None
        if found is not None:
            return HeaderBlock(
                index, end, found[0], position > index and (forwards or (speaks and bool(_FORWARDS.search(words)))), found[1]
            )
    forwards = forwards and len(words.split()) <= _MOST_WORDS and _MESSAGES.search(words) is not None
    if (named and hint != "block") or (forwards and _is_short(lines, index)):
        return HeaderBlock(index, index + 1, read_introduction(""), _FORWARDS.search(words) is not None, 0.8)
    return None


def _is_short(lines: list[Line], index: int) -> bool:
    """Whether a line stands by itself above a quote: `Begin forwarded message:` above deeper marks or a blank line."""
    following = lines[index + 1] if index + 1 < len(lines) else None
    alone = not index or not lines[index - 1].text
    return alone and following is not None and (not following.text or following.marks > lines[index].marks)


def could_begin(line: Line) -> bool:
    """Whether a block may begin here; cheap."""
    text = line.text
    if not text:
        return False
    if text[0] in "-_=*‐‑–—~":
        return True
    if text[-1] in ":：" and len(text) < 60:
        return True
    colon = text.find(":", 0, _LONGEST_LABEL)
    return colon > 0 or text.find("：", 0, _LONGEST_LABEL) > 0


def _is_run(lines: list[Line], index: int) -> bool:
    """Whether a label stands on a line and on the next ones, too; cheap."""
    if _label(lines[index]) is None:
        return False
    labels = 0
    for line in lines[index + 1 : index + 6]:
        labels += bool(line.text) and _label(line) is not None
    return labels >= 2 or (labels == 1 and ("@" in lines[index].text or index + 3 > len(lines)))


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
        if label is not None and (label[1] or len(values) < 3 or _is_labelled(lines, position + 1)):
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


def _is_labelled(lines: list[Line], index: int) -> bool:
    return index < len(lines) and bool(lines[index].text) and _label(lines[index]) is not None


def _continues(value: str, line: Line, lines: list[Line], position: int) -> bool:
    """Whether a line goes on with the value above it: folded, or a list of addresses."""
    if not value or value.endswith((",", ";")) or value.count('"') % 2:
        return True
    if "@" in line.text and ("@" in value or ";" in value) and len(line.text.split()) < 12:
        return True
    following = lines[position + 1] if position + 1 < len(lines) else None
    return (
        following is not None
        and following.marks == line.marks
        and bool(following.text)
        and len(line.text) < _LONGEST_CONTINUED
        and _label(following) is not None
    )


def _read_sender(value: str) -> Introduction:
    """Who a sender's label names: the author, not the machine that sent it for them."""
    behalf = _BEHALF.search(value)
    author = read_introduction(value[behalf.end() :]) if behalf is not None else None
    return author if author is not None and (author.name or author.address) else read_introduction(value)


def _judge(values: list[tuple[str, str]], *, named: bool, separator: bool) -> tuple[Introduction, float] | None:
    """Who and when, if the labels are those of a message."""
    date = who = None
    has_address = subject = known = False
    for label, value in values:
        if _SUBJECTS.match(label):
            subject = True
            continue
        found = find_date(value[:120])
        if date is None and found is not None:
            date = found
            continue
        is_sender = bool(_SENDERS.fullmatch(label))
        known = known or is_sender
        if who is None and (is_sender or find_address(value)):
            who = _read_sender(value)
            has_address = bool(who.address)
            if not who.name and not who.address:
                who = who._replace(name=value[:80].strip())
    if who is None and (date is None or not separator):
        return None
    whole = len(values) >= 3 and _SENDERS.fullmatch(values[0][0]) is not None
    evidence = whole + 2 * (date is not None) + 2 * has_address + subject + known + 2 * named + separator
    if evidence < 4:
        return None
    who = who or read_introduction("")
    message_id = next((value for label, value in values if label.lower() == "message-id" and value.startswith("<")), "")
    return who._replace(date=date, message_id=message_id, start=0), min(0.99, 0.6 + 0.06 * evidence)
