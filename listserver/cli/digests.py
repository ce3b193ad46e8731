"""`listserver digest`: what is due, and how one would look."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from listserver.cli.context import JsonOption, context_of, print_json, say
from listserver.errors import ConfigError
from listserver.flows import digest

app = typer.Typer(help="What is due, and how one would look.", no_args_is_help=True)

At = Annotated[str, typer.Option(help="A moment in ISO 8601 with offset, for example 2026-03-03T07:00+00:00; default: now.")]


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--at {text}: write it like 2026-03-03T07:00+00:00") from error
    if not 1980 <= moment.year <= 2999:
        raise ConfigError(f"--at {text}: give a moment of this age")
    if moment.tzinfo is None:
        raise ConfigError(f"--at {text}: add the offset, for example {text}+00:00")
    return moment


@app.command("preview")
def preview(
    context: typer.Context,
    alist: Annotated[str, typer.Argument(metavar="LIST")],
    for_: Annotated[str, typer.Option("--for", help="Whose digest.", metavar="ADDRESS")],
    at: At = "",
    html: Annotated[bool, typer.Option("--html", help="The HTML part.")] = False,
) -> None:
    """Show the digest that a member would get, without sending it. Example: listserver digest preview toolshare --for gwen@example.net"""
    shared = context_of(context)
    say(digest.preview(shared.site, shared.get_list(alist), for_, _moment(at), html=html))


@app.command("send")
def send(
    context: typer.Context,
    alist: Annotated[str | None, typer.Argument(metavar="[LIST]")] = None,
    at: At = "",
    as_json: JsonOption = False,
) -> None:
    """Put every digest that is due into the outbox, as the clock does. Example: listserver digest send --at 2026-03-03T07:00+00:00"""
    shared = context_of(context)
    done = digest.send_due(shared.site, shared.get_list(alist) if alist else None, _moment(at))
    document = {"due": done.due, "queued": done.queued, "empty": done.empty, "posts": done.posts}
    if as_json:
        print_json(document)
    else:
        say(f"Due: {done.due}. Queued: {done.queued}, with {done.posts} posts. Nothing new for {done.empty}.")
