"""A post: gather what is known, judge it, thread it, store it, and put it into the outbox; one transaction.

Approving a held post enters at `publish`, so that it is threaded and sent exactly like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import answers, judging, notices, relinking, threading, waiting, weighing
from listserver.flows.accept import Arrival, Prepared, signs_of
from listserver.flows.site import Site
from listserver.lists import moderation
from listserver.lists.addressing import DestinationKind
from listserver.lists.attachments import left_out, names_of
from listserver.lists.dmarc import decide_author
from listserver.lists.model import MailingList
from listserver.lists.moderation import Accept, Discard, Hold, Ignore, Reject, Verdict
from listserver.lists.tokens import name_token
from listserver.lists.transform import edited_fields
from listserver.mail.bodytext import read_body
from listserver.mail.envelope import Envelope
from listserver.mail.reply import Reply
from listserver.render.textwidth import size_in_words
from listserver.store import incoming, lists, members, outbox, posts
from listserver.store.clean import clean_text
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState, OutgoingKind

_SHOWN_TEXT = 200  # lines of a writer's own text that are given back


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """One mail to a list's posting address, with what reading alone tells."""

    mail: NewMail
    prepared: Prepared
    alist: MailingList
    message_id: str


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Callable[[Connection], None]:
    """Judge and post one mail."""
    alist = site.directory.by_id(mail.list_id)
    if alist is None:
        return lambda connection: _end(connection, mail, IncomingState.ignored, "the list is gone")
    one = Incoming(mail=mail, prepared=prepared, alist=alist, message_id=message_id_of(site, prepared))
    _ = prepared.reading  # taken apart here, not while the database is held
    return lambda connection: _receive(connection, site, one)


def message_id_of(site: Site, prepared: Prepared) -> str:
    """The mail's own Message-ID, or one made from its content, so that a repeated delivery gets the same."""
    given = prepared.parsed.ids.message_id
    return clean_text(given, 998) if given else f"<{prepared.content_hash.hex()}.made@{site.hostname}>"


def refusal(site: Site, envelope: Envelope, arrival: Arrival, prepared: Prepared) -> Reply | None:
    """What a peer from outside is told inside the dialogue instead of a 250; None when the mail is taken."""
    if arrival.alist is None or arrival.destination.kind not in (DestinationKind.post, DestinationKind.reply_token):
        return None
    with site.database.read() as connection:
        facts = judging.gather(connection, site, arrival.alist, prepared, envelope.reverse_path)[0]
    verdict = moderation.judge(facts, arrival.alist.options)
    if isinstance(verdict, Reject) and verdict.rule == "stranger" and not facts.verified:
        alist = arrival.alist
        return Reply(550, "5.7.1", f"Only members can write to {alist.local}. To join, write to {alist.helper('join')}")
    return None


def _receive(connection: Connection, site: Site, one: Incoming) -> None:
    mail, alist, prepared = one.mail, one.alist, one.prepared
    twin = _twin(posts.by_message_ids(connection, alist.id, [one.message_id]), one)
    if twin is not None:
        _end(connection, mail, IncomingState.duplicate, f"the same as #{twin}", twin)
        return
    facts, member = judging.gather(connection, site, alist, prepared, mail.reverse_path)
    verdict = moderation.judge(facts, alist.options)
    answered = answers.find(connection, site, one.alist, mail, prepared)
    if answered.unclear and isinstance(verdict, Accept):
        verdict = Hold("digest-answer", "we could not tell which post of the digest you answer")
    may_answer = not signs_of(site, prepared, mail.reverse_path).is_automatic and bool(mail.reverse_path)
    _apply(connection, site, one, verdict, member, answered.post, may_answer=may_answer)


def _apply(
    connection: Connection, site: Site, one: Incoming, verdict: Verdict, member: Any, named: Any, *, may_answer: bool
) -> None:
    mail, alist = one.mail, one.alist
    match verdict:
        case Accept():
            publish(connection, site, one, member, named)
        case Hold(rule, reason, silent):
            _end(connection, mail, IncomingState.held, reason)
            waiting.tell_at_once(connection, site, alist, mail, one.prepared, reason)
            if may_answer and not silent:
                _tell(connection, site, one, "held", {"reason": reason}, stranger=member is None)
        case Reject(rule, reason):
            _reject(connection, site, one, rule, reason, may_answer=may_answer)
        case Discard(rule):
            _end(connection, mail, IncomingState.discarded, rule)
        case Ignore(rule):
            _end(connection, mail, IncomingState.ignored, rule)


def _reject(connection: Connection, site: Site, one: Incoming, rule: str, reason: str, *, may_answer: bool) -> None:
    """Not taken: the writer is told, if it is certain who that is; else the mail waits without an answer (no backscatter)."""
    verified = one.prepared.belief.verified
    if not verified:
        _end(connection, one.mail, IncomingState.held, reason)
        waiting.tell_at_once(connection, site, one.alist, one.mail, one.prepared, reason)
        return
    _end(connection, one.mail, IncomingState.rejected, reason)
    if may_answer and rule == "too-big":
        values: dict[str, object] = {
            "size": size_in_words(len(one.prepared.raw)),
            "limit": size_in_words(one.alist.options.max_bytes),
            "own_text": own_text(one.prepared),
        }
        _tell(connection, site, one, "too-big", values, stranger=False)
    elif may_answer:
        _tell(connection, site, one, "strangers-post", {}, stranger=True)


