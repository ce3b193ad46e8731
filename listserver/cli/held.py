"""`listserver held`: posts that wait for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from listserver.cli.context import JsonOption, context_of, print_json, print_table, say
from listserver.flows import moderate

app = typer.Typer(help="Posts that wait for a person.", no_args_is_help=True)

HeldId = Annotated[int, typer.Argument(metavar="ID")]
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


@app.command("approve")
def approve(context: typer.Context, number: HeldId, reason: Reason = "") -> None:
    """Post it. Example: listserver held approve 1042"""
    say(moderate.approve(context_of(context).site, number, reason))


@app.command("reject")
def reject(context: typer.Context, number: HeldId, reason: Reason = "") -> None:
    """Give it back to its writer. Example: listserver held reject 1042 --reason "Please say which street" """
    say(moderate.reject(context_of(context).site, number, reason))


@app.command("discard")
def discard(context: typer.Context, number: HeldId, reason: Reason = "") -> None:
    """Throw it away without a word. Example: listserver held discard 1042"""
    say(moderate.discard(context_of(context).site, number, reason))
