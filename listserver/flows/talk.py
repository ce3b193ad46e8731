"""One mail to a role address while it is worked: who wrote, whether we believe it, and how we answer.

Nobody acts on From alone: what is not verified is asked of the address it affects, and only the answer acts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.engine import Connection

from listserver.flows import notices
from listserver.flows.accept import Prepared
from listserver.flows.site import Site
from listserver.lists.model import MailingList, MemberState
from listserver.lists.subscription import Letters
from listserver.lists.tokens import hash_question, question_token
from listserver.lists.wordreading import Reading
from listserver.mail.address import Address, Mailbox, format_mailbox
from listserver.store import incoming, members, pending
from listserver.store.incoming import NewMail
from listserver.store.tables import IncomingState

CONFIRM_FOR = timedelta(days=7)
UNDO_FOR = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Talk:
    """What is known of the mail; its methods run in the transaction."""

    site: Site
    mail: NewMail
    prepared: Prepared
    alist: MailingList
    author: Mailbox
    may_answer: bool
    """False for automatic mail: whatever is done, nothing is said."""
    text: str
    """The new text: without quotes and signature."""
    reading: Reading
    """What its words ask for."""
    other_list: str = ""
    """The address of another list, when the words name that instead of this one."""
    argument: str = ""
    """What the recipient address said beside its purpose: `digest` in LIST-join-digest@, another person's address, …"""

    @property
    def verified(self) -> bool:
        """Whether the author is believed."""
        return self.prepared.belief.verified

    def member(self, connection: Connection) -> Any:
        """The author's row on this list, whatever its state."""
        return members.find(connection, self.alist.id, self.author.address.key)

    def end(self, connection: Connection, detail: str, state: IncomingState = IncomingState.command) -> None:
        """Record how the mail ended."""
        incoming.finish(connection, self.mail.list_id, self.mail.id, state, detail)

    def tell(
        self,
        connection: Connection,
        letter: str | None,
        values: Mapping[str, object] | None = None,
        *,
        member: Any = None,
        reply_to: str = "",
    ) -> None:
        """Answer the writer with one of our letters."""
        if letter is None or not self.may_answer:
            return
        how = notices.how_it_comes(self.alist, member) if member is not None else ""
        notices.answer(
            connection,
            self.site,
            self.alist,
            str(letter),
            str(self.author.address),
            {"how": how, "verified": self.verified, **(values or {})},
            address_key=self.author.address.key,
            to_name=self.author.name if self.verified else "",
            answered=self.prepared,
            reply_to=reply_to or self.alist.helper("request"),
            stranger=member is None,
        )

    def member_by_id(self, connection: Connection, member_id: int) -> Any:
        """A member's row as it is now."""
        return members.by_id(connection, self.alist.id, member_id)

    def ask(
        self,
        connection: Connection,
        kind: str,
        data: Mapping[str, str] | None = None,
        *,
        to: Address | None = None,
        values: Mapping[str, object] | None = None,
        member: Any = None,
    ) -> bool:
        """Ask an address itself, with a token that only its mailbox sees; the writer's own unless `to` names another.

        False when we kept silent: to a robot, or because the address was asked often enough today.
        """
        if not self.may_answer:
            return False
        asking = _ASKING[kind]
        address, key = str(to or self.author.address), (to or self.author.address).key
        now = self.site.now()
        token, until = question_token(self.site.random_bytes(16)), now + asking.life
        is_own = key == self.author.address.key
        how = notices.how_it_comes(self.alist, member) if member is not None else ""
        sent = notices.answer(
            connection,
            self.site,
            self.alist,
            asking.letter,
            address,
            {
                "until": f"{until:%A} {until.day} {until:%B}",
                "how": how,
                "verified": self.verified,
                "button": _button(self.site, kind, token),
                **(values or {}),
            },
            address_key=key,
            to_name=self.author.name if self.verified and is_own else "",
            answered=self.prepared if is_own else None,
            token=token,
            reply_to=_reply_address(self.alist, asking.sign, token),
            stranger=kind == "join",
        )
        if sent:
            known = {"name": self.author.name if is_own else "", **(data or {})}
            pending.ask(
                connection,
                list_id=self.alist.id,
                token_hash=hash_question(token),
                kind=kind,
                address=address,
                address_key=key,
                now=now,
                expires_at=until,
                data=json.dumps(known, ensure_ascii=False),
            )
        return sent


def _button(site: Site, kind: str, token: str) -> str:
    """The page with a button that answers this question, where there is one."""
    return f"{site.web_url}/c/{token}" if site.web_url and kind in ("join", "leave") else ""


@dataclass(frozen=True, slots=True)
class _Asking:
    """How one kind of question is worded, where its answer goes, and how long it can be answered."""

    letter: str
    sign: str
    life: timedelta = CONFIRM_FOR


_ASKING = {
    "join": _Asking(Letters.confirm_join.value, "confirm"),
    "leave": _Asking(Letters.confirm_leave.value, "confirm"),
    "settings": _Asking("confirm-settings", "confirm"),
    "mean": _Asking("did-you-mean", "q"),
    "undo": _Asking("done", "u", UNDO_FOR),
}


def _reply_address(alist: MailingList, sign: str, token: str) -> str:
    if sign == "confirm":
        return notices.confirm_address(alist, token)
    return format_mailbox(f"{alist.short_name} helper", alist.with_token(sign, token))


def state_of(member: Any) -> MemberState | None:
    """Where a membership stands; None for a stranger."""
    return MemberState(member.state) if member is not None else None
