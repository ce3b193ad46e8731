"""What came back: one mail → what it says of the address that ours was meant for, or None when it says nothing of it.

In this order: a complaint (RFC 5965), a standard report (RFC 3464), an automatic answer that a person's program sent to
the return-path, the words of a mail system by our own reader, and the forms that flufl.bounce knows. Whose mail came
back is said by the return-path that it came to, which is signed; a mail that did not come there needs a sign that a mail
system wrote it, so that a post about a bounce is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from listserver.mail.automatic import STRONG_FIELDS, read_signs
from listserver.mail.complaint import read_complaint
from listserver.mail.dsn import RecipientReport, Report, read_recipients, read_report, returned_message_id
from listserver.mail.headers import Header, decode_text, read_header, unfold
from listserver.mail.known_forms import find_failures
from listserver.mail.mime import Part, decode_transfer, read_parameters, read_parts
from listserver.mail.refusal import Reason, Weight, find_status, weigh_refusal
from listserver.mail.refusal_words import AWAY
from listserver.mail.returned_text import Explanation, find_recipient, read_explanation, weigh_explanation

# The local parts and the names that mail systems write under.
_MACHINES = re.compile(
    r"(?:mailer-?_?daemon|mail-?daemon|post[-_.]?master|mdaemon|mail-?deliver\w*|bounces?|smtp-?daemon|mmdf|pmdf|uucp|mailadm\w*"
    r"|maildelivery|daemon|mail-?system|mxdaemon|mailmaster|mail_?server|non-?delivery|ndr|autoreply-?daemon"
    r"|microsoftexchange[0-9a-f]+)(?!\w)",
    re.I,
)
_MACHINE_NAMES = re.compile(
    r"mail(?:er)?[- ]?daemon|mail delivery|delivery (?:sub)?system|system administrator|postmaster|mail administrator"
    r"|mail system|mail server|delivery service|mail router|mail transfer|message delivery|zustellung|systemadministrat"
    r"|administrateur système|administrador del sistema",
    re.I,
)
# Subjects that say nothing else, and those that only mail systems give to what they send back.
_STRONG_SUBJECTS = re.compile(
    r"\W{0,3}(?:undeliver(?:able|ed)|non[- ]?deliver|nondeliver|returned (?:mail|e-?mail|message)|mail (?:delivery (?:fail|status|problem|"
    r"error|warning)|system error|returned|undeliverable|not delivered|could not be)|message (?:could not|undeliverable|not delivered"
    r"|delivery fail)|delivery (?:status notification|failure|failed|notification|report|error|unsuccessful|has failed)"
    r"|failure (?:notice|notification|delivery)|failed (?:mail|delivery)|error (?:sending|delivering)|delayed mail"
    r"|notice: mail delivery|warning: (?:could not send|message|mail)|nicht zustellbar|unzustellbar|zustellung fehl"
    r"|fehler bei der|échec de|echec de|non remis"
    r"|avis de non"
    r"|no se puede entregar|no se pudo entregar|correo devuelto|mancata consegna|mancato recapito|onbestelbaar|zwrot|退信|系统退信|недоставлен)",
    re.I,
)
_SUBJECTS = re.compile(
    r"\W{0,3}(?:(?:auto(?:matic|mated)? ?\]?:? ?)?(?:returned?|mail|message|deliver(?:y|ed)|failure|failed|error|warning|delayed|bounced?"
    r"|notification|could not|unable to|ndn|ndr|rejected|your message|your e?-?mail|sorry|problem|system|automatically rejected)\b"
    r"|zustellung|fehler|mail nicht|nachricht|courrier|message non|notification|devuelto|error|notificaci|notificaç|falha|devolvid"
    r"|messaggio|niet bezorg|niedostarcz|не доставлен|退回|无法|未送达|失败|邮件|郵件|投递|配信|送信|メール|エラー)",
    re.I,
)
_LATE_SUBJECTS = re.compile(
    r"\bdelay(?:ed)?\b|still being retried|\bwarning\b.{0,40}\b(?:could not send|delayed|not (?:yet )?(?:been )?delivered|undelivered)"
    r"|verzögert|retard[ée]|retrasad|demorad|ritardat|vertraagd|延迟|遅延",
    re.I,
)
_ANSWERED = re.compile(r"(?:re|aw|antw|sv|rv|fwd?|wg|tr)\s*:", re.I)
_AWAY_SUBJECTS = re.compile(
    r"automat\w* (?:reply|respon|antwort|odpow|svar|ant?woord)|\bauto[- ]?(?:re(?:ply|sponse|sponder)|antwort)|out of (?:the )?office"
    r"|\bvacation\b|abwesen|\bon leave\b|\booo\b|réponse automatique|respuesta automática|resposta automática|自动回复|自動返信",
    re.I,
)
_BEGINNING = 500  # characters in which an automatic answer says what it is
_LIST_FIELDS = ("list-id", "list-post", "mailing-list", "x-mailing-list", "x-mailman-version", "x-beenthere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """One mail that came back: how much it weighs, why, and what can be shown of it."""

    weight: Weight
    reason: Reason = Reason.none
    recipient: str = ""
    status: str = ""
    detail: str = ""
    """What the other system said, in its own words."""
    message_id: str | None = None
    read_by: str = ""
    """Which reader recognised it: report, complaint, automatic, words or flufl.bounce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mail:
    raw: bytes
    header: Header
    parts: tuple[Part, ...]
    subject: str
    explanation: Explanation
    nobody: bool
    named: bool
    from_machine: bool
    null_path: bool
    strong_subject: bool
    typical_subject: bool
    expected: bool


