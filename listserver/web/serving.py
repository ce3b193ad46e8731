"""uvicorn inside the service's own event loop: no signals of its own, sockets opened by us, a bounded goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from listserver.errors import ConfigError

_BACKLOG = 256
_MOST_REQUESTS = 200


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM belongs to the service, which drains all its doors."""
        yield


class WebServer:
    """The listeners of the web."""

    def __init__(self, app: ASGIApp, listen: str, *, grace_seconds: int = 5) -> None:
        self._listen = [each.strip() for each in listen.split(",") if each.strip()]
        self._server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=10,
                timeout_graceful_shutdown=grace_seconds,
                limit_concurrency=_MOST_REQUESTS,
            )
        )
        self._task: asyncio.Task[None] | None = None
        self.addresses: tuple[str, ...] = ()

    async def start(self) -> None:
        """Open every address and answer. Raises: ConfigError."""
        sockets: list[socket.socket] = []
        try:
            for address in self._listen:
                sockets.append(_open(address))
        except ConfigError:
            for each in sockets:
                each.close()
            raise
        self.addresses = tuple(_name(each) for each in sockets)
        self._task = asyncio.create_task(self._server.serve(sockets=sockets))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Answer what is being asked, then close."""
        if self._task is not None:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)


def _open(address: str) -> socket.socket:
    try:
        if address.startswith("unix:"):
            path = Path(address[5:])
            path.unlink(missing_ok=True)
            bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            bound.bind(str(path))
            bound.listen(_BACKLOG)
            return bound
        host, colon, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not port.isdigit() or int(port) > 65535:
            raise ConfigError(f"LISTSERVER_WEB_LISTEN: expected host:port, [::1]:port or unix:PATH, not {address!r}")
        if host in ("", "*"):  # every interface
            return socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(f"LISTSERVER_WEB_LISTEN: cannot listen on {address}: {error.strerror or error}") from error


def _name(bound: socket.socket) -> str:
    if bound.family == socket.AF_UNIX:
        return f"unix:{bound.getsockname()}"
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
