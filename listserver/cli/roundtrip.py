"""`doctor --send-to ADDRESS`: a true mail out through the relay, and what comes back, told step by step.

The return-path carries a signed token, so that a report about this mail is known from every other. If the address is one of
ours, the mail itself must come back in; else the reader of that mailbox is told what to look for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import format_datetime
from typing import Any

import sqlalchemy as sa

from listserver.authentication.sign import Signable
from listserver.cli.findings import Finding, note, ok, problem, warning
from listserver.config import Settings
from listserver.flows import accept
from listserver.flows.membership import read_address
from listserver.flows.ports import Body, Copy, Transport
from listserver.flows.site import Site
from listserver.lists.tokens import sign_permission
from listserver.mail.address import format_mailbox
from listserver.mail.compose import compose
from listserver.mail.reply import Outcome, OutcomeKind
from listserver.mail.verp import permission_address
from listserver.store.tables import Incoming, table_of

_I: Any = table_of(Incoming)
_SEND_SECONDS = 60.0
_LOOK_EVERY = 0.25


@dataclass(frozen=True, kw_only=True)
class Letter:
    """The mail that makes the trip."""

    copy: Copy
    token: str
    message_id: str


def write(site: Site, address: str, now: datetime) -> Letter:
    """The mail, signed if we sign. Raises: ConfigError when the address is none."""
    to = read_address(address)
    domain = min((each.host for each in site.directory.everything()), default=site.hostname)
    unique = site.database.new_id()
    token = sign_permission(site.secret, "bounces", 0, unique, (now.date() - date(1970, 1, 1)).days)
    message_id = f"<doctor-{unique}.{now:%Y%m%d%H%M%S}@{domain}>"
    fields = [
        ("From", format_mailbox("listserver doctor", f"postmaster@{domain}")),
        ("To", str(to)),
        ("Subject", f"A test of the mailing lists at {domain}"),
        ("Date", format_datetime(now)),
        ("Message-ID", message_id),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ]
    text = (
        f"The administrator of the mailing lists at {domain} sent this\nto see whether mail from there arrives. Nothing need be done.\n\n"
        "If you look after those lists: see that this lies in the inbox and\nnot in Spam, and that its header says dkim=pass, spf=pass, dmarc=pass.\n"
    )
    body = Body(compose(fields, text))
    head = site.signing.sign(domain, Signable(body.raw), b"", now=now) if site.signing is not None else b""
    reverse_path = permission_address("doctor", "bounces", token, site.hostname).replace("doctor-", "", 1)
    copy = Copy("doctor", reverse_path, str(to), head, body, not str(to).isascii())
    return Letter(copy=copy, token=token, message_id=message_id)


async def travel(site: Site, settings: Settings, transport: Transport, address: str, *, wait: float) -> list[Finding]:
    """Send the mail and watch for what comes back."""
    letter = write(site, address, site.now())
    signed = ", ".join(signer.algorithm for signer in site.signing.signers("x")) if site.signing is not None else "nobody"
    found = [note("trip", f"Wrote {letter.message_id}, signed by {signed}, return-path {letter.copy.reverse_path}.")]
    last = await asyncio.to_thread(_last_incoming, site)
    outcomes: list[Outcome] = []
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            await transport.send([letter.copy], lambda _copy, outcome: outcomes.append(outcome))
    except TimeoutError:
        return [
            *found,
            problem(
                "trip", f"The relay did not answer within {_SEND_SECONDS:.0f} seconds.", "See what `doctor` says of the relay."
            ),
        ]
    found.append(_handed_over(outcomes[0], settings, time.monotonic() - begun))
    if outcomes[0].kind is not OutcomeKind.delivered:
        return found
    ours = accept.find_arrival(site, str(read_address(address))) is not None
    return [*found, *await _watch(site, letter, last, ours=ours, wait=wait)]


def _handed_over(outcome: Outcome, settings: Settings, seconds: float) -> Finding:
    said = str(outcome.reply) if outcome.reply is not None else outcome.detail
    if outcome.kind is OutcomeKind.delivered:
        where = settings.relay_address if settings.relay_address.startswith("maildir:") else "the relay"
        return ok("trip", f"Handed to {where} in {seconds:.2f} s: {said or 'taken'}")
    return problem("trip", f"Not taken ({outcome.kind.value}): {said}", "What the relay says is the reason; mend it there.")


async def _watch(site: Site, letter: Letter, last: int, *, ours: bool, wait: float) -> list[Finding]:
    """Whatever came in that belongs to this mail, until `wait` seconds are over."""
    begun, seen, found = time.monotonic(), set[int](), list[Finding]()
    while time.monotonic() - begun < wait:
        for row in await asyncio.to_thread(_arrivals, site, letter, last):
            if row.id not in seen and row.state != "in_flight":
                seen.add(row.id)
                found += _came(row, letter, time.monotonic() - begun)
        if found:
            return found
        await asyncio.sleep(_LOOK_EVERY)
    if ours:
        mend = "Is `listserver serve` running, and does the mail server hand over our domains to it?"
        return [problem("trip", f"It did not come back in within {wait:.0f} s, although the address is ours.", mend)]
    return [
        note("trip", f"No report came back within {wait:.0f} s. Now look into that mailbox: is it there, and is it not in Spam?")
    ]


def _came(row: Any, letter: Letter, seconds: float) -> Iterator[Finding]:
    if row.token == letter.token:
        yield warning(
            "trip",
            f"A report about it came back after {seconds:.1f} s ({row.state}: {row.detail}).",
            "The address does not take mail from us.",
        )
    else:
        yield ok(
            "trip",
            f"It came back in after {seconds:.1f} s for {row.recipient}, from {row.peer or 'this machine'}, "
            f"and ended as {row.state} ({row.detail or 'no remark'}).",
        )


def _last_incoming(site: Site) -> int:
    with site.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(_I.c.id), 0))).scalar_one())


def _arrivals(site: Site, letter: Letter, last: int) -> list[Any]:
    with site.database.read() as connection:
        rows = connection.execute(sa.select(_I).where(_I.c.id > last).order_by(_I.c.id).limit(1000))
        return [row for row in rows if row.token == letter.token or row.recipient.lower() == letter.copy.recipient.lower()]
