"""`listserver doctor`: look at everything an installation stands on, and say how to mend what is wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from listserver import server
from listserver.authentication.keys import Signing, read_keys
from listserver.authentication.resolver import DnsResolver
from listserver.cli import checkup, checkup_mail, roundtrip
from listserver.cli.context import Context, JsonOption, context_of, print_json, say
from listserver.cli.findings import Finding, Level, problem
from listserver.config import Settings
from listserver.errors import ListserverError
from listserver.flows.site import Site

_MARKS = {Level.ok: "ok      ", Level.note: "note    ", Level.warning: "warning ", Level.problem: "PROBLEM "}


def doctor(
    context: typer.Context,
    as_json: JsonOption = False,
    send_to: Annotated[str, typer.Option(help="Send a true mail to this address and report each step.", metavar="ADDRESS")] = "",
    wait: Annotated[float, typer.Option(help="Seconds to watch for what comes back.", min=0)] = 20.0,
    dns: Annotated[bool, typer.Option(help="Ask the DNS about our domains.")] = True,
) -> None:
    """Check database, ports, relay, DNS, clock and folders, and say how to mend each.

    Example: listserver doctor --send-to you@example.net
    """
    shared = context_of(context)
    show = _collect if as_json else _print
    found = show(examine(shared, dns=dns))
    if send_to:
        found += show(_trip(shared, send_to, wait))
    if as_json:
        checks = [{"check": f.check, "level": f.level.value, "says": f.says, "mend": f.mend} for f in found]
        print_json({"ok": not any(f.level is Level.problem for f in found), "checks": checks})
    else:
        counted = {level: sum(f.level is level for f in found) for level in Level}
        say(f"\n{counted[Level.problem]} problems, {counted[Level.warning]} warnings; {len(found)} things looked at.")
    if any(f.level is Level.problem for f in found):
        raise typer.Exit(1)


def examine(shared: Context, *, dns: bool) -> Iterator[Finding]:
    """Everything in turn; what cannot be looked at is a finding, too."""
    settings = shared.settings
    yield from checkup.settings(settings)
    signing = None
    try:
        keys = read_keys(settings.dkim_keys)
        signing = Signing(keys) if keys else None
    except ListserverError as error:
        yield problem("keys", str(error), "Mend LISTSERVER_DKIM_KEYS, or make keys: listserver init")
        return
    site = None
    try:
        site = shared.site
        yield from checkup.database(site, settings)
        yield from checkup.work(site, site.now())
    except (ListserverError, SQLAlchemyError) as error:
        words = str(getattr(error, "orig", None) or error).splitlines()[0]
        yield problem(
            "database",
            f"The database cannot be used: {words}",
            "See LISTSERVER_DATABASE_URL; on PostgreSQL: listserver database upgrade",
        )
    yield from checkup.folder(settings)
    yield from checkup_mail.ports(settings)
    yield from checkup_mail.certificate(settings, checkup_mail.now())
    yield from asyncio.run(checkup_mail.relay(settings))
    if dns:
        yield from checkup_mail.dns(_hosts(site, settings), settings.hostname, DnsResolver(), signing)


def _hosts(site: Site | None, settings: Settings) -> set[str]:
    hosts = {each.host for each in site.directory.everything()} if site is not None else set()
    return hosts or {settings.hostname}


def _trip(shared: Context, address: str, wait: float) -> Iterable[Finding]:
    async def travel() -> list[Finding]:
        transport = server.open_relay(shared.settings)
        try:
            return await roundtrip.travel(shared.site, shared.settings, transport, address, wait=wait)
        finally:
            await transport.close()

    return asyncio.run(travel())


def _collect(findings: Iterable[Finding]) -> list[Finding]:
    return list(findings)


def _print(findings: Iterable[Finding]) -> list[Finding]:
    """As they come, because some take seconds."""
    found = []
    for each in findings:
        found.append(each)
        say(f"{_MARKS[each.level]} {each.check}: {each.says}")
        if each.mend:
            say(f"          → {each.mend}")
        sys.stdout.flush()
    return found
