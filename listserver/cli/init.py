"""`listserver init`: a few questions, a `.env`, and the lines to paste into the mail server.

The lines are those of the project's `deploy/` folder with the site's own domain and port in them, so what is printed is what
the tests run a mail server with. Every question can be answered by an option; at the end of the input the default counts.
"""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from listserver import server
from listserver.authentication.keys import Signing, make_keys, read_keys
from listserver.cli.context import say
from listserver.config import Settings, load_settings
from listserver.errors import ConfigError
from listserver.flows.membership import read_address
from listserver.mail.address import parse_address

LMTP = "127.0.0.1:8024"
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+=,-]*")
_EXAMPLE_DOMAIN, _EXAMPLE_SIZE = "lists.example.org", "25000000"


class MailServer(StrEnum):
    """The mail servers that we have lines for."""

    postfix = "postfix"
    exim = "exim"
    opensmtpd = "opensmtpd"


_FILES = {
    MailServer.postfix: ("postfix/main.cf", "Postfix: add to /etc/postfix/main.cf, then `postfix reload`"),
    MailServer.exim: ("exim/listserver.conf", "Exim 4: into its configuration, then `systemctl reload exim4`"),
    MailServer.opensmtpd: ("opensmtpd/smtpd.conf", "OpenSMTPD: add to smtpd.conf, then `systemctl restart opensmtpd`"),
}


def deploy_folder() -> Path:
    """The deployment files that came with the package: inside the wheel, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "deploy"
    return inside if inside.is_dir() else package.parent / "deploy"


def mail_server_lines(name: MailServer, settings: Settings, domain: str) -> str:
    """The lines of `deploy/` for one mail server, with this site's values."""
    text = (deploy_folder() / _FILES[name][0]).read_text()
    address = next((part.strip() for part in settings.lmtp_listen.split(",") if part.strip()), LMTP)
    host, _colon, port = address.rpartition(":")
    text = text.replace(_EXAMPLE_DOMAIN, domain).replace(LMTP, address).replace(_EXAMPLE_SIZE, str(settings.max_message_bytes))
    if name is MailServer.exim:
        text = text.replace("  hosts = 127.0.0.1\n", f"  hosts = {host}\n").replace("  port = 8024\n", f"  port = {port}\n")
    return text


def init(
    domain: Annotated[str, typer.Option(help="The mail domain of the lists, for example lists.example.org.")] = "",
    admin: Annotated[str, typer.Option(help="The administrator's address.")] = "",
    relay: Annotated[str, typer.Option(help="Where mail leaves, for example smtp://127.0.0.1:25.")] = "",
    web_url: Annotated[
        str, typer.Option(help="The pages' address as people reach it, for example https://lists.example.org.")
    ] = "",
    data_dir: Annotated[str, typer.Option(help="Where everything is kept.")] = "",
    dkim: Annotated[bool, typer.Option("--dkim", help="Make keys, and sign the mails that we write.")] = False,
    mta: Annotated[list[MailServer] | None, typer.Option(help="Print lines for this mail server only; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a .env that is there; it is kept as .env.old.")] = False,
) -> None:
    """Ask domain, administrator and relay, write .env, print the lines for the mail server.

    Example: listserver init --domain lists.example.org --admin ruth@example.net --relay smtp://127.0.0.1:25
    """
    target = Path(".env")
    if target.exists() and not force:
        raise ConfigError("there is a .env here already: add --force to replace it (the old one is kept as .env.old)")
    domain = _domain(domain or _ask("The mail domain of your lists, for example lists.example.org"))
    admin = str(read_address(admin or _ask("The administrator's address", f"postmaster@{domain}")))
    relay = relay or _ask(
        "Where mail leaves: smtp://HOST, smtp+starttls://USER:PASSWORD@HOST, or maildir:FOLDER", "smtp://127.0.0.1:25"
    )
    values = {"hostname": domain, "admin": admin, "relay": relay, "lmtp_listen": LMTP}
    values |= {name: value for name, value in (("web_url", web_url), ("data_dir", data_dir)) if value}
    settings = load_settings(**values, _env_file=None)
    if not relay.startswith("maildir:"):
        server.open_relay(settings)
    if dkim:
        made = make_keys(settings.data_dir)
        values["dkim_keys"] = ",".join(f"{selector}={path}" for selector, path in made)
        settings = load_settings(**values, _env_file=None)
    if target.exists():
        target.replace(".env.old")
    _write(target, values)
    say(f"Wrote {target.absolute()}. Settings that you may add stand in .env.example.")
    _tell(settings, domain, tuple(mta or MailServer))


def _ask(question: str, default: str = "") -> str:
    """One line from whoever sits there, or from a script; the default at the end of the input. Raises: ConfigError."""
    sys.stdout.write(f"{question}{f' [{default}]' if default else ''}: ")
    sys.stdout.flush()
    line = sys.stdin.readline()
    answer = line.strip() or default
    if not line:
        sys.stdout.write("\n")
    if not answer:
        raise ConfigError(f"no answer to: {question}")
    return answer


def _domain(text: str) -> str:
    address = parse_address(f"x@{text.strip().rstrip('.')}")
    if address is None:
        raise ConfigError(f"{text!r} is no mail domain: write it like lists.example.org")
    return address.domain.lower()


def _write(target: Path, values: dict[str, str]) -> None:
    """The settings, readable by us alone: the relay's address may hold a password."""
    lines = ["# Written by `listserver init`; every other setting, with its meaning, stands in .env.example."]
    lines += [f"LISTSERVER_{name.upper()}={_quoted(value)}" for name, value in values.items()]
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write("\n".join(lines) + "\n")


def _quoted(value: str) -> str:
    """A value as python-dotenv reads it back. Raises: ConfigError for what it would read as something else."""
    if any(c in value for c in "\r\n\x00") or "${" in value:
        raise ConfigError("line ends and ${ cannot stand in a setting; in a password write %24 for $")
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _tell(settings: Settings, domain: str, servers: tuple[MailServer, ...]) -> None:
    """What is to be done elsewhere: mail server, DNS, and the next commands."""
    for name in servers:
        say(f"\n===== {_FILES[name][1]} =====\n")
        say(mail_server_lines(name, settings, domain).strip("\n"))
    say("\n===== DNS: publish, unless it is there already =====\n")
    say(
        f'{domain}. MX 10 HOST.    ; the mail server that hands over to us\n{domain}. TXT "v=spf1 mx -all"    ; or what your relay asks for'
    )
    say(f'_dmarc.{domain}. TXT "v=DMARC1; p=none"')
    for signer in Signing(read_keys(settings.dkim_keys)).signers(domain):
        say(f'{signer.record_name}. TXT "{signer.record}"')
    say(
        f"\nNext:\n  listserver list create NAME@{domain} --owner {settings.administrator}\n  listserver serve\n  listserver doctor"
    )
    if not settings.web_url.startswith("https://"):
        say(
            "When a proxy with a certificate serves the pages, set LISTSERVER_WEB_URL=https://… : then people can leave with one click."
        )
