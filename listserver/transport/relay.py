"""How a connection to the relay begins: connect, greeting, EHLO or LHLO, STARTTLS, AUTH.

The certificate of a TLS relay is checked. A user and a password given with `smtp://` go out in clear, as asked for; they are
never sent to a relay that does not offer AUTH, and never stand in an error or a log.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from dataclasses import dataclass, field

from listserver.mail.reply import Reply
from listserver.transport.session import Session
from listserver.transport.wire import Deadlines, Unusable

_KEYWORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)[ =]*(.*)", re.S)  # some old servers write AUTH=LOGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayAddress:
    """Where the relay is and how it is spoken to; `security` is '', 'starttls' or 'tls'."""

    host: str
    port: int
    lmtp: bool = False
    security: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    unix: str = ""


async def open_session(address: RelayAddress, *, hostname: str, deadlines: Deadlines, tls: ssl.SSLContext | None) -> Session:
    """A connection that is ready to take mail. Raises: Unusable."""
    session = await _connect(address, deadlines, tls if address.security == "tls" else None)
    session.lmtp = address.lmtp
    try:
        _expect(await session.reply(), 220)
        await _hello(session, address, hostname)
        if address.security == "starttls":
            if "STARTTLS" not in session.capabilities or tls is None:
                raise Unusable("the relay offers no STARTTLS")
            _expect(await session.command("STARTTLS"), 220)
            await session.start_tls(tls, address.host)
            await _hello(session, address, hostname)
        if address.user:
            await _log_in(session, address.user, address.password)
    except BaseException:
        session.abort("the relay was of no use")
        raise
    return session


async def _connect(address: RelayAddress, deadlines: Deadlines, tls: ssl.SSLContext | None) -> Session:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(deadlines.connect):
            if address.unix:
                return (await loop.create_unix_connection(lambda: Session(deadlines), address.unix))[1]
            name = address.host if tls else None
            return (
                await loop.create_connection(
                    lambda: Session(deadlines),
                    address.host,
                    address.port,
                    ssl=tls,
                    server_hostname=name,
                    happy_eyeballs_delay=0.5,
                )
            )[1]
    except (OSError, UnicodeError) as error:  # of OSError: TimeoutError, SSLError, gaierror
        raise Unusable(f"cannot connect to the relay: {error or 'no answer'}") from error


async def _hello(session: Session, address: RelayAddress, hostname: str) -> None:
    """LHLO, or EHLO, or for a relay of old HELO (RFC 5321 §3.2, RFC 2033 §4.1)."""
    reply = await session.command(f"{'LHLO' if address.lmtp else 'EHLO'} {hostname}")
    if reply.is_permanent and not address.lmtp:
        _expect(await session.command(f"HELO {hostname}"), 250)
        return
    _expect(reply, 250)
    session.capabilities = read_capabilities(reply)
    if address.lmtp:
        session.capabilities.pop("CHUNKING", None)  # how many replies a BDAT to nobody has is not told (RFC 2033 §4.3)


def read_capabilities(reply: Reply) -> dict[str, str]:
    """Keywords and their parameters; the first line is a greeting (RFC 5321 §4.1.1.1)."""
    found = (_KEYWORD.match(line.strip()) for line in reply.text.split("\n")[1:])
    return {match[1].upper(): match[2].strip() for match in found if match}


async def _log_in(session: Session, user: str, password: str) -> None:
    """AUTH PLAIN, else LOGIN (RFC 4954, RFC 4616). Raises: Unusable, without anything secret in it."""
    offered = session.capabilities.get("AUTH", "").upper().split()
    if "PLAIN" in offered:
        steps = [("AUTH PLAIN " + _coded(f"\x00{user}\x00{password}"), 235)]
    elif "LOGIN" in offered:
        steps = [("AUTH LOGIN", 334), (_coded(user), 334), (_coded(password), 235)]
    else:
        raise Unusable("the relay offers neither AUTH PLAIN nor AUTH LOGIN")
    for line, code in steps:
        reply = await session.command(line)
        if reply.code != code:  # its text might repeat what we sent
            told = Reply(reply.code, reply.enhanced, "the relay refused the login")
            raise Unusable(str(told), told)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _expect(reply: Reply, code: int) -> None:
    if reply.code != code:
        raise Unusable(f"the relay answered {reply}", reply)
