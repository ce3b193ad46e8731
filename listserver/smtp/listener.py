"""Open the doors, know their addresses, close them without cutting anybody off.

All listeners run in the one event loop (no aiosmtpd Controller, which brings its own thread and loop).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from listserver.errors import ConfigError
from listserver.smtp.door import Door
from listserver.smtp.handler import Gate, SmtpSession
from listserver.smtp.limits import DoorSettings, Turnstile
from listserver.smtp.lmtp import LmtpSession

_BACKLOG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """One address that a door has really opened; for a socket in the file system `host` is its path and `port` 0."""

    protocol: str  # 'smtp' or 'lmtp'
    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return f"{self.protocol}:unix:{self.host}"
        return f"{self.protocol}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class Doors:
    """The SMTP and LMTP listeners of one process."""

    def __init__(self, *, gate: Gate, settings: DoorSettings) -> None:
        self._gate = gate
        self._settings = settings
        self._servers: list[asyncio.AbstractServer] = []
        self._sockets: list[Path] = []
        self._door: Door | None = None
        self.addresses: tuple[Listening, ...] = ()

    async def start(self) -> None:
        """Open every address. Raises: ConfigError when one of them, or the certificate, cannot be used."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd tells every line; we tell every message
        settings = self._settings
        self._door = Door(settings=settings, turnstile=Turnstile(settings), tls=_load_certificate(settings))
        try:
            for address in settings.smtp_listen:
                await self._listen("smtp", address, SmtpSession(self._door, self._gate))
            for address in settings.lmtp_listen:
                await self._listen("lmtp", address, LmtpSession(self._door, self._gate))
        except BaseException:
            self._close()
            raise

    async def _listen(self, protocol: str, address: str, pattern: SmtpSession) -> None:
        loop = asyncio.get_running_loop()
        name = f"LISTSERVER_{protocol.upper()}_LISTEN"
        try:
            if address.startswith("unix:"):
                path = Path(address.removeprefix("unix:"))
                server = await loop.create_unix_server(pattern.open, path, backlog=_BACKLOG)
                self._servers.append(server)
                self._sockets.append(path)
                os.chmod(path, self._settings.unix_mode)
                self.addresses += (Listening(protocol=protocol, host=str(path), port=0),)
                return
            host, port = read_host_port(address)
            tcp = await loop.create_server(pattern.open, host, port, backlog=_BACKLOG)
        except ValueError as error:
            raise ConfigError(f"{name}: expected host:port, [::1]:port or unix:PATH, not {address!r}") from error
        except OSError as error:
            raise ConfigError(f"{name}: cannot listen on {address}: {error.strerror or error}") from error
        self._servers.append(tcp)
        for socket in tcp.sockets:
            bound = socket.getsockname()
            self.addresses += (Listening(protocol=protocol, host=bound[0], port=bound[1]),)

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Accept no more connections, let running transactions end, then say 421 to whoever is left."""
        self._close()
        door = self._door
        if door is None:
            return
        door.draining = True
        for connection in list(door.connections):
            connection.drain()
        if door.connections:
            door.empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain_seconds):
                    await door.empty.wait()
        left = list(door.connections)
        for connection in left:
            connection.dismiss()
        await asyncio.gather(*(connection.end() for connection in left))

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        for path in self._sockets:
            path.unlink(missing_ok=True)
        self._sockets.clear()


def read_host_port(address: str) -> tuple[str | None, int]:
    """Read `host:port` or `[::1]:port`; host `*` or empty stands for every interface (None). Raises: ValueError."""
    host, separator, port = address.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(address)
    if not separator or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(address)
    return (None if host in ("", "*") else host), int(port)


def _load_certificate(settings: DoorSettings) -> ssl.SSLContext | None:
    """The TLS side of STARTTLS, when a certificate is configured."""
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        problem = error.strerror or "not a certificate and its key in PEM form"
        raise ConfigError(f"LISTSERVER_TLS_CERTIFICATE, LISTSERVER_TLS_KEY: {problem}") from error
    return context
