"""One rotating token for workers on several machines: a row of PostgreSQL, and the lock on it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_bitbucket.auth.database import NO_LOCK, NO_TABLE, Database, code_of, leave, run
from tap_bitbucket.auth.encryption import TokenCipher, decrypted, encrypted
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.token_store import LOCK_PATIENCE
from tap_bitbucket.auth.tokens import StoredTokens

if TYPE_CHECKING:  # see database.py
    from sqlalchemy import Connection

SAVE_PATIENCE = 60.0
"""Seconds in which to try again to store tokens that exist nowhere else."""

PAUSE = 1.0

TRANSACTION = {
    # Bitbucket may take minutes to answer, in which the transaction with the lock is idle: no
    # limit that a server has for such things is meant for it.
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
    "transaction_timeout": "0",
    # It is the server that must notice, by its own keepalives, that a machine with the lock is
    # gone: 40 seconds after it was last heard of.
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "2",
    "synchronous_commit": "on",
}
# Only what this server knows: transaction_timeout came with PostgreSQL 17.
SET = """
SELECT set_config(wanted.key, wanted.value, true)
FROM json_each_text(CAST(:settings AS json)) AS wanted
JOIN pg_settings ON pg_settings.name = wanted.key
"""
EXISTS = "SELECT to_regclass('tap_bitbucket_tokens') IS NOT NULL"
CREATE = """
CREATE TABLE IF NOT EXISTS tap_bitbucket_tokens
(client text PRIMARY KEY, tokens text NOT NULL, updated_at timestamptz NOT NULL)
"""
NOW = "SELECT extract(epoch FROM clock_timestamp())"
READ = """
SELECT tokens, extract(epoch FROM clock_timestamp()) AS seconds
FROM tap_bitbucket_tokens WHERE client = :client
"""
# One statement that finds or makes the row, waits for whoever has it, and keeps all others out
# until its transaction ends. A row that was made is gone again if nothing is saved.
TAKE = """
INSERT INTO tap_bitbucket_tokens AS kept (client, tokens, updated_at)
VALUES (:client, '', clock_timestamp())
ON CONFLICT (client) DO UPDATE SET updated_at = kept.updated_at
RETURNING tokens
"""
TOUCH = """
UPDATE tap_bitbucket_tokens SET tokens = tokens, updated_at = clock_timestamp()
WHERE client = :client RETURNING client
"""
WRITE = """
UPDATE tap_bitbucket_tokens SET tokens = :tokens, updated_at = clock_timestamp()
WHERE client = :client RETURNING client
"""
DELETE = "DELETE FROM tap_bitbucket_tokens WHERE client = :client"

logger = logging.getLogger("tap-bitbucket.auth")


@dataclass
class _Held:
    """A lock: the connection that has it, None once lost, and what the row held when taken."""

    connection: Connection | None
    before: str


class TokenDatabase:
    """A token store in a row of the table `tap_bitbucket_tokens`, which is made when missing.

    The lock is PostgreSQL's on that row; it ends with the transaction and with the connection, so
    nobody who dies keeps it. Times are kept by the database's clock, since machines differ.
    """

    def __init__(
        self,
        url: str,
        key: str,
        cipher: TokenCipher | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep tokens in the row `key` of the database at `url`; nothing is connected yet.

        Raises:
            AuthenticationError: It is no address of a PostgreSQL, or packages are missing.
        """
        self._database = Database(url)
        self._key = key
        self._cipher = cipher
        self._clock = clock
        self._here = threading.local()  # threads keep each other out by locks of their own

    @property
    def place(self) -> str:
        """The address, without user and password."""
        return self._database.place

    def load(self) -> StoredTokens | None:
        """Read the row, with its times by this machine's clock; None if there is none.

        Raises:
            AuthenticationError: The database cannot be reached or read, or the row cannot be
                decrypted or is something else.
        """
        held = self._held
        with self._database.errors_told():
            if held is not None and held.connection is not None:
                row = self._read(held.connection)
            else:
                connection = self._database.connect()
                try:
                    row = self._read(connection)
                finally:
                    leave(connection)
            # As in `save` this clock is read after the database's: so no age is below zero.
            now = self._clock()
        if row is None or not row.tokens.strip():
            return None
        return shifted(self._parsed(row.tokens), now - float(row.seconds))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock on the row until it is saved or forgotten, or this ends.

        Raises:
            AuthenticationError: The database cannot be reached or written, or another process
                will not let go.
        """
        patience = LOCK_PATIENCE
        timed_out = (
            f"Another process has held row {self._key} of tap_bitbucket_tokens in {self.place} for"
            f" {patience / 60:.0f} minutes: end it and run again"
        )
        with self._database.errors_told():
            held = _Held(self._database.connect(), "")
        try:
            with self._database.errors_told({NO_LOCK: timed_out}):
                assert held.connection is not None  # noqa: S101 - for the type checker
                _create_table(held.connection)
                held.before = self._take(held.connection, patience)
            self._here.held = held
            yield
        finally:
            self._here.held = None
            if held.connection is not None:
                leave(held.connection)

    def reserve(self, size: int) -> None:  # noqa: ARG002 - room is the server's own business
        """Write the row as it is, in the transaction that has the lock.

        Raises:
            AuthenticationError: It cannot be written, or the connection is lost.
        """
        with self._database.errors_told(), self._connected(self._must_hold()) as connection:
            run(connection, TOUCH, client=self._key).one()

    def save(self, tokens: StoredTokens) -> None:
        """Commit these, which ends the lock.

        They may exist nowhere else, so whatever goes wrong is tried again over a new connection,
        for `SAVE_PATIENCE` seconds. The lock may be lost by then: if another process has stored
        tokens of its own meanwhile, those are younger, and stay.

        Raises:
            AuthenticationError: They are not stored.
        """
        held = self._must_hold()
        deadline = time.monotonic() + SAVE_PATIENCE
        while True:
            left = max(deadline - time.monotonic(), PAUSE)
            reason = self._try_to_save(held, tokens, left)
            if reason is None:
                return
            if time.monotonic() + PAUSE >= deadline:
                message = (
                    f"Bitbucket's answer could not be stored in {self.place} ({reason}): mend that"
                    " and run again now, the refresh token before it is good for ten minutes"
                )
                raise AuthenticationError(message)
            logger.warning("cannot write %s (%s): trying again", self.place, reason)
            time.sleep(PAUSE)

    def forget(self) -> None:
        """Delete the row and commit, which ends the lock.

        Raises:
            AuthenticationError: It cannot be deleted.
        """
        held = self._must_hold()
        with self._database.errors_told(), self._connected(held) as connection:
            run(connection, DELETE, client=self._key)
            connection.commit()
        held.before = ""

    @property
    def _held(self) -> _Held | None:
        held: _Held | None = getattr(self._here, "held", None)
        return held

    def _must_hold(self) -> _Held:
        held = self._held
        assert held is not None, "not within the lock"  # noqa: S101 - a defect of the caller's
        return held

    @contextmanager
    def _connected(self, held: _Held) -> Iterator[Connection]:
        """Give the connection that has, or had, the lock; a new one when it was lost."""
        if held.connection is None:
            held.connection = self._database.connect()
        try:
            yield held.connection
        except Exception:
            leave(held.connection)
            held.connection = None
            raise

    def _read(self, connection: Connection) -> Any:
        """Return the row and the time, both the database's; None when there is not even a table."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

        try:
            return run(connection, READ, client=self._key).one_or_none()
        except DBAPIError as error:
            if code_of(error) == NO_TABLE:
                return None
            raise

    def _take(self, connection: Connection, patience: float) -> str:
        """Lock the row within `patience` seconds and return what it holds, nothing if new."""
        settings = TRANSACTION | {"lock_timeout": str(round(patience * 1000))}
        run(connection, SET, settings=json.dumps(settings))
        taken: str = run(connection, TAKE, client=self._key).scalar_one()
        return taken

    def _try_to_save(self, held: _Held, tokens: StoredTokens, patience: float) -> str | None:
        """Store the tokens once; return why that went wrong."""
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        try:
            with self._connected(held) as connection:
                present = self._take(connection, patience)
                self._forbid_loss(present, held.before, tokens)
                ahead = float(run(connection, NOW).scalar_one()) - self._clock()
                text = encrypted(shifted(tokens, ahead).to_json(), self._cipher)
                run(connection, WRITE, client=self._key, tokens=text).one()
                connection.commit()
        except SQLAlchemyError as error:
            access = None if tokens.access is None else tokens.access.value
            return self._database.reason(error, (tokens.refresh_token, access))
        held.before = text
        return None

    def _forbid_loss(self, present: str, before: str, tokens: StoredTokens) -> None:
        """Refuse to write over the tokens of a process that had the lock after it was lost.

        Such a process has presented the same refresh token, or one somebody signed in with: its
        answer is the younger one. But it may have written no more than that it was refused; and
        what the row holds may be these same tokens, if the connection was lost as they were
        committed.
        """
        if present == before or not present.strip():
            return
        known = {None, tokens.refresh_token}
        if before.strip():
            known.add(self._parsed(before).refresh_token)
        if self._parsed(present).refresh_token not in known:
            message = (
                f"While the connection to {self.place} was lost another process stored newer"
                " tokens there, which are kept: run again"
            )
            raise AuthenticationError(message)

    def _parsed(self, text: str) -> StoredTokens:
        text = decrypted(text, self.place, self._cipher)
        try:
            return StoredTokens.from_json(text)
        except ValueError:
            message = (
                f"Row {self._key} of tap_bitbucket_tokens in {self.place} holds no tokens of this"
                " version: delete it to begin again with refresh_token"
            )
            raise AuthenticationError(message) from None


def shifted(tokens: StoredTokens, seconds: float) -> StoredTokens:
    """Return tokens with all times by a clock that is `seconds` ahead of the one they are by."""
    access = tokens.access
    return replace(
        tokens,
        access=access and replace(access, obtained_at=access.obtained_at + seconds),
        refused={
            name: replace(refusal, at=refusal.at + seconds)
            for name, refusal in tokens.refused.items()
        },
    )


def _create_table(connection: Connection) -> None:
    """Create the table if it is missing, without need of the right to if it is not."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    try:
        if not run(connection, EXISTS).scalar_one():
            run(connection, CREATE)
            connection.commit()
    except DBAPIError:
        # PostgreSQL lets only one of two processes create it, IF NOT EXISTS or not.
        connection.rollback()
        if not run(connection, EXISTS).scalar_one():
            raise
    connection.rollback()
