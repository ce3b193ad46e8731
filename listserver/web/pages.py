"""How a page is made: a template in the reader's language, and the fields that every answer of ours carries.

No scripts, no cookies, nothing from elsewhere: the Content-Security-Policy allows one style sheet and forms to ourselves.
Addresses hold tokens, so no Referer leaves; what not everyone may read is neither kept by caches nor found by robots.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from listserver.render.environment import Templates, bundled

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What an endpoint answers: which template, with what values, and for whom it is."""

    name: str
    values: dict[str, object] = field(default_factory=dict)
    status: int = 200
    language: str = "en"
    public: bool = False
    """Whether everyone may read it: then robots may find it and caches keep it for a minute."""


class Pages:
    """Turns pages into responses."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def respond(self, page: Page) -> Response:
        """The response of a page."""
        template = self._templates.get("web", page.language, f"{page.name}.html.j2")
        text = template.render({**page.values, "language": page.language, "public": page.public, "style": self.style_path})
        response = HTMLResponse(text, status_code=page.status)
        response.headers["Cache-Control"] = "public, max-age=60" if page.public else "no-store"
        if not page.public:
            response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    @cached_property
    def style_path(self) -> str:
        """The style sheet's path, which changes with its content, so that caches may keep it for ever."""
        return f"/static/{hashlib.sha256(self._style).hexdigest()[:12]}.css"

    @cached_property
    def _style(self) -> bytes:
        return (bundled() / "web" / "style.css").read_bytes()

    def style(self, _request: Request) -> Response:
        """The style sheet."""
        return Response(self._style, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})