def _tell(connection: Connection, site: Site, one: Incoming, name: str, values: dict[str, object], *, stranger: bool) -> None:
    author = one.prepared.parsed.author
    if author is None:
        return
    subject = " ".join(one.prepared.parsed.subject.split())[:80] or "(no subject)"
    shown = subject if one.prepared.belief.verified or not stranger else "your email"
    notices.answer(
        connection,
        site,
        one.alist,
        name,
        str(author.address),
        {"subject": shown, **values},
        address_key=author.address.key,
        answered=one.prepared,
        reply_to=one.alist.helper("owner"),
        stranger=stranger,
    )


def own_text(prepared: Prepared) -> str:
    """The writer's words, to give them back."""
    return "\n".join(read_body(prepared.raw, prepared.header).text.split("\n")[:_SHOWN_TEXT])


@dataclass(frozen=True, slots=True)
class Published:
    """The number of a post, and whether this mail made it: another delivery of the same mail may have been faster."""

    number: int
    is_new: bool = True


def publish(connection: Connection, site: Site, one: Incoming, member: Any, named: Any) -> Published:
    """Number, thread and store a post, and queue a copy for everyone who gets each."""
    mail, alist, prepared = one.mail, one.alist, one.prepared
    parsed, now = prepared.parsed, site.now()
    number = lists.next_post(connection, alist.id)
    held = threading.look_up(connection, alist.id, one.message_id, parsed.ids)
    twin = _twin(held, one)
    if twin is not None:  # judged at the same time as this one, on PostgreSQL; or held twice and approved twice
        lists.give_back(connection, alist.id)
        _end(connection, mail, IncomingState.duplicate, f"the same as #{twin}", twin)
        return Published(twin, is_new=False)
    date = _plausible(parsed.date, now)
    clues = weighing.newcomer(parsed, prepared.reading, one.message_id, date)
    placed = threading.place(connection, alist.id, number, one.message_id, parsed.ids, named, now, held=held, clues=clues)
    author = parsed.author
    posts.add(
        connection,
        {
            "list_id": alist.id,
            "number": number,
            "original_id": mail.original_id,
            "incoming_id": mail.id,
            "member_id": member.id if member is not None else None,
            "message_id": one.message_id,
            "content_hash": prepared.content_hash,
            "author_name": clean_text(author.name, 200) if author else "",
            "author_address": clean_text(str(author.address), 400) if author else "",
            "date": date,
            "accepted_at": now,
            "subject": clean_text(parsed.subject, 900),
            "base_subject": clues.base_subject,
            "conversation": placed.conversation,
            "parent": placed.parent,
            "kind": placed.kind,
            "score": placed.score,
            "token": name_token(site.random_bytes(16)),
            "size": len(prepared.raw),
            "flags": placed.flags,
        },
    )
    relinking.look_again(connection, alist.id, placed.look_again, now)
    if member is not None:
        members.count_post(connection, alist.id, member.id)
    missing = names_of(left_out(prepared.raw, prepared.header)) if alist.options.attachments == "strip" else ()
    _queue(connection, site, one, member, number=number, conversation=placed.conversation, strips=bool(missing))
    if missing and mail.reverse_path and not signs_of(site, prepared, mail.reverse_path).is_automatic:
        _tell(connection, site, one, "posted", {"left_out": missing}, stranger=member is None)
    _end(connection, mail, IncomingState.posted, "", number)
    return Published(number)


def _twin(held: Sequence[Any], one: Incoming) -> int | None:
    """The post that is this very mail, delivered before (P5: Message-ID and content are the same)."""
    same = (r.number for r in held if r.message_id == one.message_id and bytes(r.content_hash) == one.prepared.content_hash)
    return next(same, None)


def _plausible(date: datetime | None, now: datetime) -> datetime:
    """The date as written, unless that is in the future or not there."""
    return date if date is not None and date <= now + timedelta(hours=1) else now


def _queue(
    connection: Connection, site: Site, one: Incoming, member: Any, *, number: int, conversation: int, strips: bool
) -> None:
    """Put a copy for everyone who gets this post into the outbox, with the choice of its author's name and the reason."""
    now = site.now()
    alist, prepared = one.alist, one.prepared
    decision = decide_author(
        prepared.belief.policy,
        prepared.belief.signatures,
        prepared.header,
        edited_fields(alist.options, prepared.header, rewrite=False, strips=strips),
        option=alist.options.rewrite_from,
    )
    outgoing_id = site.database.new_id()
    outbox.add(
        connection,
        list_id=alist.id,
        outgoing_id=outgoing_id,
        kind=OutgoingKind.post,
        original_id=one.mail.original_id,
        now=now,
        post_number=number,
        rewrite_author=decision.rewrite,
        reason=decision.reason,
    )
    skip = [box.address.key for box in (*prepared.parsed.to, *prepared.parsed.cc)] if alist.options.skip_addressed else []
    copies = outbox.snapshot(
        connection,
        alist.id,
        outgoing_id,
        now,
        author_id=member.id if member is not None else 0,
        own_copies=alist.options.own_copies,
        conversation=conversation,
        skip=skip,
        grace=timedelta(minutes=alist.options.grace_minutes),
    )
    maillog.queued(list_id=alist.id, post=number, outgoing=outgoing_id, copies=copies)


def _end(connection: Connection, mail: NewMail, state: IncomingState, detail: str, number: int | None = None) -> None:
    incoming.finish(connection, mail.list_id, mail.id, state, detail, number)
