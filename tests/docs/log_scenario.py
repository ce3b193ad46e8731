"""A day in the life of a list, run as a program of its own so that its log on standard error is the service's true one.

Prints the addresses with secrets that were used; `--vocabulary` calls every function of the vocabulary once instead.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import tempfile
from pathlib import Path

from listserver import maillog
from tests.acceptance.community import community


def vocabulary() -> list[str]:
    """The names of the functions that write a line."""
    found = vars(maillog).items()
    return [
        name for name, each in found if inspect.isfunction(each) and each.__module__ == maillog.__name__ and name != "configure"
    ]


async def day(folder: Path) -> None:
    """Somebody joins, writes, is held, and leaves; somebody else writes."""
    async with community(folder, parts=("smtp", "deliver", "web"), options={"moderate_first": "1"}) as one:
        await one.write("gwen@example.net", to="toolshare-join@lists.example.org", subject="zebra-one", text="zebra-two\n")
        confirm = one.mails_to("gwen@example.net")[0]["Reply-To"].addresses[0].addr_spec
        await one.write("gwen@example.net", to=confirm, subject="Re: zebra-three", text="yes\n")
        await one.write("gwen@example.net", subject="zebra-four", text="zebra-five\n")
        await one.write("ruth@example.net", subject="zebra-six", text="zebra-seven\n")
        leave = one.mails_to("gwen@example.net")[-1]["List-Unsubscribe"].split("mailto:")[1].split("?")[0]
        await one.write("gwen@example.net", to=leave, subject="zebra-eight", text="\n")
        print(confirm, leave)


def main() -> None:
    """Run."""
    maillog.configure("json", "debug")
    if "--vocabulary" in sys.argv:
        samples: dict[str, object] = {"addresses": ("smtp://x:1",), "state": "held", "text": "x"}
        for name in vocabulary():
            function = getattr(maillog, name)
            function(**{each: samples.get(each, 1) for each in inspect.signature(function).parameters})
        return
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(day(Path(folder)))


if __name__ == "__main__":
    main()
