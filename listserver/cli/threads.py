"""`listserver thread`: conversations, and why each post stands where it stands."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.console import Console

from listserver.cli import show as show_on_screen
from listserver.cli.context import JsonOption, context_of, print_json, print_json_list, say
from listserver.flows import conversations, repair

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
            say(
                f"{thread['id']:>6}  {thread['subject']}  ({len(thread['posts'])} {'post' if len(thread['posts']) == 1 else 'posts'})"
            )


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


@app.command("move")
def move(
    context: typer.Context,
    alist: ListName,
    post: PostName,
    under: Annotated[str, typer.Option("--under", metavar="POST", help="The post that it answers.")],
) -> None:
    """Put a post and its answers under another. Example: listserver thread move toolshare 12 --under 9"""
    shared = context_of(context)
    say(repair.move(shared.site, shared.get_list(alist), post, under, by=_who()))


@app.command("split")
def split(context: typer.Context, alist: ListName, post: PostName) -> None:
    """Let a post and its answers be a conversation of their own. Example: listserver thread split toolshare 12"""
    shared = context_of(context)
    say(repair.split(shared.site, shared.get_list(alist), post, by=_who()))


@app.command("merge")
def merge(
    context: typer.Context,
    alist: ListName,
    post: PostName,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The post under which the conversation of POST shall stand.")],
) -> None:
    """Put a whole conversation under a post of another. Example: listserver thread merge toolshare 12 9"""
    shared = context_of(context)
    say(repair.merge(shared.site, shared.get_list(alist), post, into, by=_who()))


@app.command("undo")
def undo(context: typer.Context, alist: ListName) -> None:
    """Take back the last move, split or merge; again for the one before. Example: listserver thread undo toolshare"""
    shared = context_of(context)
    say(repair.undo(shared.site, shared.get_list(alist), by=_who()))


def _who() -> str:
    try:
        return f"{getpass.getuser()} on the command line"
    except (KeyError, OSError):  # a user without a name
        return "somebody on the command line"
