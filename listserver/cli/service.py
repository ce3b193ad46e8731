"""`listserver serve` and `listserver deliver`: the running service."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from listserver import server
from listserver.cli.context import context_of, say
from listserver.errors import ConfigError

PARTS = ("smtp", "lmtp", "deliver", "digest", "web")


def serve(
    context: typer.Context,
    only: Annotated[str, typer.Option(help="Only these parts, with commas: smtp, lmtp, deliver, digest, web.")] = "",
) -> None:
    """Run everything in one process; SIGTERM drains and stops. Example: listserver serve"""
    parts = tuple(part.strip() for part in only.split(",") if part.strip()) or PARTS
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ConfigError(f"{unknown[0]} is no part of the service: choose among {', '.join(PARTS)}")
    asyncio.run(server.serve(context_of(context).settings, parts))


def deliver(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Try what is due now once, then stop.")] = False,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="Stop when nothing waits any more.")] = False,
) -> None:
    """Work the outbox without listening. Example: listserver deliver --until-empty"""
    done = asyncio.run(server.deliver(context_of(context).settings, once=once, until_empty=until_empty))
    say(f"Delivered {done.delivered}, to try again {done.deferred}, failed {done.failed}.")
