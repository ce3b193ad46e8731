"""The web application: routes, the one thread hop of each request, and what holds for every answer.

Routes are matched on `scope["path"]`, and no address is ever built from what a request says of its host; a request for
another host than WEB_URL's is refused all the same. Surprise: the bodies of POSTs are not read; a token in the path says
all that there is to say, so there is nothing to forge and no form to parse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import anyio
import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from listserver import metrics
from listserver.flows.site import Site
from listserver.store.reading import ReadOnly
from listserver.web import archive, confirm, unsubscribe
from listserver.web.pages import HEADERS, Page, Pages


class Endpoint(Protocol):
    """A function that makes a page; its name is the page's in the numbers."""

    __name__: str

    def __call__(self, site: Site, reader: ReadOnly, request: Request) -> Page:
        """Make the page."""


_PAGES = metrics.counter("listserver_pages_total", "Pages answered since the start, by page and status", ["page", "status"])
_PAGE_SECONDS = metrics.seconds("listserver_page_seconds", "How long making a page took", ["page"])
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "[::1]"))
_ROBOTS = "User-agent: *\nDisallow: /u/\nDisallow: /back/\nDisallow: /c/\n"


@dataclass
class Web:
    """Everything that the pages need."""

    site: Site
    reader: ReadOnly

    def __post_init__(self) -> None:
        self._pages = Pages(self.site.templates)
        self._limiter = anyio.CapacityLimiter(self.reader.threads)
        self._log = structlog.get_logger("listserver.web")

    def app(self, *more: Route) -> Starlette:
        """The application; `more` are routes that come first."""
        routes = [
            *more,
            Route("/", self._page(archive.show_lists)),
            Route("/robots.txt", _robots),
            Route("/favicon.ico", _no_picture),
            Route(self._pages.style_path, self._pages.style),
            Route("/u/{token}", self._page(unsubscribe.show_leaving)),
            Route("/u/{token}", self._page(unsubscribe.do_leave), methods=["POST"]),
            Route("/c/{token}", self._page(confirm.show_question)),
            Route("/c/{token}", self._page(confirm.do_confirm), methods=["POST"]),
            Route("/back/{token}", self._page(unsubscribe.show_return)),
            Route("/back/{token}", self._page(unsubscribe.do_return), methods=["POST"]),
            Route("/{name}", self._page(archive.show_list)),
            Route("/{name}/p/{number:int}", self._page(archive.show_post)),
        ]
        application = Starlette(routes=routes, exception_handlers={HTTPException: self._http_error})
        application.add_middleware(Guard, host=urlsplit(self.site.web_url).hostname or "")
        return application

    def _page(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        name = endpoint.__name__

        def work(request: Request) -> Response:
            with _PAGE_SECONDS.labels(name).time():
                response = self._pages.respond(endpoint(self.site, self.reader, request))
            _PAGES.labels(name, str(response.status_code)).inc()
            return response

        async def answer(request: Request) -> Response:
            try:
                return await anyio.to_thread.run_sync(work, request, limiter=self._limiter)
            except Exception:  # noqa: BLE001 - this door's catch-all: the log is exact, the page is kind
                _PAGES.labels(name, "500").inc()
                self._log.exception("page_failed", page=name)
                return self._pages.respond(Page(name="our-fault", status=500))

        return answer

    async def _http_error(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 404:
            return self._pages.respond(archive.nothing_here())
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return PlainTextResponse("This cannot be done here.\n", status_code=status, headers=headers)


class Guard:
    """Answers only for the host of WEB_URL (and this machine), and puts the fields of `pages.HEADERS` on everything."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._hosts = _LOOPBACK | ({host.lower()} if host else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the server's own beginning and end
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("host", "").lower()
        host = given if given.endswith("]") else given.rpartition(":")[0] or given
        if host not in self._hosts and scope["path"] not in ("/health", "/metrics"):
            await PlainTextResponse("There is nothing of that name here.\n", status_code=421, headers=HEADERS)(
                scope, receive, send
            )
            return

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                fields = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    fields.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_fields)


async def _robots(_request: Request) -> Response:
    return PlainTextResponse(_ROBOTS)


async def _no_picture(_request: Request) -> Response:
    return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})
