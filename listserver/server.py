"""The composition root: build everything, start, drain, stop. Nothing else constructs engines, transports or listeners."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from listserver import maillog, scheduler
from listserver.authentication.keys import Signing, read_keys
from listserver.authentication.resolver import DnsResolver, Resolver
from listserver.config import Settings
from listserver.errors import ConfigError, TryAgainLater
from listserver.flows.ports import Clock, Transport
from listserver.flows.site import Directory, Site
from listserver.intake import Intake
from listserver.render.environment import Templates
from listserver.smtp.limits import DoorSettings
from listserver.smtp.listener import Doors
from listserver.store import outbox, schema
from listserver.store.engine import Database
from listserver.store.reading import ReadOnly
from listserver.transport import probe
from listserver.transport.url import open_transport
from listserver.web.app import Web
from listserver.web.health import Health
from listserver.web.serving import WebServer

DRAIN_SECONDS = 20.0
PICK_UP_SECONDS = 3.0


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, UTC."""
        return datetime.now(UTC)


def open_database(settings: Settings, *, serving: bool) -> Database:
    """Open the database and see that its tables are up to date: by itself on SQLite, by command on PostgreSQL.

    Raises: ConfigError when PostgreSQL's tables are not up to date.
    """
    database = Database(settings.database_address, durability=settings.database_durability, checkpoints=serving)
    if database.is_sqlite:
        schema.upgrade(database)
        if database.path is not None:
            database.path.chmod(0o600)
    return database


def open_site(settings: Settings, *, serving: bool = False, clock: Clock | None = None, resolver: Resolver | None = None) -> Site:
    """Open everything but doors and transport; what the command line works with. Raises: ConfigError."""
    secret = settings.prepare()
    keys = read_keys(settings.dkim_keys)
    database = open_database(settings, serving=serving)
    site = Site(
        hostname=settings.hostname,
        administrator=settings.administrator,
        web_url=settings.web_url if settings.web_listen.strip() else "",
        secret=secret,
        authentication=settings.authentication,
        max_message_bytes=settings.max_message_bytes,
        database=database,
        clock=clock or SystemClock(),
        resolver=resolver or DnsResolver(),
        templates=Templates(),
        directory=Directory(database),
        relay_batch=settings.relay_batch,
        signing=Signing(keys, posts=settings.dkim_sign == "all") if keys else None,
    )
    if schema.current(database) == schema.newest():
        site.directory.refresh()
    return site


def open_relay(settings: Settings) -> Transport:
    """The way out that RELAY names. Raises: ConfigError."""
    return open_transport(
        settings.relay_address,
        hostname=settings.hostname,
        connections=settings.relay_connections,
        batch=settings.relay_batch,
    )


async def look_at_relay(settings: Settings) -> probe.RelayLook:
    """Whether the relay answers, and what it offers; no mail is sent. Raises: ConfigError."""
    return await probe.look(settings.relay_address, hostname=settings.hostname)


