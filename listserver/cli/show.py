"""How conversations, mails and a digest look in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.tree import Tree

UNCERTAIN = 0.9


def tree_of(thread: dict[str, Any]) -> Tree:
    """A conversation as a tree: author, time, and the evidence of each link; uncertain links are marked in words."""
    tree = Tree(f"[bold]{escape(thread['subject'] or '(no subject)')}[/bold]")
    branches: list[Tree] = [tree]
    for post in thread["posts"]:
        del branches[post["depth"] + 1 :]
        author = post["author"]["name"] or post["author"]["address"]
        evidence = post["evidence"]
        mark = "" if evidence["score"] >= UNCERTAIN else " [yellow](uncertain)[/yellow]"
        label = (
            f"#{post['number']} {escape(author)}, {post['date']:%a %d %b %H:%M}{mark}\n[dim]{escape(evidence['detail'])}[/dim]"
        )
        branches.append(branches[-1].add(label))
    return tree


class Screen:
    """What the demonstration shows, part by part."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(width=None if Console().is_terminal else 100)

    def step(self, text: str) -> None:
        """What happens now."""
        self.console.print(f"[dim]{escape(text)}[/dim]")

    def conversations(self, threads: Sequence[dict[str, Any]]) -> None:
        """Every conversation, and why each post stands where it stands."""
        self.console.rule("Conversations, and why each post stands where it stands")
        for thread in threads:
            self.console.print(tree_of(thread))
            self.console.print()

    def mails(self, mails: Sequence[Any]) -> None:
        """What left for whom: one line for each mail, people who got it together."""
        self.console.rule("What left, and for whom")
        table = Table("mail", "from", "for", box=box.SIMPLE_HEAD, pad_edge=False)
        groups: dict[tuple[str, str, str], list[str]] = {}
        for mail in mails:
            key = (
                str(mail["Message-ID"]),
                str(mail["Subject"]),
                mail["From"].addresses[0].display_name or mail["From"].addresses[0].addr_spec,
            )
            groups.setdefault(key, []).append(str(mail["Delivered-To"]).partition("@")[0])
        for (_id, subject, sender), people in groups.items():
            table.add_row(escape(subject), escape(sender), escape(", ".join(people)))
        self.console.print(table)

    def digest(self, mail: Any) -> None:
        """A digest as its reader sees it."""
        self.console.rule(f"The digest that {mail['To'].addresses[0].display_name or mail['To']} got")
        head = "\n".join(f"{name}: {mail[name]}" for name in ("From", "To", "Subject"))
        self.console.print(Panel(escape(head + "\n\n" + mail.get_content()), box=box.ROUNDED))

    def ending(self, port: int | None, folder: Path, web: str) -> None:
        """How to go on."""
        if port is None:
            self.console.print("That was all of it: one process, one file. To see it stay: [bold]listserver demo --keep[/bold]")
        else:
            self.console.print(
                f"It goes on: write to toolshare@lists.example.org through 127.0.0.1, port {port}; what leaves lands in {folder}/outgoing; "
                f"read the posts at {web}/toolshare . Ctrl-C ends it."
            )