def read_returned(
    raw: bytes, header: Header, *, reverse_path: str | None = None, expected: bool = False, about: str = ""
) -> Returned | None:
    """Read a mail that may have come back. Never raises; linear.

    `reverse_path` is that of its envelope, where known; `expected` says that it came to a return-path with our signature,
    so that it need not look like a machine's; of a report about several recipients the one about the address `about` counts.

    Limits: those of `mime.read_parts`, 64 KB of each text, 200 KB of a report.
    """
    raw, header, parts = _open_nested(raw, header)
    complaint = read_complaint(raw, header, parts)
    if complaint is not None:
        return Returned(
            weight=Weight.complaint, recipient=complaint.recipient, detail=complaint.feedback_type, read_by="complaint"
        )
    mail = _look(raw, header, parts, reverse_path, expected=expected)
    if not (mail.from_machine or mail.typical_subject or mail.null_path or expected):
        return _automatic(mail, reverse_path)
    return _standard(mail, about) or _automatic(mail, reverse_path) or _in_words(mail) or _known_form(mail)


def _open_nested(raw: bytes, header: Header) -> tuple[bytes, Header, tuple[Part, ...]]:
    """The mail itself, or the report inside of it: some systems send a report on as the only part of a mail of theirs."""
    parts = read_parts(raw, header)[0]
    leaves = [part for part in parts if not part.is_multipart]
    if len(leaves) == 1 and leaves[0].kind == "message/rfc822":
        inner = decode_transfer(raw[leaves[0].start : leaves[0].end], leaves[0].encoding).data
        inner_header = read_header(inner)
        if read_parameters(inner_header.first("content-type"))[0] == "multipart/report":
            return inner, inner_header, read_parts(inner, inner_header)[0]
    return raw, header, parts


def _look(raw: bytes, header: Header, parts: tuple[Part, ...], reverse_path: str | None, *, expected: bool) -> _Mail:
    subject = decode_text(header.first("subject") or b"", 500)
    writer = decode_text(header.first("from") or b"", 500)
    return_path = unfold(header.first("return-path") or b"-", 300)
    through_list = any(map(header.count, _LIST_FIELDS))
    null_path = reverse_path == "" or (reverse_path is None and return_path in ("<>", "") and not through_list)
    local = (writer.rpartition("<")[2] if "<" in writer else writer).strip().partition("@")[0]
    nobody = local.strip("<> ") == ""  # `From: <>`: nobody but a machine writes that
    named = (
        nobody or _MACHINES.match(local.strip("\"' ")) is not None or _MACHINE_NAMES.search(writer.partition("<")[0]) is not None
    )
    from_machine = named and (expected or not through_list)  # a list may have passed a mail system's words on as a post
    machine = from_machine or null_path
    fresh = not through_list and not header.count("in-reply-to") and not _ANSWERED.match(subject)
    strong = _STRONG_SUBJECTS.match(subject) is not None and (machine or fresh)
    kind, parameters = read_parameters(header.first("content-type"))
    reports = kind == "multipart/report" and parameters.get("report-type", "delivery-status").lower().endswith("delivery-status")
    is_report = reports and (machine or not through_list)
    return _Mail(
        raw=raw,
        header=header,
        parts=parts,
        subject=subject,
        explanation=read_explanation(raw, parts),
        nobody=nobody,
        named=named,
        from_machine=from_machine,
        null_path=null_path,
        strong_subject=strong or is_report,
        typical_subject=strong or is_report or (_SUBJECTS.match(subject) is not None and (machine or fresh)),
        expected=expected,
    )


def _standard(mail: _Mail, about: str) -> Returned | None:
    """A report with its fields, in a part of its own or (from some programs) in the text."""
    report = read_report(mail.raw, mail.header, mail.parts)
    if report is None and (mail.from_machine or mail.null_path or mail.expected):
        found = read_recipients("\n".join(mail.explanation.lines).encode()) if "ecipient:" in mail.explanation.text else []
        report = Report(recipients=tuple(found), message_id=_message_id(mail)) if found else None
    if report is None:
        return None
    wanted = about.lower()
    mine = [each for each in report.recipients if wanted and wanted in (each.recipient.lower(), each.original_recipient.lower())]
    return _weigh_recipient(mail, mine[0] if mine else report.worst, report.message_id)


