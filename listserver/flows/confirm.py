"""The answer to a question of ours: found by its token, carried out for the address that was asked.

Words decide, silence never does, but for one thing: an empty reply confirms joining or leaving for oneself. Whatever is
not an answer leaves the question open; a longer text reaches a person.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import membership, notices, owner, schedule
from listserver.flows.accept import Prepared
from listserver.flows.talk import Talk, state_of
from listserver.lists.addressing import DestinationKind
from listserver.lists.commands import Word, read_word
from listserver.lists.model import MemberState
from listserver.lists.subscription import Event, Letters, Transition, advance
from listserver.lists.tokens import ALPHABET, QUESTION_LETTERS, hash_question
from listserver.mail.address import parse_address
from listserver.mail.bodytext import read_body
from listserver.store import lists, members, pending
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

_TOKEN = rf"[{ALPHABET}]{{{QUESTION_LETTERS}}}"
_IN_ID = re.compile(rf"<(?:[a-z]+-)+({_TOKEN})\.\d{{8,14}}@", re.I)
_ALONE = re.compile(rf"(?<![A-Za-z0-9])({_TOKEN})(?![A-Za-z0-9])", re.I)
_PASSED_ON_AT = 12  # words: from so many on a text was meant for a person
_CHANGES = {
    Word.digest: ({"delivery": "digest"}, "one email a day"),
    Word.each: ({"delivery": "each"}, "every post as it is written"),
    Word.pause: ({"state": MemberState.paused.value}, "no email for now"),
}


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


def answer(connection: Connection, talk: Talk, token: str) -> None:
    """Do what the answer says, or say why not."""
    question = pending.find(connection, talk.alist.id, hash_question(token)) if token else None
    now = talk.site.now()
    if question is None or question.answered_at is not None or question.expires_at <= now:
        _no_open_question(connection, talk, question)
        return
    word = read_word(talk.text)
    said_yes = (
        word in (Word.yes, Word.empty)
        or (word is Word.join and question.kind == "join")
        or (word is Word.leave and question.kind == "leave")
        or (question.kind == "join" and word in (Word.digest, Word.each))
    )
    if word is Word.empty and not talk.may_answer:
        talk.end(connection, "an empty reply with signs of a robot", IncomingState.ignored)
    elif word is Word.no:
        pending.answer(connection, talk.alist.id, question.token_hash, now)
        talk.end(connection, f"{question.kind}: no")
    elif question.kind == "leave" and word in _CHANGES:
        pending.answer(connection, talk.alist.id, question.token_hash, now)
        _change(connection, talk, question, word)
    elif not said_yes:
        _not_an_answer(connection, talk, question, token)
    elif pending.answer(connection, talk.alist.id, question.token_hash, now):
        _carry_out(connection, talk, question, word)


def _no_open_question(connection: Connection, talk: Talk, question: Any) -> None:
    """An unknown, answered or expired token: what is still open for that address, or meant by the expired one, is asked anew."""
    now = talk.site.now()
    open_ones = pending.open_for(connection, talk.alist.id, talk.author.address.key, now)
    expired = question is not None and question.answered_at is None
    again: Any = question if expired else next(iter(open_ones), None)
    address = parse_address(again.address) if again is not None else None
    if address is not None and talk.ask(connection, again.kind, json.loads(again.data), to=address):
        pending.answer(connection, talk.alist.id, again.token_hash, now)
        talk.end(connection, f"{again.kind}: asked anew")
        return
    if question is None:
        first = "We do not know which question you answer."
    else:
        first = (
            "That question was answered already." if question.answered_at else "Its time is over: that question is a week old."
        )
    talk.tell(connection, "not-understood", {"first": first}, member=talk.member(connection))
    talk.end(connection, "an answer to no open question")


def _not_an_answer(connection: Connection, talk: Talk, question: Any, token: str) -> None:
    """Something else was written: the question stays open, and a longer text reaches a person."""
    member = talk.member(connection)
    if len(talk.text.split()) >= _PASSED_ON_AT:
        owner.pass_on(connection, talk.site, talk.mail, talk.prepared, talk.alist)
        talk.tell(connection, "passed-on", member=member)
        talk.end(connection, f"{question.kind}: passed on to the owners", IncomingState.owner)
        return
    first = f"To {question.kind}, reply to this email with the word yes."
    reply_to = notices.confirm_address(talk.alist, token)
    talk.tell(connection, "not-understood", {"first": first}, member=member, reply_to=reply_to)
    talk.end(connection, f"{question.kind}: not an answer")


def _change(connection: Connection, talk: Talk, question: Any, word: Word) -> None:
    """Asked whether to leave, somebody wants less mail instead (E5)."""
    values, words = _CHANGES[word]
    member = members.find(connection, talk.alist.id, question.address_key)
    if member is not None and member.state != MemberState.left.value:
        changes: dict[str, object] = {**values, "digest_due": None}
        if values.get("delivery") == "digest" != member.delivery:
            changes["digest_through"] = lists.last_post(connection, talk.alist.id)
        members.change(connection, talk.alist.id, member.id, changes)
        schedule.plan(connection, talk.alist, talk.site.now())
        changed = members.by_id(connection, talk.alist.id, member.id)
        talk.tell(connection, "done", {"words": words, "word": word.value}, member=changed)
    talk.end(connection, f"leave: {word} instead")


def _carry_out(connection: Connection, talk: Talk, question: Any, word: Word) -> None:
    address = parse_address(question.address)
    member = members.find(connection, talk.alist.id, question.address_key)
    if question.kind == "join" and address is not None:
        data = json.loads(question.data)
        wanted = word.value if word in (Word.digest, Word.each) else data.get("delivery", "")
        options = talk.alist.options
        transition = advance(state_of(member), Event.join_confirmed, policy=options.subscribe, welcome=options.welcome)
        _begin(connection, talk, transition, (str(address), question.address_key, data.get("name", "")), wanted)
    elif question.kind == "leave" and member is not None and member.state != MemberState.left.value:
        membership.leave(connection, talk.site, talk.alist, member.id)
        maillog.unsubscribed(list_id=talk.alist.id, member=member.id)
        talk.tell(connection, Letters.goodbye, member=member)
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
