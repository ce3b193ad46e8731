"""Lists and memberships as the people at the command line change them: at once, in one transaction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from listserver.errors import ConfigError
from listserver.flows import notices, schedule
from listserver.flows.site import Site
from listserver.lists.addressing import check_list_name
from listserver.lists.model import ListOptions, MailingList, read_member_option, read_option
from listserver.mail.address import Address, parse_address
from listserver.store import lists, members, outbox

LEAVING_LOOKS_BACK = 6  # days: no delivery is older than the five days for which it is tried


def read_address(text: str) -> Address:
    """A person's address. Raises: ConfigError in one sentence."""
    address = parse_address(text.strip())
    if address is None:
        raise ConfigError(f"{text!r} is not an email address: write it like gwen@example.net")
    return address


def address_key(text: str) -> str:
    """The form in which an address is compared. Raises: ConfigError."""
    return read_address(text).key


def create_list(site: Site, address: str, values: Mapping[str, str], owners: Sequence[str]) -> MailingList:
    """Make a list with its owners. Raises: ConfigError, Conflict, OptionError."""
    place = read_address(address)
    check_list_name(place.local.lower())
    options = {key: read_option(key, value) for key, value in values.items()}
    if "name" not in options:
        options["name"] = place.local.replace("-", " ").replace(".", " ").title()
    ListOptions.read(options)
    people = [read_address(owner) for owner in owners]
    list_id, now = site.database.new_id(), site.now()

    def work(connection: Connection) -> MailingList:
        made = lists.add(connection, place.key, options, list_id=list_id, now=now)
        if people:
            members.add(
                connection,
                made.id,
                [(str(p), p.key, "") for p in people],
                {"role": "owner", "delivery": made.options.default_delivery},
                state="active",
                now=now,
                digest_through=0,
            )
            schedule.plan(connection, made, now)
        return made

    made = site.database.write(work)
    site.directory.refresh()
    return made


def set_list_options(site: Site, alist: MailingList, values: Mapping[str, str]) -> None:
    """Change options of a list. Raises: OptionError."""
    checked = {key: read_option(key, value) for key, value in values.items()}

    def work(connection: Connection) -> None:
        lists.set_options(connection, alist.id, checked)
        if {"timezone", "digest_at"} & checked.keys():
            schedule.plan(connection, lists.get(connection, alist.address), site.now(), everyone=True)

    site.database.write(work)
    site.directory.refresh()


def add_members(
    site: Site, alist: MailingList, given: Sequence[tuple[str, str]], options: Mapping[str, str], *, welcome: bool
) -> list[int]:
    """Make these people active members at once. Raises: ConfigError, OptionError."""
    people = [(read_address(address), name) for address, name in given]
    values = {
        "delivery": alist.options.default_delivery,
        **{key: read_member_option(key, value) for key, value in options.items()},
    }
    now = site.now()

    def work(connection: Connection) -> list[int]:
        added = members.add(
            connection,
            alist.id,
            [(str(a), a.key, name) for a, name in people],
            values,
            state="active",
            now=now,
            digest_through=lists.last_post(connection, alist.id),
        )
        schedule.plan(connection, alist, now)
        if welcome:
            for number in added:
                notices.welcome(connection, site, alist, number)
        return added

    return site.database.write(work)


def set_member_options(site: Site, alist: MailingList, address: str, values: Mapping[str, str]) -> None:
    """Change options of one member. Raises: NotFound, OptionError."""
    checked = {key: read_member_option(key, value) for key, value in values.items()}
    key = address_key(address)

    def work(connection: Connection) -> None:
        row = members.get(connection, alist.id, key)
        changes: dict[str, object] = dict(checked)
        if "paused_until" in checked and row.state in ("active", "paused"):
            until = checked["paused_until"]
            changes["state"] = "paused" if until and datetime.fromisoformat(until) > site.now() else "active"
        if checked.get("delivery") == "digest" != row.delivery:
            changes["digest_through"] = lists.last_post(connection, alist.id)
        members.change(connection, alist.id, row.id, {**changes, "digest_due": None})
        schedule.plan(connection, alist, site.now())

    site.database.write(work)


def remove_member(site: Site, alist: MailingList, address: str) -> None:
    """Take somebody off a list at once. Raises: NotFound."""
    key = address_key(address)

    def work(connection: Connection) -> None:
        leave(connection, site, alist, members.get(connection, alist.id, key).id)

    site.database.write(work)


def leave(connection: Connection, site: Site, alist: MailingList, member_id: int) -> None:
    """End a membership: nothing accepted from now on goes there, and copies still queued are dropped (P11)."""
    now = site.now()
    members.change(connection, alist.id, member_id, {"state": "left", "left_at": now, "digest_due": None})
    outbox.drop_member(connection, alist.id, member_id, now - timedelta(days=LEAVING_LOOKS_BACK))
