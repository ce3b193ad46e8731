"""`listserver thread`: conversations, and why each post stands where it stands."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from listserver.cli import show as show_on_screen
from listserver.cli.context import JsonOption, context_of, print_json, print_json_list, say
from listserver.flows import conversations

app = typer.Typer(help="Conversations, and why each post stands where it stands.", no_args_is_help=True)

ListName = Annotated[str, typer.Argument(metavar="LIST")]
PostName = Annotated[str, typer.Argument(metavar="POST", help="Its number, or its Message-ID.")]


@app.command("ls")
def ls(context: typer.Context, alist: ListName, as_json: JsonOption = False) -> None:
    """Show all conversations of a list, oldest first. Example: listserver thread ls toolshare --json"""
    found = context_of(context).get_list(alist)
    with context_of(context).site.database.read() as connection:
        threads = conversations.describe_all(connection, found.id)
        if as_json:
            print_json_list({"list": found.address}, "threads", threads)
            return
        for thread in threads:
            say(f"{thread['id']:>6}  {thread['subject']}  ({len(thread['posts'])} posts)")


@app.command("show")
def show(context: typer.Context, alist: ListName, post: PostName, as_json: JsonOption = False) -> None:
    """Show one conversation as a tree. Example: listserver thread show toolshare 12"""
    found = context_of(context).get_list(alist)
    with context_of(context).site.database.read() as connection:
        thread = conversations.describe(connection, found.id, post)
    if as_json:
        print_json(thread)
    else:
        Console().print(show_on_screen.tree_of(thread))


@app.command("why")
def why(context: typer.Context, alist: ListName, post: PostName, as_json: JsonOption = False) -> None:
    """Say why a post stands where it stands. Example: listserver thread why toolshare 12"""
    found = context_of(context).get_list(alist)
    with context_of(context).site.database.read() as connection:
        described = conversations.explain(connection, found.id, post)
    if as_json:
        print_json(described)
        return
    say(f"#{described['number']} {described['author']['name'] or described['author']['address']}: {described['subject']}")
    for sentence in described["sentences"]:
        say(f"  {sentence}")
