"""`/u/TOKEN`: leave. GET shows one button and never acts, because scanners follow links; POST acts at once (RFC 8058 §3.2).

The POST needs no cookie, answers without a redirect and may come twice; its body is not read, for the token says all. The
page that says so offers the way back at `/back/TOKEN`, which again only acts when its button is pressed.
"""

from __future__ import annotations

from starlette.requests import Request

from listserver.flows import unsubscribe
from listserver.flows.site import Site
from listserver.flows.unsubscribe import Membership
from listserver.store.reading import ReadOnly
from listserver.web.pages import Page
from listserver.web.shown import mask_address


def show_leaving(site: Site, reader: ReadOnly, request: Request) -> Page:
    """GET: who would leave what, and one button."""
    with reader.read() as connection:
        found = unsubscribe.look(connection, site, request.path_params["token"])
    if found is None:
        return unknown()
    return _page("leave" if found.is_member else "left", found, {"back": "", "again": not found.is_member})


def do_leave(site: Site, reader: ReadOnly, request: Request) -> Page:
    """POST: done, whether by a person's button or by a mail program's one click."""
    found = unsubscribe.leave(site, request.path_params["token"])
    if found is None:
        return unknown()
    back = f"/back/{unsubscribe.way_back(site, found)}" if found.is_member else ""
    return _page("left", found, {"back": back, "again": not found.is_member})


def show_return(site: Site, reader: ReadOnly, request: Request) -> Page:
    """GET: the button that undoes the leaving."""
    with reader.read() as connection:
        found = unsubscribe.look_back(connection, site, request.path_params["token"])
    if found is None:
        return unknown()
    return _page("returned" if found.is_member else "return", found, {})


def do_return(site: Site, reader: ReadOnly, request: Request) -> Page:
    """POST: a member again, with the settings of before."""
    found = unsubscribe.come_back(site, request.path_params["token"])
    return _page("returned", found, {}) if found is not None else unknown()


def unknown() -> Page:
    """Kind words for a token that we do not know, or whose time is over."""
    return Page(name="unknown-link", status=404)


def _page(name: str, found: Membership, more: dict[str, object]) -> Page:
    values = {"list": found.alist, "address": mask_address(found.member.address), **more}
    return Page(name=name, values=values, language=found.member.language or found.alist.options.language)