class OnlyOne:
    """A lock file beside a SQLite database: a second service on the same file is refused."""

    def __init__(self, database: Database) -> None:
        self._handle: int | None = None
        if database.is_sqlite and database.path is not None:
            path = Path(f"{database.path}.lock")
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(self._handle)
                self._handle = None
                raise TryAgainLater(f"another listserver works on {database.path} already: stop it first") from error

    def release(self) -> None:
        """Let the next one in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@dataclass
class Service:
    """A running service; tests and the demonstration start it with clocks, resolvers and transports of their own."""

    settings: Settings
    parts: Sequence[str] = ("smtp", "lmtp", "deliver", "digest", "web")
    clock: Clock | None = None
    resolver: Resolver | None = None
    transport: Transport | None = None
    digest_seconds: float = 15.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Open the database, work what an earlier run left, then open the doors. Raises: ConfigError, TryAgainLater."""
        self._log = structlog.get_logger("listserver")
        self.site = await asyncio.to_thread(open_site, self.settings, serving=True, clock=self.clock, resolver=self.resolver)
        if schema.current(self.site.database) != schema.newest():
            self.site.database.close()
            raise ConfigError("the database's tables are not up to date: run `listserver database upgrade` once")
        self._lock = OnlyOne(self.site.database)
        self._loop = asyncio.get_running_loop()
        self.transport = self.transport or open_relay(self.settings)
        self.outbox = scheduler.Outbox(self.site, self.transport)
        self.intake = Intake(self.site, work_made=self._wake)
        if self.site.database.is_sqlite and "deliver" in self.parts:
            now = self.site.now()
            self.site.database.write(lambda connection: outbox.recover(connection, now, everything=True))
        self.intake.recover()
        self.doors = Doors(gate=self.intake, settings=self._door_settings())
        await self.doors.start()
        self._start_clocks()
        await self._open_web()
        maillog.listening(
            addresses=(*self.doors.addresses, *self.web_addresses), relay=without_password(self.settings.relay_address)
        )

    async def _open_web(self) -> None:
        self._web = None
        if "web" in self.parts and self.settings.web_listen.strip():
            self._reader = ReadOnly(self.settings.database_address)
            health = Health(
                site=self.site,
                reader=self._reader,
                durability=self.settings.database_durability,
                metrics_allow=self.settings.metrics_allow,
                faults=self.faults,
            )
            self._web = WebServer(Web(self.site, self._reader).app(*health.routes()), self.settings.web_listen)
            await self._web.start()

    @property
    def web_addresses(self) -> tuple[str, ...]:
        """Where the pages are."""
        return self._web.addresses if self._web is not None else ()

    def faults(self) -> list[str]:
        """What this process knows to be wrong with itself."""
        if "deliver" in self.parts and self._outbox_task.done():
            return ["the outbox is not worked any more"]
        return ["a clock has stopped"] if any(task.done() for task in self._tasks) else []

    def _wake(self) -> None:
        if not (self.outbox.is_awake or self._loop.is_closed()):
            self._loop.call_soon_threadsafe(self.outbox.wake)

    def _door_settings(self) -> DoorSettings:
        def listed(text: str, part: str) -> tuple[str, ...]:
            return tuple(each.strip() for each in text.split(",") if each.strip()) if part in self.parts else ()

        settings = self.settings
        return DoorSettings(
            smtp_listen=listed(settings.smtp_listen, "smtp"),
            lmtp_listen=listed(settings.lmtp_listen, "lmtp"),
            hostname=settings.hostname,
            trusted_peers=settings.trusted_peers,
            max_message_bytes=settings.max_message_bytes,
            tls_certificate=settings.tls_certificate,
            tls_key=settings.tls_key,
            now=self.site.now,
            has_room=self.site.database.has_room,
        )

    def _start_clocks(self) -> None:
        site = self.site
        self._tasks.append(asyncio.create_task(scheduler.tick(1.0, lambda: scheduler.refresh_lists(site))))
        self._tasks.append(asyncio.create_task(scheduler.tick(PICK_UP_SECONDS, lambda: scheduler.pick_up(self.intake))))
        if "deliver" in self.parts:
            self._outbox_task = asyncio.create_task(self.outbox.run())
        if "digest" in self.parts:
            self._tasks.append(
                asyncio.create_task(scheduler.tick(self.digest_seconds, lambda: scheduler.send_digests(site, self.outbox.wake)))
            )
            self._tasks.append(asyncio.create_task(scheduler.tick(600, lambda: scheduler.sweep_up(site))))
            self._tasks.append(asyncio.create_task(scheduler.tick(2.0, lambda: scheduler.index_posts(site))))

    async def stop(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Close the doors, finish what is running, and close the database."""
        if self._web is not None:
            await self._web.stop()
            self._reader.close()
        await self.doors.stop(drain_seconds)
        await self.intake.drain(drain_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if "deliver" in self.parts:
            self.outbox.stop()
            await asyncio.wait([self._outbox_task], timeout=drain_seconds)
        if self.transport is not None:
            await self.transport.close()
        await asyncio.to_thread(self.site.database.close)
        self._lock.release()


async def serve(settings: Settings, parts: Sequence[str]) -> None:
    """Run the service until SIGTERM or SIGINT. Raises: ConfigError, TryAgainLater."""
    sys.setswitchinterval(0.001)  # three busy threads: the loop must not wait long for its turn
    maillog.configure(settings.log_format, settings.log_level)
    service = Service(settings, parts)
    await service.start()
    _spare_the_collector()
    if settings.authentication == "accept":
        maillog.warning("LISTSERVER_AUTHENTICATION=accept: every From is believed. For trying out only")
    if settings.database_durability == "relaxed":
        maillog.warning("LISTSERVER_DATABASE_DURABILITY=relaxed: accepted mail can be lost on power failure")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    maillog.stopping()
    await service.stop()


def _spare_the_collector() -> None:
    """Keep what was loaded at the start out of the garbage collector's rounds: they cost a sixth of a fan-out."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def deliver(settings: Settings, *, once: bool, until_empty: bool) -> scheduler.Delivered:
    """Work the outbox without listening. Raises: ConfigError, TryAgainLater."""
    maillog.configure(settings.log_format, settings.log_level)
    site = open_site(settings, serving=True)
    lock = OnlyOne(site.database)
    transport = open_relay(settings)
    work = scheduler.Outbox(site, transport)
    try:
        if site.database.is_sqlite:
            now = site.now()
            site.database.write(lambda connection: outbox.recover(connection, now, everything=True))
        if once or until_empty:
            return await work.run_until_empty(once=once)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.stop)
        await work.run()
        return work.done
    finally:
        await transport.close()
        site.database.close()
        lock.release()


def without_password(address: str) -> str:
    """A relay's address as it may be shown."""
    scheme, sign, rest = address.partition("://")
    return f"{scheme}{sign}{rest.rpartition('@')[2]}" if sign else address
