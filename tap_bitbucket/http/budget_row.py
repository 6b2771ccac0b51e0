"""A notice of the rate limit in a row of PostgreSQL, for runs on several machines."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tap_bitbucket.auth.database import NO_TABLE, Database, code_of, leave, run
from tap_bitbucket.http.shared_budget import NOTHING, Notice, said, understood

if TYPE_CHECKING:  # see auth/database.py
    from sqlalchemy import Connection

EXISTS = "SELECT to_regclass('tap_bitbucket_budgets') IS NOT NULL AS made"
CREATE = """
CREATE TABLE IF NOT EXISTS tap_bitbucket_budgets
(identity text PRIMARY KEY, paused_until timestamptz NOT NULL, said text NOT NULL,
said_at timestamptz NOT NULL)
"""
# All times are the database's, since machines differ: runs say how long, not until when.
READ = """
SELECT extract(epoch FROM paused_until - clock_timestamp()) AS pause, said,
extract(epoch FROM clock_timestamp() - said_at) AS age
FROM tap_bitbucket_budgets WHERE identity = :identity
"""
WRITE = """
INSERT INTO tap_bitbucket_budgets AS kept (identity, paused_until, said, said_at)
VALUES (:identity, clock_timestamp() + make_interval(secs => CAST(:pause AS double precision)),
:said, clock_timestamp() - make_interval(secs => CAST(:age AS double precision)))
ON CONFLICT (identity) DO UPDATE SET
paused_until = CASE WHEN kept.paused_until < clock_timestamp() + interval '61 minutes'
    THEN greatest(kept.paused_until, excluded.paused_until) ELSE excluded.paused_until END,
said = CASE WHEN excluded.said = '' THEN kept.said ELSE excluded.said END,
said_at = CASE WHEN excluded.said = '' THEN kept.said_at ELSE excluded.said_at END
"""
_ELSE = "the row holds something else"


class BudgetRow:
    """A row of the table `tap_bitbucket_budgets`, which is made when there is something to tell.

    One connection stays open, for the row is looked at often.

    Args:
        url: The address of the database.
        key: The row.

    Raises:
        AuthenticationError: It is no address of a PostgreSQL, or packages are missing.
    """

    slow = True

    def __init__(self, url: str, key: str) -> None:
        self._database = Database(url)
        self.name = self._database.place
        self._key = key
        self._connection: Connection | None = None
        self._at_end: Callable[[], object] | None = None

    def look(self) -> Notice | None:
        """Read the row; None if there is none.

        Raises:
            ValueError: It is something else.
            OSError: The database cannot be asked.
        """
        try:
            rows = self._ask(READ, identity=self._key)
        except _NoTableError:
            return None
        if not rows:
            return None
        (row,) = rows
        try:
            told = understood(json.loads(row.said)) if row.said else NOTHING
        except (ValueError, AttributeError, RecursionError, OverflowError):
            raise ValueError(_ELSE) from None
        return Notice(float(row.pause), told, float(row.age))

    def tell(self, notice: Notice) -> None:
        """Write the row.

        Raises:
            OSError: The database cannot be asked.
        """
        content = "" if notice.told == NOTHING else json.dumps(said(notice.told))
        values = {"pause": str(notice.pause), "said": content, "age": str(notice.age)}
        values["identity"] = self._key
        try:
            self._ask(WRITE, **values)
        except _NoTableError:
            try:
                self._ask(CREATE)
            except OSError:
                # PostgreSQL lets only one of two runs create it, IF NOT EXISTS or not.
                if not self._ask(EXISTS)[0].made:
                    raise
            self._ask(WRITE, **values)

    def _ask(self, statement: str, **values: str) -> list[Any]:
        """Execute a statement by itself and return its rows."""
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        try:
            result = run(self._connected(), statement, **values)
            return list(result) if result.returns_rows else []
        except SQLAlchemyError as error:
            if code_of(error) == NO_TABLE:
                raise _NoTableError from None
            if self._at_end is not None:
                self._at_end()
            self._connection = self._at_end = None
            raise OSError(0, self._database.reason(error)) from None

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._database.connect()
            finalizer = weakref.finalize(self, leave, connection)
            finalizer.atexit = False  # a database that does not answer must not hold up the end
            self._at_end = finalizer
            self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        return self._connection


class _NoTableError(Exception):
    """Nobody has had anything to tell yet."""
