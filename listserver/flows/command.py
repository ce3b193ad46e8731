"""Joining and leaving by mail; other words at the role addresses are read by `flows.instruct`.

`-leave@` ignores its content entirely, `-join@` all but the words *digest* and *each*; an answer to a question of ours
is `flows.confirm`'s, whichever of our addresses it came to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.engine import Connection

from listserver import maillog
from listserver.flows import confirm, instruct, membership, notices
from listserver.flows.accept import Prepared, find_arrival, signs_of
from listserver.flows.hear import hear, named_list
from listserver.flows.site import Site
from listserver.flows.talk import Talk, state_of
from listserver.lists.addressing import DestinationKind
from listserver.lists.model import MemberState
from listserver.lists.moderation import is_listed
from listserver.lists.subscription import Event, Letters, advance
from listserver.lists.tokens import hash_question, read_permission
from listserver.mail.address import Address, parse_address
from listserver.store import incoming, members, pending
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

_ANSWERS = (
    DestinationKind.confirm,
    DestinationKind.question,
    DestinationKind.undo,
    DestinationKind.moderate,
    DestinationKind.post,
    DestinationKind.reply_token,
)
_DELIVERIES = ("digest", "each", "none")
Work = Callable[[Connection], None]


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Work:
    """What to do with a mail to a role address."""
    alist = site.directory.by_id(mail.list_id)
    kind = DestinationKind(mail.kind)
    if kind is DestinationKind.leave and mail.token and read_permission(site.secret, "leave", mail.token) is not None:
        return _leave_by_token(site, mail, prepared)
    if alist is None and kind is DestinationKind.request:
        alist = named_list(site, prepared)
    if alist is None:
        return _finish(mail, IncomingState.ignored, "no list named")
    signs = signs_of(site, prepared, mail.reverse_path)
    of_list = signs.foreign_list or signs.own_mark
    if kind is not DestinationKind.leave and (signs.strong or of_list):
        return _finish(mail, IncomingState.ignored, f"automatic mail: {(*signs.strong, 'it came through a list')[0]}")
    author = prepared.parsed.author
    if author is None:
        return _finish(mail, IncomingState.ignored, "not exactly one readable author")
    argument = (arrival.destination.argument or "") if (arrival := find_arrival(site, mail.recipient)) else ""
    heard = hear(site, alist, author, prepared, argument, is_answer=bool(mail.token))
    talk = Talk(
        site=site,
        mail=mail,
        prepared=prepared,
        alist=alist,
        author=replace(author, name=heard.name or author.name),
        may_answer=not signs.is_automatic and not of_list and bool(mail.reverse_path),
        text=prepared.own_words,
        reading=heard.reading,
        argument=heard.address or argument,
        other_list=heard.other_list,
    )
    answered = heard.code or confirm.named_token(mail, prepared, kind)
    match kind:
        case DestinationKind.leave:
            return lambda connection: leave(connection, talk)
        case _ if kind in _ANSWERS:
            return lambda connection: confirm.answer(connection, talk, answered, otherwise=request)
        case _:
            return lambda connection: _ask_first(connection, talk, answered, join if kind is DestinationKind.join else request)


def answers_a_question(site: Site, mail: NewMail, prepared: Prepared) -> bool:
    """Whether a mail to the list itself answers a question of ours, by the Message-ID that it answers."""
    if not any("confirm-" in each for each in (*prepared.parsed.ids.in_reply_to, *prepared.parsed.ids.references[-1:])):
        return False
    token = confirm.named_token(mail, prepared, DestinationKind(mail.kind))
    if not token:
        return False
    with site.database.read() as connection:
        return pending.find(connection, mail.list_id, hash_question(token)) is not None


def _finish(mail: NewMail, state: IncomingState, detail: str) -> Work:
    def work(connection: Connection) -> None:
        incoming.finish(connection, mail.list_id, mail.id, state, detail)

    return work


def _ask_first(connection: Connection, talk: Talk, token: str, otherwise: Callable[[Connection, Talk], None]) -> None:
    """Some programs answer From and ignore Reply-To: a mail that answers a question of ours is an answer wherever it comes."""
    if token and confirm.is_question(connection, talk, token):
        confirm.answer(connection, talk, token, otherwise=request)
    else:
        otherwise(connection, talk)


def _leave_by_token(site: Site, mail: NewMail, prepared: Prepared) -> Work:
    """List-Unsubscribe: the token names list and member; done at once, whatever the From (RFC 2369 §3.2)."""
    named = read_permission(site.secret, "leave", mail.token)
    alist = site.directory.by_id(named.list_id) if named is not None else None

    def work(connection: Connection) -> None:
        member = members.by_id(connection, named.list_id, named.member_id) if named is not None and alist is not None else None
        if alist is None or member is None:
            incoming.finish(connection, mail.list_id, mail.id, IncomingState.ignored, "a token for a list that is gone")
            return
        if member.state != MemberState.left.value:
            membership.leave(connection, site, alist, member.id)
            maillog.unsubscribed(list_id=alist.id, member=member.id)
            if not signs_of(site, prepared, mail.reverse_path).is_automatic:
                author = prepared.parsed.author
                is_own = author is not None and author.address.key == member.address_key
                notices.answer(
                    connection,
                    site,
                    alist,
                    Letters.goodbye.value,
                    member.address,
                    {},
                    address_key=member.address_key,
                    to_name=member.name,
                    answered=prepared if is_own else None,
                    reply_to=alist.helper("request"),
                    stranger=False,
                )
        incoming.finish(connection, mail.list_id, mail.id, IncomingState.command, "left by token")

    return work


def join(connection: Connection, talk: Talk) -> None:
    """Somebody asks to join; always asked back, because joining sends mail to whoever owns the address."""
    options, another = talk.alist.options, parse_address(talk.argument)
    if is_listed(talk.author.address.key, options.banned) or (another and is_listed(another.key, options.banned)):
        talk.end(connection, "banned", IncomingState.discarded)
        return
    if another is not None and another.key != talk.author.address.key:
        _for_another(connection, talk, "join", another)
        return
    member = talk.member(connection)
    transition = advance(state_of(member), Event.join_asked, policy=options.subscribe)
    if transition.letter is Letters.confirm_join:
        words = {command.meaning.value for command in talk.reading.commands} & {"digest", "each"}
        wanted = words.pop() if words else talk.argument if talk.argument in _DELIVERIES else ""
        talk.ask(connection, "join", {"delivery": wanted} if wanted else {})
    else:
        talk.tell(connection, transition.letter, member=member)
    talk.end(connection, f"join: {transition.letter or 'nothing to do'}")


def _for_another(connection: Connection, talk: Talk, kind: str, address: Address) -> None:
    """Asked for another person's address: nothing happens until that address itself confirms."""
    member = members.find(connection, talk.alist.id, address.key)
    if kind == "join":
        transition = advance(state_of(member), Event.join_asked, policy=talk.alist.options.subscribe)
        wanted = transition.letter is Letters.confirm_join
    else:
        wanted = advance(state_of(member), Event.leave_unverified).letter is Letters.confirm_leave
    asked = wanted and talk.ask(connection, kind, to=address)
    talk.end(connection, f"{kind} for another address: {'asked there' if asked else 'nothing to ask'}")


def leave(connection: Connection, talk: Talk) -> None:
    """Somebody asks to leave: done if we believe who asks, else asked."""
    another = parse_address(talk.argument)
    if another is not None and another.key != talk.author.address.key:
        _for_another(connection, talk, "leave", another)
        return
    member = talk.member(connection)
    event = Event.leave_verified if talk.verified else Event.leave_unverified
    transition = advance(state_of(member), event)
    if transition.letter is Letters.confirm_leave:
        talk.ask(connection, "leave")
    elif transition.state is MemberState.left and member is not None:
        membership.leave(connection, talk.site, talk.alist, member.id)
        maillog.unsubscribed(list_id=talk.alist.id, member=member.id)
        talk.tell(connection, transition.letter, member=member)
    else:
        talk.tell(connection, transition.letter)
    talk.end(connection, f"leave: {transition.letter}")


def request(connection: Connection, talk: Talk) -> None:
    """`-request`, `-help`, and answers to mails of ours that ask something else than was asked."""
    instruct.instruct(connection, talk, join=join, leave=leave)
