"""Joining, leaving, confirming by mail: what a role address was told, and what follows from it.

`-leave@` ignores its content entirely, `-join@` all but the words *digest* and *each*. Nobody acts on From alone: what is
not verified is asked of the address it affects, and only the answer acts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import membership, notices, owner, schedule
from listserver.flows.accept import Prepared, signs_of
from listserver.flows.site import Site
from listserver.lists.addressing import DestinationKind
from listserver.lists.commands import Word, new_text, read_word
from listserver.lists.model import MailingList, MemberState
from listserver.lists.subscription import Event, Letters, Transition, advance
from listserver.lists.tokens import hash_question, question_token, read_permission
from listserver.mail.address import Mailbox, parse_address
from listserver.mail.bodytext import read_body
from listserver.store import incoming, lists, members, pending
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

CONFIRM_FOR = timedelta(days=7)
Work = Callable[[Connection], None]


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Work:
    """What to do with a mail to a role address."""
    alist = site.directory.by_id(mail.list_id)
    kind = DestinationKind(mail.kind)
    if kind is DestinationKind.leave and mail.token:
        return _leave_by_token(site, mail, prepared)
    if alist is None:
        return _finish(mail, IncomingState.ignored, "no list named")
    signs = signs_of(site, prepared, mail.reverse_path)
    if signs.strong and kind is not DestinationKind.leave:
        return _finish(mail, IncomingState.ignored, f"automatic mail: {signs.strong[0]}")
    author = prepared.parsed.author
    if author is None:
        return _finish(mail, IncomingState.ignored, "not exactly one readable author")
    command = _Command(site, mail, prepared, alist, author, may_answer=not signs.is_automatic)
    body = read_body(prepared.raw, prepared.header)
    command.text = new_text(body.text)
    match kind:
        case DestinationKind.join:
            return command.join
        case DestinationKind.leave:
            return command.leave
        case DestinationKind.confirm | DestinationKind.question | DestinationKind.undo | DestinationKind.moderate:
            return command.confirm
        case _:
            return command.request


def _finish(mail: NewMail, state: IncomingState, detail: str) -> Work:
    return lambda connection: _ended(connection, mail, state, detail)


def _ended(connection: Connection, mail: NewMail, state: IncomingState, detail: str) -> None:
    incoming.finish(connection, mail.list_id, mail.id, state, detail)


def _leave_by_token(site: Site, mail: NewMail, prepared: Prepared) -> Work:
    """List-Unsubscribe: the token names list and member; done at once, whatever the From (RFC 2369 §3.2)."""
    named = read_permission(site.secret, "leave", mail.token)
    alist = site.directory.by_id(named.list_id) if named is not None else None

    def work(connection: Connection) -> None:
        member = members.by_id(connection, named.list_id, named.member_id) if named is not None and alist is not None else None
        if alist is None or member is None:
            _ended(connection, mail, IncomingState.ignored, "a token that is not ours")
            return
        if member.state != MemberState.left.value:
            membership.leave(connection, site, alist, member.id)
            if not signs_of(site, prepared, mail.reverse_path).is_automatic:
                notices.notice(
                    connection, site, alist, Letters.goodbye.value, member, {}, reply_to=alist.helper("request"), leaving=True
                )
        _ended(connection, mail, IncomingState.command, "left by token")

    return work


class _Command:
    """One mail to a role address; its methods run in the transaction."""

    def __init__(
        self, site: Site, mail: NewMail, prepared: Prepared, alist: MailingList, author: Mailbox, *, may_answer: bool
    ) -> None:
        self.site, self.mail, self.prepared, self.alist, self.author = site, mail, prepared, alist, author
        self.may_answer = may_answer
        self.verified = prepared.belief.verified
        self.text = ""

    def _member(self, connection: Connection) -> Any:
        return members.find(connection, self.alist.id, self.author.address.key)

    def _state(self, member: Any) -> MemberState | None:
        return MemberState(member.state) if member is not None else None

    def _end(self, connection: Connection, detail: str, state: IncomingState = IncomingState.command) -> None:
        _ended(connection, self.mail, state, detail)

    # -- join ----------------------------------------------------------------------------------------------

    def join(self, connection: Connection) -> None:
        """Somebody asks to join; always asked back, because joining sends mail to whoever owns the address."""
        member = self._member(connection)
        transition = advance(self._state(member), Event.join_asked, policy=self.alist.options.subscribe)
        if transition.letter is Letters.confirm_join:
            word = read_word(self.text)
            wanted = word.value if word in (Word.digest, Word.each) else ""
            self._ask(connection, "join", Letters.confirm_join, {"delivery": wanted} if wanted else {})
        else:
            self._tell(connection, transition.letter, member)
        self._end(connection, f"join: {transition.letter or 'nothing to do'}")

    def _ask(self, connection: Connection, kind: str, letter: Letters, data: dict[str, str]) -> None:
        """Ask the address itself, with a token that only its mailbox sees."""
        if not self.may_answer:
            return
        now = self.site.now()
        token = question_token(self.site.random_bytes(16))
        until = now + CONFIRM_FOR
        sent = notices.answer(
            connection,
            self.site,
            self.alist,
            letter.value,
            str(self.author.address),
            {"until": f"{until:%A} {until.day} {until:%B}"},
            address_key=self.author.address.key,
            to_name=self.author.name if self.verified else "",
            answered=self.prepared,
            token=token,
            reply_to=notices.confirm_address(self.alist, token),
            stranger=kind == "join",
        )
        if sent:
            pending.ask(
                connection,
                list_id=self.alist.id,
                token_hash=hash_question(token),
                kind=kind,
                address=str(self.author.address),
                address_key=self.author.address.key,
                now=now,
                expires_at=until,
                data=json.dumps({**data, "name": self.author.name}, ensure_ascii=False),
            )

    def _tell(self, connection: Connection, letter: Letters | None, member: Any, values: dict[str, object] | None = None) -> None:
        if letter is None or not self.may_answer:
            return
        how = notices.how_it_comes(self.alist, member) if member is not None else ""
        notices.answer(
            connection,
            self.site,
            self.alist,
            letter.value,
            str(self.author.address),
            {"how": how, "verified": self.verified, **(values or {})},
            address_key=self.author.address.key,
            to_name=self.author.name if self.verified else "",
            answered=self.prepared,
            reply_to=self.alist.helper("request"),
            stranger=member is None,
        )

    # -- leave -----------------------------------------------------------------------------------------------

    def leave(self, connection: Connection) -> None:
        """Somebody asks to leave: done if we believe who asks, else asked."""
        member = self._member(connection)
        event = Event.leave_verified if self.verified else Event.leave_unverified
        transition = advance(self._state(member), event)
        if transition.letter is Letters.confirm_leave:
            self._ask(connection, "leave", Letters.confirm_leave, {})
        elif transition.state is MemberState.left and member is not None:
            membership.leave(connection, self.site, self.alist, member.id)
            maillog.unsubscribed(list_id=self.alist.id, member=member.id)
            self._tell(connection, transition.letter, member)
        else:
            self._tell(connection, transition.letter, None)
        self._end(connection, f"leave: {transition.letter}")

    # -- confirm -----------------------------------------------------------------------------------------------

    def confirm(self, connection: Connection) -> None:
        """The answer to a question of ours: found by the token, carried out for the address it was asked of."""
        question = pending.find(connection, self.alist.id, hash_question(self.mail.token)) if self.mail.token else None
        now = self.site.now()
        if question is None or question.answered_at is not None or question.expires_at <= now:
            self._unknown_question(connection, question)
            return
        word = read_word(self.text)
        said_yes = (
            word in (Word.yes, Word.empty)
            or (word is Word.join and question.kind == "join")
            or (word is Word.leave and question.kind == "leave")
            or (question.kind == "join" and word in (Word.digest, Word.each))
        )
        if word is Word.empty and not self.may_answer:
            self._end(connection, "an empty reply with signs of a robot", IncomingState.ignored)
        elif word is Word.no:
            pending.answer(connection, self.alist.id, question.token_hash, now)
            self._end(connection, f"{question.kind}: no")
        elif not said_yes:
            self._not_an_answer(connection, question)
        elif pending.answer(connection, self.alist.id, question.token_hash, now):
            self._carry_out(connection, question, word)

    def _unknown_question(self, connection: Connection, question: Any) -> None:
        first = (
            "That question was answered already, or its time is over."
            if question is not None
            else "We do not know which question you answer."
        )
        if self.may_answer:
            notices.answer(
                connection,
                self.site,
                self.alist,
                "not-understood",
                str(self.author.address),
                {"first": first},
                address_key=self.author.address.key,
                answered=self.prepared,
                reply_to=self.alist.helper("request"),
            )
        self._end(connection, "an answer to no open question")

    def _not_an_answer(self, connection: Connection, question: Any) -> None:
        """Something else was written: the question stays open, and a longer text reaches a person."""
        if len(self.text.split()) >= 12:
            owner.pass_on(connection, self.site, self.mail, self.prepared, self.alist)
            if self.may_answer:
                notices.answer(
                    connection,
                    self.site,
                    self.alist,
                    "passed-on",
                    str(self.author.address),
                    {},
                    address_key=self.author.address.key,
                    answered=self.prepared,
                    reply_to=self.alist.helper("request"),
                )
            self._end(connection, f"{question.kind}: passed on to the owners", IncomingState.owner)
            return
        if self.may_answer:
            notices.answer(
                connection,
                self.site,
                self.alist,
                "not-understood",
                str(self.author.address),
                {"first": f"To {question.kind}, reply to our question with the word yes."},
                address_key=self.author.address.key,
                answered=self.prepared,
                reply_to=notices.confirm_address(self.alist, self.mail.token),
            )
        self._end(connection, f"{question.kind}: not an answer")

    def _carry_out(self, connection: Connection, question: Any, word: Word) -> None:
        address = parse_address(question.address)
        member = members.find(connection, self.alist.id, question.address_key)
        if question.kind == "join" and address is not None:
            data = json.loads(question.data)
            wanted = word.value if word in (Word.digest, Word.each) else data.get("delivery", "")
            transition = advance(
                self._state(member), Event.join_confirmed, policy=self.alist.options.subscribe, welcome=self.alist.options.welcome
            )
            self._begin(connection, transition, str(address), question.address_key, data.get("name", ""), wanted)
        elif question.kind == "leave" and member is not None and member.state != MemberState.left.value:
            membership.leave(connection, self.site, self.alist, member.id)
            maillog.unsubscribed(list_id=self.alist.id, member=member.id)
            self._tell(connection, Letters.goodbye, member)
        self._end(connection, f"{question.kind}: confirmed")

    def _begin(self, connection: Connection, transition: Transition, address: str, key: str, name: str, wanted: str) -> None:
        now = self.site.now()
        if transition.letter is Letters.already_member:
            self._tell(connection, Letters.already_member, members.find(connection, self.alist.id, key))
            return
        if transition.state is None:
            self._tell(connection, transition.letter, None)
            return
        options = {"delivery": wanted} if wanted else {}
        known = members.find(connection, self.alist.id, key)
        if known is None:
            options = {"delivery": self.alist.options.default_delivery, **options}
        added = members.add(
            connection,
            self.alist.id,
            [(address, key, name)],
            options,
            state=transition.state.value,
            now=now,
            digest_through=lists.last_post(connection, self.alist.id),
        )
        schedule.plan(connection, self.alist, now)
        for number in added:
            maillog.subscribed(list_id=self.alist.id, member=number)
            if transition.letter is Letters.welcome:
                notices.welcome(connection, self.site, self.alist, number)
        if transition.letter is Letters.waiting_for_owner:
            self._tell(connection, transition.letter, None)

    # -- anything else ---------------------------------------------------------------------------------------------

    def request(self, connection: Connection) -> None:
        """`-request` and `-help`: the few words known so far; a longer text is meant for a person."""
        word = read_word(self.text) if self.text else read_word(self.prepared.parsed.subject)
        if word is Word.join:
            self.join(connection)
        elif word is Word.leave:
            self.leave(connection)
        elif word in (Word.help, Word.empty):
            self._tell_help(connection, "help", {})
        elif len(self.text.split()) >= 12:
            owner.pass_on(connection, self.site, self.mail, self.prepared, self.alist)
            self._tell_help(connection, "passed-on", {})
            self._end(connection, "passed on to the owners", IncomingState.owner)
            return
        else:
            self._tell_help(
                connection,
                "not-understood",
                {"first": "This address understands only a few words, and your email was not one of them."},
            )
        self._end(connection, f"request: {word}")

    def _tell_help(self, connection: Connection, name: str, values: dict[str, object]) -> None:
        if self.may_answer:
            notices.answer(
                connection,
                self.site,
                self.alist,
                name,
                str(self.author.address),
                values,
                address_key=self.author.address.key,
                answered=self.prepared,
                reply_to=self.alist.helper("request"),
                stranger=self._member(connection) is None,
            )
