"""What a mail to a role address says: our words in any language, else a line of another list manager.

`majordomo@`, `listserv@` and `sympa@` belong to no list: there the line must name one, unless the site has only one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.dialects import DialectLine, read_dialect
from listserver.lists.model import MailingList
from listserver.lists.vocabulary import Meaning
from listserver.lists.wordreading import MOST_LINES, Command, Context, Reading, ReadingKind
from listserver.mail.address import Mailbox
from listserver.mail.subject import base_subject, is_reply_subject
from listserver.store import members


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The reading, and what a line of another list manager said beside it."""

    reading: Reading
    address: str = ""
    name: str = ""
    code: str = ""
    other_list: str = ""
    """The list that was named instead of the one written to."""


def hear(site: Site, alist: MailingList, author: Mailbox, prepared: Prepared, argument: str, *, is_answer: bool) -> Heard:
    """What the words of a mail ask for, read in the writer's language; `argument` is what the recipient address said.

    `is_answer`: it was written to the address of a question, so its subject is ours or nobody's.
    """
    with site.database.read() as connection:
        member = members.find(connection, alist.id, author.address.key)
    subject = prepared.parsed.subject
    around = Context(
        today=site.now().date(),
        language=(member.language if member is not None else "") or alist.options.language,
        names=(author.name, author.address.local),
        lists=(alist.address, alist.local, alist.name, alist.short_name),
    )
    is_reply = is_answer or is_reply_subject(subject) or bool(prepared.parsed.ids.in_reply_to)
    reading = site.reader.read_mail(base_subject(subject), prepared.own_words, around, is_reply=is_reply)
    if reading.kind is ReadingKind.empty and argument and "@" not in argument:
        reading = site.reader.read_text(argument, around)  # LIST-query@, LIST+get-123@
    if reading.kind is ReadingKind.commands:
        return Heard(reading=reading)
    own = {alist.local, alist.address}
    for line in _lines(prepared):
        found = read_dialect(line, own, lambda name: site.directory.by_path(name) is not None)
        if found is not None:
            return _heard(site, alist, found)
    return Heard(reading=reading)


def named_list(site: Site, prepared: Prepared) -> MailingList | None:
    """The list that a mail to no list is about: named in a line, or the only one there is."""
    for line in _lines(prepared):
        found = read_dialect(line, (), lambda name: site.directory.by_path(name) is not None)
        if found is not None and found.list_name not in ("", "*"):
            return site.directory.by_path(found.list_name)
    everything = site.directory.everything()
    return everything[0] if len(everything) == 1 else None


def _lines(prepared: Prepared) -> Iterator[str]:
    yield base_subject(prepared.parsed.subject)
    yield from [line for line in prepared.own_words.split("\n") if line.strip()][:MOST_LINES]


def _heard(site: Site, alist: MailingList, found: DialectLine) -> Heard:
    other = site.directory.by_path(found.list_name) if found.list_name not in ("", "*") else None
    commands = [Command(meaning=found.meaning or Meaning.yes)]
    if found.delivery:
        commands.append(Command(meaning=Meaning(found.delivery)))
    return Heard(
        reading=Reading(kind=ReadingKind.commands, commands=tuple(commands), words=1),
        address=found.address,
        name=found.name,
        code=found.code,
        other_list=other.address if other is not None and other.id != alist.id else "",
    )
