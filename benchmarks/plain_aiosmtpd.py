"""The yardstick of ingest: aiosmtpd as it comes, with a handler that only answers. Prints its port."""

from __future__ import annotations

import sys

sys.path.append(sys.path.pop(0))  # a script in this folder is called like a module of the standard library

import asyncio
import logging

from aiosmtpd.smtp import SMTP


class Handler:
    """Takes everything and keeps nothing."""

    async def handle_DATA(self, _server: object, _session: object, _envelope: object) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 OK"


async def main() -> None:
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), hostname="plain"), "127.0.0.1", 0, backlog=500
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
