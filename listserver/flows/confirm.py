"""The answer to a question of ours: found by its token, carried out for the address that was asked.

Words decide, silence never does, but for one thing: an empty reply confirms joining or leaving for oneself. Whatever is
not an answer leaves the question open; a longer text reaches a person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import instruct, membership, notices, preferences, schedule
from listserver.flows.accept import Prepared
from listserver.flows.talk import Talk, state_of
from listserver.lists.addressing import DestinationKind
from listserver.lists.model import MemberState
from listserver.lists.subscription import Event, Letters, Transition, advance
from listserver.lists.tokens import ALPHABET, QUESTION_LETTERS, hash_question
from listserver.lists.vocabulary import Meaning
from listserver.lists.wordreading import A_LETTER, Reading, ReadingKind
from listserver.mail.address import parse_address
from listserver.mail.bodytext import read_body
from listserver.store import lists, members, pending
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

_TOKEN = rf"[{ALPHABET}]{{{QUESTION_LETTERS}}}"
_TO = {"settings": "have it changed"}
_IN_ID = re.compile(rf"<(?:[a-z]+-)+({_TOKEN})\.\d{{8,14}}@", re.I)
_ALONE = re.compile(rf"(?<![A-Za-z0-9])({_TOKEN})(?![A-Za-z0-9])", re.I)
_ASKED_ANEW = ("join", "leave", "settings")
_INSTEAD = {Meaning.digest, Meaning.each, Meaning.pause}
_YES_TO_JOINING = {Meaning.yes, Meaning.join, Meaning.digest, Meaning.each}


def named_token(mail: NewMail, prepared: Prepared, kind: DestinationKind) -> str:
    """The token of the question that a mail answers: in the address, else in the ids it answers, else in subject or text.

    Subject and text count at the confirm address only, where nothing else can be meant by such a word.
    """
    if kind is DestinationKind.confirm and mail.token:
        return mail.token
    ids = prepared.parsed.ids
    found = next((m for m in map(_IN_ID.match, (*ids.in_reply_to, *reversed(ids.references))) if m), None)
    if found is None and kind is DestinationKind.confirm:
        text = f"{prepared.parsed.subject}\n{read_body(prepared.raw, prepared.header).text[:4000]}"
        found = _ALONE.search(text)
    return found[1].lower() if found else mail.token


def is_question(connection: Connection, talk: Talk, token: str) -> bool:
    """Whether we asked this list's people something under this token."""
    return pending.find(connection, talk.alist.id, hash_question(token)) is not None


def answer(connection: Connection, talk: Talk, token: str, *, otherwise: Callable[[Connection, Talk], None]) -> None:
    """Do what the answer says; `otherwise` takes words that answer something else than was asked."""
    question = pending.find(connection, talk.alist.id, hash_question(token)) if token else None
    now = talk.site.now()
    reading = talk.reading
    words = [command.meaning for command in reading.commands]
    if question is None or question.answered_at is not None or question.expires_at <= now:
        if words and not set(words) <= {Meaning.yes, Meaning.no, Meaning.undo} and talk.mail.kind != DestinationKind.confirm:
            otherwise(connection, talk)
        else:
            _no_open_question(connection, talk, question)
    elif reading.kind is ReadingKind.empty and not talk.may_answer:
        talk.end(connection, "an empty reply with signs of a robot", IncomingState.ignored)
    elif words == [Meaning.no]:
        pending.answer(connection, talk.alist.id, question.token_hash, now)
        talk.end(connection, f"{question.kind}: no")
    elif question.kind == "leave" and words and set(words) <= _INSTEAD:
        pending.answer(connection, talk.alist.id, question.token_hash, now)
        _instead(connection, talk, question)
    elif _says_yes(question.kind, reading, words):
        if pending.answer(connection, talk.alist.id, question.token_hash, now):
            _carry_out(connection, talk, question, words)
    elif question.kind in ("undo", "mean") or (words and question.kind == "settings"):
        otherwise(connection, talk)
    else:
        _not_an_answer(connection, talk, question, token)


def _says_yes(kind: str, reading: Reading, words: list[Meaning]) -> bool:
    """Words decide; silence is a yes to joining and leaving for oneself, and to nothing else."""
    match kind:
        case "join":
            return reading.kind is ReadingKind.empty or (len(words) == 1 and words[0] in _YES_TO_JOINING)
        case "leave":
            return reading.kind is ReadingKind.empty or words in ([Meaning.yes], [Meaning.leave])
        case "undo":
            return words == [Meaning.undo]
        case _:
            return words == [Meaning.yes]


