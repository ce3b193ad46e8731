"""An SMTP sink in a process of its own: takes mail as fast as Python can, counts it, and tells when asked.

    python benchmarks/sink.py [--port 0] [--no-pipelining] [--chunking] [--delay MILLISECONDS] [--pairs FILE]

Prints its port on the first line; on SIGTERM one JSON line: {"messages", "recipients", "octets", "seconds"}, where seconds
run from the first to the last message. `--pairs` writes each `Message-ID<TAB>recipient` that it accepted.
"""

from __future__ import annotations

import sys

sys.path.append(sys.path.pop(0))  # a script in this folder is called like a module of the standard library

import argparse
import asyncio
import json
import re
import signal
import time

MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.I | re.M)


class Counts:
    """What the sink has seen, over all connections."""

    messages = recipients = octets = 0
    first = last = 0.0


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, options: argparse.Namespace, pairs: object) -> None:
        self.options, self.pairs = options, pairs
        self.buffer = bytearray()
        self.in_data = False
        self.chunk = -1
        self.recipients: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        replies: list[bytes] = []
        while self.step(replies):
            pass
        if replies:
            if self.options.delay:
                asyncio.get_running_loop().call_later(self.options.delay / 1000, self.transport.write, b"".join(replies))
            else:
                self.transport.write(b"".join(replies))

    def step(self, replies: list[bytes]) -> bool:
        """Take one command or one content off the buffer; False when more must come first."""
        if self.chunk >= 0:
            if len(self.buffer) < self.chunk:
                return False
            self.accept(bytes(self.buffer[: self.chunk]), replies)
            del self.buffer[: self.chunk]
            self.chunk = -1
            return True
        if self.in_data:
            end = self.buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            self.accept(bytes(self.buffer[: end + 2]), replies)
            del self.buffer[: end + 5]
            self.in_data = False
            return True
        end = self.buffer.find(b"\n")
        if end < 0:
            return False
        line = bytes(self.buffer[:end]).rstrip()
        del self.buffer[: end + 1]
        self.command(line, replies)
        return True

    def command(self, line: bytes, replies: list[bytes]) -> None:
        verb = line[:4].upper()
        if verb in (b"EHLO", b"LHLO"):
            offers = [b"8BITMIME", b"SMTPUTF8"]
            offers += [] if self.options.no_pipelining else [b"PIPELINING"]
            offers += [b"CHUNKING"] if self.options.chunking else []
            replies.append(
                b"250-sink\r\n" + b"".join(b"250-" + o + b"\r\n" for o in offers[:-1]) + b"250 " + offers[-1] + b"\r\n"
            )
        elif verb == b"RCPT":
            self.recipients.append(line[line.find(b"<") + 1 : line.find(b">")])
            replies.append(b"250 2.1.5 Ok\r\n")
        elif verb == b"DATA":
            self.in_data = True
            replies.append(b"354 go on\r\n")
        elif verb == b"BDAT":
            self.chunk = int(line.split()[1])
        elif verb == b"VRFY":
            replies.append(b"252 2.0.0 %d messages\r\n" % Counts.messages)
        elif verb == b"QUIT":
            replies.append(b"221 2.0.0 Bye\r\n")
        else:
            if verb in (b"MAIL", b"RSET"):
                self.recipients = []
            replies.append(b"250 2.0.0 Ok\r\n")

    def accept(self, content: bytes, replies: list[bytes]) -> None:
        now = time.time()
        Counts.first = Counts.first or now
        Counts.last = now
        Counts.messages += 1
        Counts.recipients += len(self.recipients)
        Counts.octets += len(content)
        if self.pairs is not None:
            found = MESSAGE_ID.search(content)
            for recipient in self.recipients:
                self.pairs.write((found[1] if found else b"-") + b"\t" + recipient + b"\n")
        replies.append(b"250 2.0.0 Ok: queued\r\n")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--chunking", action="store_true")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--pairs")
    options = parser.parse_args()
    pairs = open(options.pairs, "wb") if options.pairs else None  # noqa: SIM115, ASYNC230 - open as long as the process
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(options, pairs), "127.0.0.1", options.port, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    if pairs is not None:
        pairs.close()
    json.dump(
        {
            "messages": Counts.messages,
            "recipients": Counts.recipients,
            "octets": Counts.octets,
            "seconds": round(Counts.last - Counts.first, 4),
        },
        sys.stdout,
    )
    print(flush=True)


if __name__ == "__main__":
    asyncio.run(main())
