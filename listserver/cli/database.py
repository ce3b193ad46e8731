"""`listserver database`: bring it up to date, and check that nothing vanished."""

from __future__ import annotations

import typer

from listserver.cli.context import JsonOption, context_of, print_json, print_table, say
from listserver.errors import ListserverError
from listserver.flows import audit
from listserver.store import schema

app = typer.Typer(help="Bring the database up to date, and check it.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(context: typer.Context) -> None:
    """Bring the tables up to date (SQLite does it by itself at start). Example: listserver database upgrade"""
    site = context_of(context).site
    say("The tables are up to date now." if schema.upgrade(site.database) else "The tables were up to date already.")


@app.command("check")
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check that every accepted mail ended in exactly one state. Example: listserver database check --json"""
    found = audit.check(context_of(context).site)
    if as_json:
        print_json(found)
    else:
        print_table(["state", "mails"], list(found["states"].items()))
        say(
            f"Accepted: {found['accepted']}. "
            + ("All is accounted for." if found["ok"] else "Problems: " + "; ".join(found["problems"]))
        )
    if not found["ok"]:
        raise ListserverError("the database has problems") if not as_json else typer.Exit(1)