def _no_open_question(connection: Connection, talk: Talk, question: Any) -> None:
    """An unknown, answered or expired token: what is still open for that address, or meant by the expired one, is asked anew."""
    now = talk.site.now()
    open_ones = [
        each for each in pending.open_for(connection, talk.alist.id, talk.author.address.key, now) if each.kind in _ASKED_ANEW
    ]
    expired = question is not None and question.answered_at is None and question.kind in _ASKED_ANEW
    again: Any = question if expired else next(iter(open_ones), None)
    address = parse_address(again.address) if again is not None else None
    data = json.loads(again.data) if again is not None else {}
    items = preferences.commands_from_text(data["commands"]) if data.get("commands") else []
    if address is not None and talk.ask(connection, again.kind, data, to=address, values={"items": items}):
        pending.answer(connection, talk.alist.id, again.token_hash, now)
        talk.end(connection, f"{again.kind}: asked anew")
        return
    if question is None:
        first = "We do not know which question you answer."
    else:
        first = "That question was answered already." if question.answered_at else "Its time is over."
    talk.tell(connection, "not-understood", {"first": first}, member=talk.member(connection))
    talk.end(connection, "an answer to no open question")


def _not_an_answer(connection: Connection, talk: Talk, question: Any, token: str) -> None:
    """Something else was written: the question stays open, and a longer text reaches a person."""
    member = talk.member(connection)
    if len(talk.text.split()) >= A_LETTER:
        instruct.pass_on(connection, talk, member)
        return
    first = f"To {_TO.get(question.kind, question.kind)}, reply to this email with the word yes."
    reply_to = notices.confirm_address(talk.alist, token)
    talk.tell(connection, "not-understood", {"first": first}, member=member, reply_to=reply_to)
    talk.end(connection, f"{question.kind}: not an answer")


def _instead(connection: Connection, talk: Talk, question: Any) -> None:
    """Asked whether to leave, somebody wants less mail instead (E5)."""
    member = members.find(connection, talk.alist.id, question.address_key)
    if member is None or member.state == MemberState.left.value:
        talk.end(connection, "leave: not a member any more")
        return
    instruct.finish_changes(connection, talk, list(talk.reading.commands), member)


def _carry_out(connection: Connection, talk: Talk, question: Any, words: list[Meaning]) -> None:
    member = members.find(connection, talk.alist.id, question.address_key)
    if member is not None and member.state == MemberState.left.value and question.kind != "join":
        member = None
    data = json.loads(question.data)
    kept = preferences.commands_from_text(data["commands"]) if data.get("commands") else []
    asked = question.kind if question.kind != "mean" else next((each.meaning.value for each in kept), "")
    address = parse_address(question.address)
    if asked == "join" and address is not None:
        wanted = words[0].value if words in ([Meaning.digest], [Meaning.each]) else data.get("delivery", "")
        options = talk.alist.options
        transition = advance(state_of(member), Event.join_confirmed, policy=options.subscribe, welcome=options.welcome)
        _begin(connection, talk, transition, (str(address), question.address_key, data.get("name", "")), wanted)
    elif asked == "leave" and member is not None:
        membership.leave(connection, talk.site, talk.alist, member.id)
        maillog.unsubscribed(list_id=talk.alist.id, member=member.id)
        talk.tell(connection, Letters.goodbye, member=member)
    elif asked == "undo" and member is not None:
        instruct.undo(connection, talk, question, member)
        return
    elif member is not None and [each for each in kept if each.meaning in preferences.CHANGING]:
        instruct.finish_changes(connection, talk, kept, member)
        return
    elif kept:
        talk.tell(
            connection, "settings" if member is not None and asked == "settings" else "help", {"member": member}, member=member
        )
    talk.end(connection, f"{question.kind}: confirmed")


def _begin(connection: Connection, talk: Talk, transition: Transition, who: tuple[str, str, str], wanted: str) -> None:
    """A confirmed address becomes a member, or waits for an owner."""
    alist, now = talk.alist, talk.site.now()
    known = members.find(connection, alist.id, who[1])
    if transition.state is None or transition.letter in (Letters.already_member, Letters.by_invitation):
        talk.tell(connection, transition.letter, member=known)
        return
    options = {"delivery": wanted} if wanted else {} if known is not None else {"delivery": alist.options.default_delivery}
    added = members.add(
        connection,
        alist.id,
        [who],
        options,
        state=transition.state.value,
        now=now,
        digest_through=lists.last_post(connection, alist.id),
    )
    schedule.plan(connection, alist, now)
    for number in added:
        if transition.state is MemberState.active:
            maillog.subscribed(list_id=alist.id, member=number)
        if transition.letter is Letters.welcome:
            notices.welcome(connection, talk.site, alist, number)
    if transition.letter is Letters.waiting_for_owner:
        talk.tell(connection, transition.letter)
        if added:
            notices.staff(connection, talk.site, alist, "wants-to-join", {"who": who[0], "name": who[2]})
