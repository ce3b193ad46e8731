"""`listserver database`: bring it up to date, check that nothing vanished, copy it while it is in use."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from listserver.cli.context import JsonOption, context_of, print_json, print_table, say
from listserver.errors import ListserverError
from listserver.flows import audit
from listserver.store import backup, schema

app = typer.Typer(help="Bring the database up to date, check it, copy it.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(context: typer.Context) -> None:
    """Bring the tables up to date (SQLite does it by itself at start). Example: listserver database upgrade"""
    site = context_of(context).site
    say("The tables are up to date now." if schema.upgrade(site.database) else "The tables were up to date already.")


@app.command("backup")
def make_backup(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new file; or a folder, which then is a whole DATA_DIR.")],
) -> None:
    """Copy the database, while the service runs, and the secret key beside it.

    Example: listserver database backup /var/backups/listserver-monday.db
    """
    shared = context_of(context)
    site, settings = shared.site, shared.settings
    suffix = ".db" if site.database.is_sqlite else ".dump"
    target = path / f"listserver{suffix}" if path.is_dir() else path
    key = path / "secret.key" if path.is_dir() else path.with_name(f"{path.name}.secret.key")
    try:
        size = (
            backup.copy_sqlite(site.database.path, target)
            if site.database.path is not None
            else backup.dump_postgresql(site.database.address, target)
        )
        if not settings.secret_key.get_secret_value():
            backup.copy_key(settings.data_dir / "secret.key", key)
    except (OSError, sqlite3.Error) as error:
        raise ListserverError(f"cannot copy to {target}: {error}") from error
    say(
        f"Copied {size / 1e6:.1f} MB to {target}"
        + ("" if settings.secret_key.get_secret_value() else f"; the secret key to {key}")
        + ". How to go back: docs/operations.md."
    )


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
