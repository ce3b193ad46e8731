"""The addresses of our pages, as mails carry them; '' where there is no page to point at."""

from __future__ import annotations

from urllib.parse import quote

from listserver.flows.site import Site
from listserver.lists.access import Access, judge_reading
from listserver.lists.model import MailingList
from listserver.lists.tokens import reading_key


def list_path(site: Site, alist: MailingList) -> str:
    """The path of a list's own page."""
    return "/" + quote(site.directory.path_of(alist), safe="@+")


def list_page(site: Site, alist: MailingList) -> str:
    """Where a list's own page is (List-Archive)."""
    if not site.web_url or judge_reading(alist.options.archive, has_key=False) is Access.none:
        return ""
    return site.web_url + list_path(site, alist)


def post_page(site: Site, alist: MailingList, number: int) -> str:
    """A post's permanent address (Archived-At); for a members' archive with the key that opens this one post."""
    if not site.web_url:
        return ""
    address = f"{site.web_url}{list_path(site, alist)}/p/{number}"
    match judge_reading(alist.options.archive, has_key=True):
        case Access.all:
            return address
        case Access.this_post:
            return f"{address}?key={reading_key(site.secret, alist.id, number)}"
        case _:
            return ""
