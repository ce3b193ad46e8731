"""`listserver list`: make, show, change and remove lists."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from listserver.cli.context import JsonOption, context_of, print_json, print_table, say
from listserver.errors import ConfigError
from listserver.flows import membership
from listserver.lists.model import WITHOUT_EFFECT_YET, MailingList
from listserver.store import lists, members

app = typer.Typer(help="Make, show, change and remove lists.", no_args_is_help=True)


def read_pairs(pairs: list[str]) -> dict[str, str]:
    """KEY=VALUE arguments as a mapping. Raises: ConfigError."""
    values: dict[str, str] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise ConfigError(f"{pair}: write KEY=VALUE, for example timezone=Europe/London")
        values[key.strip()] = value
    return values


def warn_of_no_effect(values: Mapping[str, str]) -> None:
    """Say so on standard error where an option is kept, but does nothing in this version."""
    for key in values:
        if key in WITHOUT_EFFECT_YET:
            sys.stderr.write(f"listserver: {key} is kept, but has no effect yet: {WITHOUT_EFFECT_YET[key]}\n")


def _describe(alist: MailingList, count: int) -> dict[str, object]:
    return {"address": alist.address, "members": count, **alist.options.to_text()}


@app.command("create")
def create(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The list's address, for example toolshare@lists.example.org.")],
    name: Annotated[str, typer.Option(help="Its name, as people say it.")] = "",
    description: Annotated[str, typer.Option(help="One line about it.")] = "",
    owner: Annotated[list[str] | None, typer.Option(help="Who runs it; may be given several times.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE; may be given several times.")] = None,
) -> None:
    """Make a list.

    Example: listserver list create toolshare@lists.example.org --name "Tool Share" --owner ruth@example.net
    """
    values = {
        **({"name": name} if name else {}),
        **({"description": description} if description else {}),
        **read_pairs(setting or []),
    }
    warn_of_no_effect(values)
    made = membership.create_list(context_of(context).site, address, values, owner or [])
    say(f"Made {made.address}. Next: listserver member add {made.local} ADDRESS…")


@app.command("ls")
def ls(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show all lists. Example: listserver list ls --json"""
    with context_of(context).site.database.read() as connection:
        rows = [(each, members.count(connection, each.id)) for each in lists.everything(connection)]
    if as_json:
        print_json({"lists": [_describe(each, count) for each, count in rows]})
    else:
        print_table(["list", "name", "members"], [(each.address, each.options.name, count) for each, count in rows])
        if not rows:
            say("There is no list yet. Make one: listserver list create toolshare@lists.example.org")


@app.command("show")
def show(context: typer.Context, address: str, as_json: JsonOption = False) -> None:
    """Show a list and all its options. Example: listserver list show toolshare"""
    alist = context_of(context).get_list(address)
    with context_of(context).site.database.read() as connection:
        described = _describe(alist, members.count(connection, alist.id))
    if as_json:
        print_json(described)
    else:
        print_table(["option", "value"], list(described.items()))


@app.command("set")
def change(context: typer.Context, address: str, pairs: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…")]) -> None:
    """Change options of a list. Example: listserver list set toolshare digest_at=18:00 timezone=Europe/London"""
    site, alist, values = context_of(context).site, context_of(context).get_list(address), read_pairs(pairs)
    membership.set_list_options(site, alist, values)
    warn_of_no_effect(values)
    say(f"Changed {', '.join(values)} of {alist.address}.")


@app.command("remove")
def remove(
    context: typer.Context,
    address: str,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, remove everything of it.")] = False,
) -> None:
    """Remove a list with its members and posts. Example: listserver list remove toolshare --yes"""
    site, alist = context_of(context).site, context_of(context).get_list(address)
    if not yes:
        raise ConfigError(f"this removes {alist.address} with all its members and posts: add --yes if you mean it")
    site.database.write(lambda connection: lists.remove(connection, alist.id))
    say(f"Removed {alist.address}.")
