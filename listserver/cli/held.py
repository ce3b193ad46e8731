"""`listserver held`: posts that wait for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from listserver.cli.context import LARGEST_ID, JsonOption, context_of, print_json, print_table, say
from listserver.flows import moderate
from listserver.flows.site import Site

app = typer.Typer(help="Posts that wait for a person.", no_args_is_help=True)

HeldIds = Annotated[list[int], typer.Argument(min=1, max=LARGEST_ID, metavar="ID…")]
Reason = Annotated[str, typer.Option(help="What the writer is told.")]


@app.command("ls")
def ls(
    context: typer.Context, alist: Annotated[str | None, typer.Argument(metavar="[LIST]")] = None, as_json: JsonOption = False
) -> None:
    """Show what waits. Example: listserver held ls toolshare"""
    shared = context_of(context)
    found = shared.get_list(alist) if alist else None
    waiting = moderate.waiting(shared.site, found)
    if as_json:
        print_json({"held": waiting})
    else:
        print_table(
            ["id", "list", "from", "subject", "since", "because"],
            [(h["id"], h["list"], h["from"], h["subject"], h["since"], h["reason"]) for h in waiting],
        )
        if not waiting:
            say("Nothing waits.")


def _decide(context: typer.Context, act: Callable[[Site, int, str], str], numbers: list[int], reason: str) -> None:
    for number in numbers:
        done = act(context_of(context).site, number, reason)
        say(done if len(numbers) == 1 else f"{number}: {done}")


@app.command("approve")
def approve(context: typer.Context, numbers: HeldIds, reason: Reason = "") -> None:
    """Post it. Example: listserver held approve 1042"""
    _decide(context, moderate.approve, numbers, reason)


@app.command("reject")
def reject(context: typer.Context, numbers: HeldIds, reason: Reason = "") -> None:
    """Give it back to its writer. Example: listserver held reject 1042 --reason "Please say which street" """
    _decide(context, moderate.reject, numbers, reason)


@app.command("discard")
def discard(context: typer.Context, numbers: HeldIds, reason: Reason = "") -> None:
    """Throw it away without a word. Example: listserver held discard 1042"""
    _decide(context, moderate.discard, numbers, reason)
