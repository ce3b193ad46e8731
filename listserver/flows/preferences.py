"""What a member wants changed, in words: digest, each, pause, resume, hours, zones, languages; done at once, and undone by reply.

Every change says what it was before, so that `undo` can put it back. A value that cannot be used changes nothing and is
said; the other words of the same mail are done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from listserver.flows import returned, schedule
from listserver.flows.site import Site
from listserver.lists.model import WITHOUT_EFFECT_YET, MailingList, MemberState, OptionError, read_member_option
from listserver.lists.vocabulary import Meaning
from listserver.lists.wordreading import Command
from listserver.store import lists, members

CHANGING = frozenset(
    (
        Meaning.digest, Meaning.each, Meaning.pause, Meaning.resume, Meaning.format, Meaning.timezone, Meaning.language,
        Meaning.receipts,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One word and what became of it; `problem` says why it was not done."""

    meaning: str
    value: str = ""
    problem: str = ""


def apply(
    connection: Connection, site: Site, alist: MailingList, member: Any, commands: Sequence[Command]
) -> tuple[list[Change], str]:
    """Carry the commands out for a member; what became of each, and the former values as text for an undo."""
    now = site.now()
    done: list[Change] = []
    values: dict[str, object] = {}
    for command in commands:
        change, wanted = _values_of(command, alist, member)
        done.append(change)
        values |= wanted
    before = {key: getattr(member, key) for key in values}
    if any(command.meaning is Meaning.resume for command in commands):
        returned.resume(connection, site, alist, member)
    if values:
        _write(connection, alist, member, values, now)
    return done, json.dumps(before, ensure_ascii=False)


def restore(connection: Connection, site: Site, alist: MailingList, member: Any, before: str) -> None:
    """Put former values back."""
    values: dict[str, object] = {key: value for key, value in json.loads(before).items() if hasattr(member, key)}
    _write(connection, alist, member, values, site.now())


def commands_as_text(commands: Sequence[Command]) -> str:
    """Commands as a question keeps them."""
    return json.dumps([asdict(command) for command in commands], ensure_ascii=False)


def commands_from_text(text: str) -> list[Command]:
    """Commands as they were kept."""
    return [Command(meaning=Meaning(each["meaning"]), value=each["value"], problem=each["problem"]) for each in json.loads(text)]


def _write(connection: Connection, alist: MailingList, member: Any, values: Mapping[str, object], now: datetime) -> None:
    changes = dict(values)
    if changes.get("delivery") == "digest" != member.delivery:
        changes["digest_through"] = lists.last_post(connection, alist.id)
    members.change(connection, alist.id, member.id, {**changes, "digest_due": None})
    schedule.plan(connection, alist, now)


def _values_of(command: Command, alist: MailingList, member: Any) -> tuple[Change, dict[str, object]]:
    meaning, value = command.meaning, command.value
    if command.problem:
        return Change(meaning=meaning, value=value, problem=command.problem), {}
    match meaning:
        case Meaning.digest:
            return Change(meaning=meaning, value=value), {"delivery": "digest", **({"digest_at": value} if value else {})}
        case Meaning.each:
            return Change(meaning=meaning), {"delivery": "each"}
        case Meaning.pause:
            until = _morning_of(date.fromisoformat(value), alist, member) if value else ""
            return Change(meaning=meaning, value=value), {"state": MemberState.paused.value, "paused_until": until}
        case Meaning.resume:
            return Change(meaning=meaning), {"state": MemberState.active.value, "paused_until": ""}
        case _:
            return _setting(meaning, value)


def _setting(meaning: Meaning, value: str) -> tuple[Change, dict[str, object]]:
    key = meaning.value
    if key in WITHOUT_EFFECT_YET:
        return Change(meaning=key, value=value, problem="not possible yet"), {}
    try:
        written = read_member_option(key, value)
    except OptionError:
        return Change(meaning=key, value=value, problem=f"not a {key} that we know"), {}
    return Change(meaning=key, value=written), {key: written}


def _morning_of(day: date, alist: MailingList, member: Any) -> str:
    """The beginning of a day where the member lives, as members' rows keep moments."""
    zone = ZoneInfo(member.timezone or alist.options.timezone)
    return read_member_option("paused_until", datetime.combine(day, time(), tzinfo=zone).isoformat())
