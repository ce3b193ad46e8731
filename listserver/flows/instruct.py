"""Words that people write to a role address, or in answer to a mail of ours: read, carried out, or asked back.

Nothing that is merely near a word acts; whoever is not believed is asked first; what reads like a letter reaches a person;
and the writer always hears what happened, and what did not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import owner, preferences
from listserver.flows.talk import Talk
from listserver.lists.vocabulary import Meaning
from listserver.lists.wordreading import Command, Reading, ReadingKind
from listserver.store.tables import IncomingState

Act = Callable[[Connection, Talk], None]
OFFERED = (
    Meaning.join,
    Meaning.leave,
    Meaning.digest,
    Meaning.each,
    Meaning.pause,
    Meaning.resume,
    Meaning.settings,
    Meaning.help,
)
_ON_THE_LIST = ("active", "paused", "suspended")


def instruct(connection: Connection, talk: Talk, *, join: Act, leave: Act) -> None:
    """Do what the words of a mail ask, or say why not."""
    reading = talk.reading
    member = talk.member(connection)
    if member is not None and member.state not in _ON_THE_LIST:
        member = None
    if talk.other_list:
        not_understood(connection, talk, f"Your words name another list. Write to it instead: {talk.other_list}", member)
        return
    match reading.kind:
        case ReadingKind.commands:
            _carry_out(connection, talk, reading, member, join=join, leave=leave)
        case ReadingKind.empty:
            talk.tell(connection, "help", member=member)
            talk.end(connection, "request: help")
        case ReadingKind.letter:
            pass_on(connection, talk, member)
        case ReadingKind.unknown:
            first = "This address understands only a few words, and your email was not one of them."
            not_understood(connection, talk, first, member)
        case _:
            _ask_back(connection, talk, reading, member)


def pass_on(connection: Connection, talk: Talk, member: Any) -> None:
    """A text that was meant for a person reaches the owners, and its writer hears so (E11)."""
    owner.pass_on(connection, talk.site, talk.mail, talk.prepared, talk.alist)
    talk.tell(connection, "passed-on", member=member)
    talk.end(connection, "passed on to the owners", IncomingState.owner)


def not_understood(connection: Connection, talk: Talk, first: str, member: Any) -> None:
    """Nothing was understood, and nothing is done (E11)."""
    talk.tell(connection, "not-understood", {"first": first}, member=member)
    talk.end(connection, f"request: {talk.reading.kind}")


def _carry_out(connection: Connection, talk: Talk, reading: Reading, member: Any, *, join: Act, leave: Act) -> None:
    meanings = [command.meaning for command in reading.commands]
    changes = [command for command in reading.commands if command.meaning in preferences.CHANGING]
    if Meaning.leave in meanings:
        leave(connection, talk)
    elif Meaning.join in meanings:
        join(connection, talk)
    elif Meaning.help in meanings and not changes:
        talk.tell(connection, "help", member=member)
        talk.end(connection, "request: help")
    elif member is None and (changes or Meaning.settings in meanings):
        talk.tell(connection, "not-a-member")
        talk.end(connection, "settings: not a member")
    elif changes:
        _change(connection, talk, changes, member)
    elif Meaning.settings in meanings and (talk.verified or member is None):
        talk.tell(connection, "settings", {"member": member}, member=member)
        talk.end(connection, "settings: shown")
    else:
        _not_by_mail(connection, talk, reading, member)


def _not_by_mail(connection: Connection, talk: Talk, reading: Reading, member: Any) -> None:
    """A word that we know and cannot do by mail: it is said, and nothing else happens."""
    word = reading.commands[0].meaning.value.replace("_", " ")
    if reading.commands[0].meaning in (Meaning.yes, Meaning.no, Meaning.undo):
        first = f"We got the word “{word}”, and there is no open question of ours that it answers."
    elif reading.commands[0].meaning is Meaning.settings:
        first = "We could not be sure that this email came from you, so we do not send your settings."
    else:
        first = f"“{word}” cannot be done by email yet. The people who run the list can do it for you."
    not_understood(connection, talk, first, member)


def _change(connection: Connection, talk: Talk, changes: list[Command], member: Any) -> None:
    """Believed: done, and undone by reply (E9). Not believed: asked first, of the address itself."""
    if not talk.verified:
        asked = talk.ask(connection, "settings", {"commands": preferences.commands_as_text(changes)}, values={"items": changes})
        talk.end(connection, "settings: asked" if asked else "settings: asked often enough")
        return
    finish_changes(connection, talk, changes, member)


def finish_changes(connection: Connection, talk: Talk, changes: list[Command], member: Any) -> None:
    """Carry changes out and tell what became of each, with a way back."""
    done, before = preferences.apply(connection, talk.site, talk.alist, member, changes)
    changed = talk.member_by_id(connection, member.id)
    unread = talk.reading.unread if talk.verified else ()
    values: dict[str, object] = {"items": done, "member": changed, "unread": unread}
    if before == "{}":
        talk.tell(connection, "done", values, member=changed)
    else:
        talk.ask(connection, "undo", {"before": before}, values=values, member=changed)
    talk.end(connection, f"settings: {', '.join(change.meaning for change in done)}")


def undo(connection: Connection, talk: Talk, question: Any, member: Any) -> None:
    """Put back what a change replaced."""
    preferences.restore(connection, talk.site, talk.alist, member, json.loads(question.data)["before"])
    talk.tell(
        connection,
        "undone",
        {"member": talk.member_by_id(connection, member.id)},
        member=talk.member_by_id(connection, member.id),
    )
    talk.end(connection, "settings: undone")


def _ask_back(connection: Connection, talk: Talk, reading: Reading, member: Any) -> None:
    """One slip away, taken back, contradictory or in doubt: nothing is done; *yes* does the one thing that was offered (E10)."""
    offers = [meaning for meaning in reading.offers if meaning in OFFERED] or list(OFFERED)
    one = offers[0] if len(offers) == 1 and reading.kind in (ReadingKind.near, ReadingKind.question) else None
    if member is None and not talk.verified:
        not_understood(connection, talk, "This address understands only a few words, and your email was not one of them.", None)
        return
    wrote = " ".join((talk.text or talk.prepared.parsed.subject).split())[:60]
    values: dict[str, object] = {
        "wrote": wrote, "one": one, "offers": offers, "choices": reading.choices, "why": reading.kind.value, "offered": OFFERED,
    }  # fmt: skip
    kept = {"commands": preferences.commands_as_text([Command(meaning=one)])} if one else {}
    if not talk.ask(connection, "mean", kept, values=values, member=member):
        talk.end(connection, f"request: {reading.kind}, asked often enough")
        return
    talk.end(connection, f"request: {reading.kind}")