def _weigh_recipient(mail: _Mail, recipient: RecipientReport, message_id: str | None) -> Returned:
    """By its diagnostic; where that says nothing, by the words that people are given beside it."""
    said, detail = recipient.diagnostic, recipient.diagnostic
    weight, reason = weigh_refusal(said, status=recipient.status, action=recipient.action)
    named = recipient.action in ("failed", "delayed", "delivered", "relayed", "expanded")
    if not named and (mail.explanation.is_late or _LATE_SUBJECTS.search(mail.subject)):
        weight = Weight.delayed
    unsure = reason is Reason.none or (not said and recipient.status[2:] in ("0.0", ""))
    if weight in (Weight.hard, Weight.soft) and unsure and mail.explanation.lines:
        (told, why), words = weigh_explanation(mail.explanation)
        if why is not Reason.none and told is not Weight.delayed:
            weight, reason, detail = _milder(told, recipient.status), why, detail or words
    return Returned(
        weight=weight,
        reason=reason,
        recipient=recipient.recipient,
        status=recipient.status or find_status(said),
        detail=detail[:400],
        message_id=message_id,
        read_by="report",
    )


def _milder(told: Weight, status: str) -> Weight:
    """A report that speaks of a temporary trouble does not become hard by its words."""
    return Weight.soft if told is Weight.hard and status.startswith("4") else told


def _automatic(mail: _Mail, reverse_path: str | None) -> Returned | None:
    """What a person's program answers by itself; only where the mail says so of itself."""
    header = mail.header
    signs = read_signs(header, reverse_path if reverse_path is not None else "-", mail.subject)
    submitted = (header.first("auto-submitted") or b"").strip().lower()
    answers = (
        any(sign.startswith("its subject") for sign in signs.weak)
        or any(map(header.count, STRONG_FIELDS))
        or any((unfold(body, 100).lower() == "auto_reply") for body in header.all("precedence"))
        or _AWAY_SUBJECTS.search(mail.subject) is not None
        or submitted.startswith((b"auto-replied", b"auto-notified"))
        or (
            (mail.from_machine or mail.null_path)
            and AWAY.search(mail.explanation.words[:_BEGINNING])
            and not mail.typical_subject
        )
        or (mail.null_path and not mail.from_machine and not mail.typical_subject and not _tells_of_failure(mail.explanation))
    )
    if not answers:
        return None
    if _machine_speaks(mail) and not _AWAY_SUBJECTS.search(mail.subject):
        return None  # mail systems mark their reports as automatic answers, too
    return Returned(weight=Weight.auto_reply, detail=mail.subject[:200], read_by="automatic")


def _machine_speaks(mail: _Mail) -> bool:
    """Whether it is a mail system's report, however it is marked."""
    explanation = mail.explanation
    if mail.named:
        through_list = mail.named != mail.from_machine
        return mail.typical_subject or through_list or explanation.says_failed or _nobody_refuses(mail)
    told = mail.typical_subject and explanation.says_failed
    return mail.null_path and (mail.strong_subject or explanation.quotes_server or told)


def _nobody_refuses(mail: _Mail) -> bool:
    return mail.nobody and mail.explanation.refuses and not AWAY.search(mail.explanation.words[:_BEGINNING])


def _tells_of_failure(explanation: Explanation) -> bool:
    return explanation.says_failed or explanation.quotes_server


def _in_words(mail: _Mail) -> Returned | None:
    """By the words of a mail system."""
    explanation = mail.explanation
    if not _is_failure(mail):
        return None
    (weight, reason), detail = weigh_explanation(explanation, late=_LATE_SUBJECTS.search(mail.subject) is not None)
    if reason is Reason.none and mail.subject.lower().startswith("delivery failure:"):  # Domino says it there
        weight, reason = weigh_refusal(mail.subject)
    return Returned(
        weight=weight,
        reason=reason,
        recipient=_failed_recipient(mail.header) or find_recipient(explanation),
        status=find_status(detail),
        detail=detail[:400],
        message_id=_message_id(mail),
        read_by="words",
    )


def _is_failure(mail: _Mail) -> bool:
    """Whether it says that a mail did not arrive: in words of its own, and with a sign that a mail system wrote it."""
    explanation = mail.explanation
    tells = explanation.refuses or explanation.is_late or _LATE_SUBJECTS.search(mail.subject) is not None
    if mail.from_machine or mail.null_path:
        speaks = mail.typical_subject or _nobody_refuses(mail) or _tells_of_failure(explanation)
        return speaks and (tells or mail.strong_subject or (mail.typical_subject and explanation.says_failed))
    return (
        mail.typical_subject and explanation.says_failed and (tells or mail.strong_subject) and bool(find_recipient(explanation))
    )


def _failed_recipient(header: Header) -> str:
    """The first address of the field that Exim and Gmail add."""
    return decode_text(header.first("x-failed-recipients") or b"", 400).partition(",")[0].strip("<> ")


def _known_form(mail: _Mail) -> Returned | None:
    if not (mail.from_machine or mail.null_path or (mail.expected and mail.typical_subject)):
        return None
    found, late = find_failures(mail.raw, mail.header)
    if not found:
        return None
    (weight, reason), detail = weigh_explanation(mail.explanation, late=late)
    return Returned(
        weight=weight, reason=reason, recipient=found[0], status=find_status(detail), detail=detail[:400], read_by="flufl.bounce"
    )


def _message_id(mail: _Mail) -> str | None:
    return returned_message_id(mail.raw, mail.header, mail.parts)
