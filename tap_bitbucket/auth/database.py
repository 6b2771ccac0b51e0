"""Talking to a PostgreSQL about secrets: which one, how patiently, and what is said of errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tap_bitbucket.auth.errors import AuthenticationError

# SQLAlchemy and psycopg are of the extra `database`, and take longer to import than all the rest:
# only what needs them imports them.
if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult, Engine

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg2",
}
ACCEPTED = (
    'token_store must be "file" or the address of a PostgreSQL,'
    " postgresql://user:password@host/database"
)
MISSING = (
    "token_store names a database, for which packages are missing: install tap-bitbucket[database]"
)

CONNECT = {
    "application_name": "tap-bitbucket",
    "client_encoding": "utf8",
    # A server that has vanished is to be noticed well within the grace of a refresh token.
    "connect_timeout": 10,
    "tcp_user_timeout": 30_000,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 2,
}

NO_TABLE, NO_LOCK, NO_RIGHT, READ_ONLY = "42P01", "55P03", "42501", "25006"
ADVICE = {
    NO_RIGHT: "grant that user SELECT, INSERT, UPDATE and DELETE on table tap_bitbucket_tokens, or"
    " the right to create it",
    READ_ONLY: "name a server and a database that can be written",
}


class Database:
    """A PostgreSQL, connected to when something is asked of it and no longer."""

    def __init__(self, address: str) -> None:
        """Prepare connections; nothing is connected yet.

        Raises:
            AuthenticationError: It is no address of a PostgreSQL, or packages are missing.
        """
        try:
            self._engine = _engine(address)
        except ImportError:
            raise AuthenticationError(MISSING) from None

    @property
    def place(self) -> str:
        """The setting and the address, without user, password and parameters."""
        from sqlalchemy import URL  # noqa: PLC0415

        url = self._engine.url
        bare = URL.create("postgresql", host=url.host, port=url.port, database=url.database)
        return f"token_store {bare.render_as_string()}"

    def connect(self) -> Connection:
        """Open a connection; `leave` closes it.

        Raises:
            AuthenticationError: Nothing can be called what the host is called.
            SQLAlchemyError: There is no connection to be had; `errors_told` says so.
        """
        try:
            return self._engine.connect()
        except UnicodeError:
            message = f"Cannot use {self.place} (no host has such a name): check that address"
            raise AuthenticationError(message) from None

    @contextmanager
    def errors_told(self, messages: Mapping[str, str] | None = None) -> Iterator[None]:
        """Turn errors of the database into one line that says what to do.

        Args:
            messages: The whole line for some of PostgreSQL's codes.

        Raises:
            AuthenticationError: Something went wrong with the database.
        """
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        try:
            yield
        except SQLAlchemyError as error:
            code = code_of(error)
            advice = ADVICE.get(code, "check that address, and that the database is up")
            message = f"Cannot use {self.place} ({self.reason(error)}): {advice}"
            raise AuthenticationError((messages or {}).get(code, message)) from None

    def reason(self, error: Exception, secrets: Iterable[str | None] = ()) -> str:
        """Return the driver's words in one line; only its error's name if they hold a secret.

        Not what SQLAlchemy says, which quotes statements, nor the driver's details in further
        lines, which quote rows.
        """
        cause = getattr(error, "orig", None)
        lines = [line.strip() for line in str(cause or "").splitlines() if line.strip()]
        # A host with several addresses has a line for each.
        said = " ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])
        url = self._engine.url
        own = {url.password, url.query.get("password"), url.query.get("sslpassword")}
        hidden = {*own, *secrets} - {url.username}  # "postgres" is often both
        words = "|".join(re.escape(str(secret)) for secret in hidden if secret)
        if not said or (words and re.search(rf"(?<!\w)({words})(?!\w)", said)):
            return type(cause or error).__name__
        return said


def run(connection: Connection, statement: str, **values: str) -> CursorResult[Any]:
    """Execute a statement, with values for its :names."""
    from sqlalchemy import text  # noqa: PLC0415

    return connection.execute(text(statement), values)


def leave(connection: Connection) -> None:
    """Give up what is not committed, and close; whatever state the connection is in."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    with suppress(SQLAlchemyError):
        connection.rollback()
    connection.invalidate()
    connection.close()


def code_of(error: Exception) -> str:
    """Return PostgreSQL's code for what went wrong; empty when it did not say anything."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""


def _engine(address: str) -> Engine:
    from sqlalchemy import NullPool, create_engine  # noqa: PLC0415

    url = _url(address)
    settings: dict[str, Any] = dict(CONNECT)
    if url.drivername == "postgresql+psycopg":
        settings["prepare_threshold"] = None  # a pooler in between may know nothing of them
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",  # who waited for a row must see what it is now
        hide_parameters=True,
        logging_name="tap-bitbucket",
        connect_args={name: settings[name] for name in settings if name not in url.query},
    )
    # At DEBUG it would write rows down, whatever is hidden.
    logging.getLogger("sqlalchemy.engine.Engine.tap-bitbucket").setLevel(logging.WARNING)
    return engine


def _url(address: str) -> URL:
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise AuthenticationError(ACCEPTED) from None  # the cause quotes the address
    if url.drivername not in DRIVERS:
        message = f"{ACCEPTED}: no other is known to let only one worker refresh at a time"
        raise AuthenticationError(message)
    if address.count("@") > 1:
        # What follows the first one would be taken for the host's name, and be shown.
        message = f"{ACCEPTED}, with %40 for an @ in the password"
        raise AuthenticationError(message)
    return url.set(drivername=DRIVERS[url.drivername])
