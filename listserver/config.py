"""Settings of one installation: read once, by the command line and by tests, never at import.

The environment and a `.env` file in the working folder are read by pydantic-settings (which uses
python-dotenv); every name carries the prefix `LISTSERVER_`. The one surprise: a secret key is made at
the first start and kept in DATA_DIR, so that a newcomer has nothing to configure.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from listserver.errors import ConfigError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _hostname() -> str:
    return socket.gethostname() or "localhost"


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


class Settings(BaseSettings):
    """Every setting with its default; the description is its meaning, the first example goes into `.env.example`."""

    model_config = SettingsConfigDict(
        env_prefix="LISTSERVER_", env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    data_dir: Path = Field(Path("./data"), description="everything that is kept; made at first start, mode 0700")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="empty: SQLite in DATA_DIR/listserver.db; or postgresql+psycopg://user:password@host/name",
    )
    smtp_listen: str = Field("127.0.0.1:8025", description="host:port, [::1]:port, several with commas, empty = off")
    lmtp_listen: str = Field("", description="host:port or unix:PATH, empty = off")
    tls_certificate: str = Field("", description="PEM file; with TLS_KEY set, STARTTLS is offered")
    tls_key: str = Field("", description="PEM file of the certificate's key")
    trusted_peers: Annotated[tuple[Network, ...], NoDecode] = Field(
        _networks("127.0.0.0/8,::1"), description="our own mail servers: no per-peer limits, never refused for content"
    )
    admin: str = Field("", description="where the site's notices go; empty: postmaster@HOSTNAME")
    relay: SecretStr = Field(
        SecretStr(""),
        description="where mail leaves: maildir:PATH, smtp://[user:password@]host[:port], smtps://, smtp+starttls://, lmtp://; "
        "empty: maildir:DATA_DIR/outgoing",
    )
    relay_connections: int = Field(8, ge=1, le=1000, description="at once, per process")
    relay_batch: int = Field(
        1,
        ge=1,
        le=1000,
        description="recipients of a post in one transaction; above 1 all get the same copy: faster, but bounces and links no longer name the member",
    )
    web_listen: str = Field("127.0.0.1:8080", description="host:port, empty = off")
    web_url: str = Field(
        "http://127.0.0.1:8080", description="as people reach it; one-click fields are sent only when it is https"
    )
    metrics_allow: Annotated[tuple[Network, ...], NoDecode] = Field(
        _networks("127.0.0.0/8,::1"), description="who may read /metrics"
    )
    hostname: str = Field(default_factory=_hostname, description="in HELO, Received and Message-IDs; default: the machine's name")
    secret_key: SecretStr = Field(
        SecretStr(""), description="signs tokens, the same on every machine; empty: made once and kept in DATA_DIR"
    )
    authentication: str = Field(
        "dns",
        description="how a sender is believed: dns, trust:AUTHSERV-ID, off (everything is confirmed), accept (believe From; for trying out)",
    )
    max_message_bytes: int = Field(25_000_000, ge=10_000, le=1_000_000_000, description="larger mail is refused")
    log_format: Literal["", "text", "json"] = Field("", description="text or json; empty: text on a terminal, else json")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")
    dkim_keys: str = Field(
        "",
        description="selector=PATH of a private key (RSA, Ed25519), several with commas: our mails are signed; empty = they are not",
    )
    dkim_sign: Literal["ours", "all"] = Field("ours", description="ours: the mails we write; all: copies of posts too")
    database_durability: Literal["full", "relaxed"] = Field(
        "full", description="relaxed trades the promise that no accepted post is lost for speed"
    )

    @field_validator("trusted_peers", "metrics_allow", mode="before")
    @classmethod
    def _read_networks(cls, value: object) -> object:
        return _networks(value) if isinstance(value, str) else value

    @field_validator("authentication")
    @classmethod
    def _check_authentication(cls, value: str) -> str:
        if value in ("dns", "off", "accept") or (value.startswith("trust:") and value[6:].strip()):
            return value
        raise ValueError("expected dns, off, accept or trust:AUTHSERV-ID")

    @field_validator("hostname")
    @classmethod
    def _check_hostname(cls, value: str) -> str:
        if not value or any(c.isspace() or c in "<>@,;" or not c.isprintable() for c in value):
            raise ValueError("expected a host name such as lists.example.org")
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address and not address.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("expected postgresql+psycopg://user:password@host/name or sqlite:///PATH")
        return value

    @field_validator("admin")
    @classmethod
    def _check_admin(cls, value: str) -> str:
        local, sign, domain = value.strip().rpartition("@")
        if value.strip() and (not sign or not local or not domain or any(c.isspace() for c in value.strip())):
            raise ValueError("expected an address such as postmaster@example.org")
        return value.strip()

    @field_validator("web_url")
    @classmethod
    def _check_web_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("expected an address such as https://lists.example.org")
        return value.rstrip("/")

    @property
    def database_address(self) -> str:
        """The SQLAlchemy address of the database, with its password."""
        return self.database_url.get_secret_value() or f"sqlite:///{(self.data_dir / 'listserver.db').absolute()}"

    @property
    def relay_address(self) -> str:
        """Where mail leaves, with its password."""
        return self.relay.get_secret_value() or f"maildir:{(self.data_dir / 'outgoing').absolute()}"

    @property
    def administrator(self) -> str:
        """The site administrator's address."""
        return self.admin or f"postmaster@{self.hostname}"

    def prepare(self) -> bytes:
        """Make the data folder and return the secret key, made and kept there at the first start.

        Raises: ConfigError when the folder or the key file cannot be made or read.
        """
        key = self.secret_key.get_secret_value()
        if 0 < len(key) < 16:
            raise ConfigError(
                "LISTSERVER_SECRET_KEY is too short: give at least 16 characters, or leave it empty to have one made"
            )
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if key:
                return key.encode()
            path = self.data_dir / "secret.key"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return path.read_bytes().strip()
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(secrets.token_hex(32).encode() + b"\n")
                handle.flush()
                os.fsync(handle.fileno())
            return path.read_bytes().strip()
        except OSError as error:
            raise ConfigError(f"LISTSERVER_DATA_DIR: cannot use {self.data_dir}: {error.strerror or error}") from error


def load_settings(**overrides: object) -> Settings:
    """Read the environment and `.env`.

    Raises: ConfigError naming the variable and what was expected; the value itself is not repeated, it may be secret.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "LISTSERVER_" + "_".join(str(part) for part in problem["loc"]).upper()
            lines.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
        raise ConfigError("; ".join(lines)) from error
