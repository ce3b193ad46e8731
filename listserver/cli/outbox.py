"""`listserver queue`: what waits to leave, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from listserver.cli.context import LARGEST_ID, JsonOption, context_of, print_json, print_table, say
from listserver.errors import NotFound
from listserver.store import outbox
from listserver.store.tables import DeliveryState

app = typer.Typer(help="What waits to leave, and what became of it.", no_args_is_help=True)

Ids = Annotated[list[int], typer.Argument(min=1, max=LARGEST_ID, metavar="ID…")]


@app.command("ls")
def ls(context: typer.Context, as_json: JsonOption = False) -> None:
    """Count deliveries by state. Example: listserver queue ls --json"""
    site = context_of(context).site
    with site.database.read() as connection:
        counts: dict[str, object] = dict(outbox.counts(connection))
        oldest = outbox.oldest(connection)
        mails = outbox.waiting(connection)
    counts["oldest_seconds"] = round((site.now() - oldest).total_seconds()) if oldest else 0
    if as_json:
        print_json(counts)
    else:
        print_table(["state", "deliveries"], list(counts.items()))
        names = {each.id: each.address for each in site.directory.everything()}
        rows = [(m.id, names.get(m.list_id, ""), m.kind, m.post_number, m.created_at, m.waiting) for m in mails]
        print_table(["id", "list", "kind", "post", "made", "waiting"], rows)


@app.command("show")
def show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=1, max=LARGEST_ID, metavar="ID")],
    as_json: JsonOption = False,
) -> None:
    """Show every recipient of one outgoing mail. Example: listserver queue show 1042"""
    with context_of(context).site.database.read() as connection:
        rows = outbox.deliveries(connection, number)
    if not rows:
        raise NotFound(f"there is no outgoing mail {number}: see `listserver queue ls`")
    if as_json:
        print_json(
            {
                "id": number,
                "deliveries": [{"address": r.address, "state": r.state, "attempts": r.attempts, "reply": r.reply} for r in rows],
            }
        )
    else:
        print_table(["address", "state", "attempts", "last reply"], [(r.address, r.state, r.attempts, r.reply) for r in rows])


def _move(context: typer.Context, numbers: list[int], states: tuple[str, ...], to: DeliveryState, done: str) -> None:
    site, total = context_of(context).site, 0
    for number in numbers:
        with site.database.read() as connection:
            if not outbox.deliveries(connection, number):
                raise NotFound(f"there is no outgoing mail {number}: see `listserver queue ls`")
        total += site.database.write(lambda connection, n=number: outbox.move(connection, n, states, to, site.now()))  # type: ignore[misc]
    say(f"{done} {total}.")


@app.command("retry")
def retry(context: typer.Context, numbers: Ids) -> None:
    """Try again now. Example: listserver queue retry 1042"""
    _move(context, numbers, ("retry", "hold", "failed", "ambiguous"), DeliveryState.queued, "Queued again:")


@app.command("hold")
def hold(context: typer.Context, numbers: Ids) -> None:
    """Keep from leaving until `retry`. Example: listserver queue hold 1042"""
    _move(context, numbers, ("queued", "retry", "ambiguous"), DeliveryState.hold, "On hold:")


@app.command("drop")
def drop(context: typer.Context, numbers: Ids) -> None:
    """Never send. Example: listserver queue drop 1042"""
    _move(context, numbers, ("queued", "retry", "hold", "ambiguous"), DeliveryState.dropped, "Dropped:")
