"""`listserver member`: who is on a list, and how each gets it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from listserver.cli.context import JsonOption, context_of, print_json, print_table, say
from listserver.cli.lists import read_pairs, warn_of_no_effect
from listserver.errors import ConfigError
from listserver.flows import membership, reach, returned
from listserver.store import members

app = typer.Typer(help="Add, show, change and remove members.", no_args_is_help=True)


def describe(row: Any) -> dict[str, object]:
    """A member as JSON shows it."""
    return {
        "address": row.address,
        "state": row.state,
        "since": row.since,
        **{key: getattr(row, key) for key in members.OPTION_COLUMNS},
    }


@app.command("add")
def add(
    context: typer.Context,
    alist: Annotated[str, typer.Argument(metavar="LIST")],
    address: Annotated[list[str] | None, typer.Argument(metavar="ADDRESS…")] = None,
    name: Annotated[str, typer.Option(help="The name shown.")] = "",
    deliver: Annotated[str, typer.Option(help="each, digest, followed or none; default: as the list says.")] = "",
    role: Annotated[str, typer.Option(help="member, moderator or owner.")] = "",
    format_: Annotated[str, typer.Option("--format", help="html, text, classic or classic-mime.")] = "",
    timezone: Annotated[str, typer.Option(help="For example Europe/London.")] = "",
    digest_at: Annotated[str, typer.Option(help="HH:MM.")] = "",
    file: Annotated[Path | None, typer.Option(help="A CSV file: address, name (a heading line is recognised).")] = None,
    welcome: Annotated[bool, typer.Option("--welcome", help="Send the welcome.")] = False,
) -> None:
    """Add members at once. Example: listserver member add toolshare gwen@example.net tom@example.net --deliver digest"""
    given = [(each, name) for each in address or []] + (_read_csv(file) if file else [])
    if format_:
        warn_of_no_effect({"format": format_})
    if not given:
        raise ConfigError("give at least one address, or --file with addresses in it")
    options = {"delivery": deliver, "role": role, "format": format_, "timezone": timezone, "digest_at": digest_at}
    shared = context_of(context)
    added = membership.add_members(
        shared.site, shared.get_list(alist), given, {k: v for k, v in options.items() if v}, welcome=welcome
    )
    say(
        f"Added {len(added)}; {len(given) - len(added)} were members already."
        if len(added) != len(given)
        else f"Added {len(added)}."
    )


def _read_csv(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row and row[0].strip()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return [(row[0], row[1] if len(row) > 1 else "") for row in rows if "@" in row[0]]


@app.command("ls")
def ls(context: typer.Context, alist: Annotated[str, typer.Argument(metavar="LIST")], as_json: JsonOption = False) -> None:
    """Show the members of a list. Example: listserver member ls toolshare"""
    found = context_of(context).get_list(alist)
    with context_of(context).site.database.read() as connection:
        rows = members.everyone(connection, found.id, states=("active", "paused", "suspended", "pending"))
    if as_json:
        print_json({"list": found.address, "members": [describe(row) for row in rows]})
    else:
        print_table(
            ["address", "name", "role", "gets", "state", "since"],
            [(r.address, r.name, r.role, r.delivery, r.state, r.since) for r in rows],
        )


@app.command("show")
def show(
    context: typer.Context, alist: Annotated[str, typer.Argument(metavar="LIST")], address: str, as_json: JsonOption = False
) -> None:
    """Show one member. Example: listserver member show toolshare gwen@example.net"""
    shared = context_of(context)
    found = shared.get_list(alist)
    with shared.site.database.read() as connection:
        row = members.get(connection, found.id, membership.address_key(address))
        bounces = reach.describe(connection, found, row.id, shared.site.now())
        described = {**describe(row), "bounces": bounces}
    if as_json:
        print_json(described)
    else:
        print_table(
            ["option", "value"], [*describe(row).items(), *((f"bounces: {key}", value) for key, value in (bounces or {}).items())]
        )


@app.command("set")
def change(
    context: typer.Context,
    alist: Annotated[str, typer.Argument(metavar="LIST")],
    address: str,
    pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…")],
) -> None:
    """Change options of a member; `bounces=clear` forgets what came back and sends again.

    Example: listserver member set toolshare gwen@example.net delivery=digest
    """
    shared, values = context_of(context), read_pairs(pairs)
    found, options = shared.get_list(alist), {key: value for key, value in values.items() if key != "bounces"}
    if values.get("bounces", "clear") != "clear":
        raise ConfigError("bounces: expected clear")
    if options:
        membership.set_member_options(shared.site, found, address, options)
        warn_of_no_effect(options)
    if "bounces" in values:
        returned.clear(shared.site, found, address)
    say(f"Changed {', '.join(values)} of {address}.")


@app.command("remove")
def remove(
    context: typer.Context,
    alist: Annotated[str, typer.Argument(metavar="LIST")],
    address: Annotated[list[str], typer.Argument(metavar="ADDRESS…")],
) -> None:
    """Take members off a list. Example: listserver member remove toolshare gwen@example.net"""
    shared = context_of(context)
    found = shared.get_list(alist)
    with shared.site.database.read() as connection:  # all of them or none
        for each in address:
            members.get(connection, found.id, membership.address_key(each))
    for each in address:
        membership.remove_member(shared.site, found, each)
    say(f"Removed {len(address)}.")
