"""Post mail over many sessions at once, from a process of its own: a client lean enough not to be what is measured.

    python benchmarks/load.py PORT --messages 5000 --sessions 10 --size 4096 --to list@lists.example.org [--fresh]

`--fresh` opens a connection for each mail. Prints one JSON line: {"sent", "refused", "seconds", "rate"}.
"""

from __future__ import annotations

import sys

sys.path.append(sys.path.pop(0))  # a script in this folder is called like a module of the standard library

import argparse
import asyncio
import json
import time


class Client(asyncio.Protocol):
    """One session: lock-step dialogue, a mail after the other, as most servers speak."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.state = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data[-1:] != b"\n":
            return
        line = data.splitlines()[-1]
        if line[3:4] == b"-":
            return  # aiosmtpd writes each line of a reply alone
        if self.state == 0:
            self.state = 1
            self.transport.write(b"EHLO client.example\r\n")
        elif self.state in (1, 5):
            if self.state == 5:
                self.plan.sent += line[:1] == b"2"
                self.plan.refused += line[:1] != b"2"
                if self.plan.fresh:
                    self.finish()
                    return
            if not self.plan.left:
                self.finish()
                return
            self.plan.left -= 1
            self.number = self.plan.left
            self.state = 2
            self.transport.write(b"MAIL FROM:<writer%d@example.net>\r\n" % (self.number % 50))
        elif self.state == 2:
            self.state = 3
            self.transport.write(b"RCPT TO:<" + self.plan.to + b">\r\n")
        elif self.state == 3:
            if line[:1] != b"2":
                raise SystemExit(f"refused: {line!r}")
            self.state = 4
            self.transport.write(b"DATA\r\n")
        elif self.state == 4:
            self.state = 5
            self.transport.write(self.plan.mail(self.number))

    def finish(self) -> None:
        self.transport.write(b"QUIT\r\n")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Plan:
    """What is to be sent, shared by all sessions."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.left, self.fresh = options.messages, options.fresh
        self.to = options.to.encode()
        self.sent = self.refused = 0
        self.tag = f"{time.time():.0f}".encode()
        line = b"The quick brown fox borrows the long ladder from the shed.\r\n"
        self.text = line * max(1, (options.size - 400) // len(line))

    def mail(self, number: int) -> bytes:
        return (
            (
                b"From: Writer %d <writer%d@example.net>\r\nTo: <%s>\r\nSubject: Post number %d\r\nDate: Tue, 03 Mar 2026 09:00:00 +0000\r\n"
                b"Message-ID: <%s.%d@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                % (number % 50, number % 50, self.to, number, self.tag, number)
            )
            + self.text
            + b".\r\n"
        )


async def session(plan: Plan, port: int) -> None:
    loop = asyncio.get_running_loop()
    while plan.left > 0:
        _transport, client = await loop.create_connection(lambda: Client(plan), "127.0.0.1", port)
        await client.done


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--to", default="bench@lists.example.org")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    plan = Plan(options)
    begin = time.perf_counter()
    await asyncio.gather(*[session(plan, options.port) for _each in range(options.sessions)])
    seconds = time.perf_counter() - begin
    print(
        json.dumps(
            {"sent": plan.sent, "refused": plan.refused, "seconds": round(seconds, 4), "rate": round(plan.sent / seconds, 1)}
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
