"""`/c/TOKEN`: the button in a question about joining or leaving. GET shows one sentence and one button, POST acts."""

from __future__ import annotations

from starlette.requests import Request

from listserver.flows import press
from listserver.flows.press import Asked
from listserver.flows.site import Site
from listserver.store.reading import ReadOnly
from listserver.web.pages import Page
from listserver.web.shown import mask_address


def show_question(site: Site, reader: ReadOnly, request: Request) -> Page:
    """GET: what was asked, and one button."""
    with reader.read() as connection:
        asked = press.look(connection, site, request.path_params["token"])
    return _page("confirm", asked, {}) if asked is not None else answered()


def do_confirm(site: Site, reader: ReadOnly, request: Request) -> Page:
    """POST: done, or what became of it."""
    done = press.press(site, request.path_params["token"])
    return _page("confirmed", done[0], {"outcome": done[1].value}) if done is not None else answered()


def answered() -> Page:
    """Kind words for a question that is unknown, answered, or over; the three cannot be told apart from outside."""
    return Page(name="no-question", status=404)


def _page(name: str, asked: Asked, more: dict[str, object]) -> Page:
    values = {"list": asked.alist, "kind": asked.question.kind, "address": mask_address(asked.question.address), **more}
    return Page(name=name, values=values, language=asked.alist.options.language)
