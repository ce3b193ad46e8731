"""The second transaction: give an accepted mail its one end, according to where it was sent.

Order of questions (first that answers): delivery report or null sender, automatic mail, then what the recipient
address means. Every branch records a state on the mail's row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.engine import Connection

from listserver.flows import command, owner, post, returned
from listserver.flows.accept import Arrival, Prepared
from listserver.flows.site import Site
from listserver.lists.addressing import DestinationKind
from listserver.mail.dsn import read_report
from listserver.mail.envelope import Envelope
from listserver.mail.reply import Reply
from listserver.store import incoming
from listserver.store.incoming import Ending, NewMail
from listserver.store.tables import IncomingState

Work = Callable[[Connection], None]

_LEAVE = DestinationKind.leave
_POSTS = (DestinationKind.post, DestinationKind.reply_token, DestinationKind.private_token, DestinationKind.digest)


def plan(site: Site, mail: NewMail, prepared: Prepared) -> Callable[[Connection], Ending]:
    """What to do with one mail; slow reading is done here, the returned work only touches the database, and says how it ended."""
    work = _choose(site, mail, prepared)

    def to_the_end(connection: Connection) -> Ending:
        work(connection)
        return incoming.ending(connection, mail.list_id, mail.id)

    return to_the_end


def _choose(site: Site, mail: NewMail, prepared: Prepared) -> Work:
    kind = DestinationKind(mail.kind)
    if kind is DestinationKind.bounces or (not mail.reverse_path and kind is not _LEAVE and kind is not DestinationKind.owner):
        return returned.plan(site, mail, prepared)
    if kind is _LEAVE and read_report(prepared.raw, prepared.header) is not None:
        return returned.plan(site, mail, prepared)  # a delivery report is never a leave
    if kind in (DestinationKind.owner, DestinationKind.postmaster, DestinationKind.abuse):
        return owner.plan(site, mail, prepared)
    if kind in _POSTS and not command.answers_a_question(site, mail, prepared):
        return post.plan(site, mail, prepared)
    return command.plan(site, mail, prepared)


def screen(site: Site, envelope: Envelope, arrivals: Sequence[Arrival], prepared: Prepared) -> Reply | None:
    """A refusal inside the dialogue, for a peer from outside whose mail goes nowhere else.

    Mixed verdicts in one SMTP transaction are accepted, and the refused part is worked as such afterwards.
    """
    refusals = [post.refusal(site, envelope, arrival, prepared) for arrival in arrivals]
    return refusals[0] if refusals and all(refusal is not None for refusal in refusals) else None


def note_failure(connection: Connection, mail: NewMail, problem: str, tries: int) -> bool:
    """Count a failure; at the last one the mail is quarantined. True: try again."""
    if incoming.note_attempt(connection, mail.list_id, mail.id, problem) < tries:
        return True
    incoming.finish(connection, mail.list_id, mail.id, IncomingState.quarantined, problem)
    return False
