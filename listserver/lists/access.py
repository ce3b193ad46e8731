"""Who may read a post on the web: asked in this one place, and denied unless it is allowed.

A list's `archive` is *public*, *members* or *off*. There is no signing in: a post of a members' archive is read with the
key in the link that came with its mail. Who holds that link holds the mail, so the key tells nothing that its holder
could not read already; it opens that one post and nothing beside it.
"""

from __future__ import annotations

from enum import StrEnum


class Access(StrEnum):
    """How much a reader sees."""

    all = "all"
    """The post, its neighbours, what it answers and what answers it."""
    this_post = "this_post"
    asked_for_key = "asked_for_key"
    """Nothing; the list is no secret, its posts are for members."""
    none = "none"
    """Nothing, and not even that there is such a list."""


def judge_reading(archive: str, *, has_key: bool) -> Access:
    """What somebody may read of a list whose option `archive` is this; `has_key`: the post's own key was shown."""
    if archive == "public":
        return Access.all
    if archive == "members":
        return Access.this_post if has_key else Access.asked_for_key
    return Access.none
