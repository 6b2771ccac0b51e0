"""The real target-postgres between the tap's messages and a real PostgreSQL."""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql
from psycopg.rows import dict_row

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer
from tap_bitbucket.demo.postgres import embedded_postgres
from tests.support import PROJECT, Row, Run
from tests.truth import KEYS, Key

_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


@cache
def target() -> Path:
    """Install the target that meltano.yml names, once for all tests, and return its command."""
    definition = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    loaders = {one["name"]: one for one in definition["plugins"]["loaders"]}
    folder = tempfile.TemporaryDirectory(prefix="target-postgres-")
    atexit.register(folder.cleanup)
    venv = Path(folder.name) / "venv"
    uv = [sys.executable, "-m", "uv", "--quiet"]  # it comes with Meltano
    package = loaders["target-postgres"]["pip_url"]
    subprocess.run([*uv, "venv", "--python", sys.executable, venv], check=True)
    subprocess.run([*uv, "pip", "install", "--python", venv / "bin/python", package], check=True)
    return venv / "bin" / "target-postgres"


def address_for_target(uri: str) -> str:
    """Return the address of a database as the target wants it."""
    return uri.replace("postgresql:", "postgresql+psycopg:", 1)


def meltano_settings(server: BitbucketServer, uri: str) -> dict[str, str]:
    """Return the environment in which Meltano loads the example world into a database."""
    keys = server.world.credentials
    assert keys is not None
    return {
        "TAP_BITBUCKET_API_URL": server.api_url,
        "TAP_BITBUCKET_WORKSPACES": json.dumps([EXAMPLE_WORKSPACE]),
        "TAP_BITBUCKET_EMAIL": keys.email,
        "TAP_BITBUCKET_API_TOKEN": keys.api_token,
        "TARGET_POSTGRES_SQLALCHEMY_URL": address_for_target(uri),
    }


class Warehouse:
    """A database that deletes what Bitbucket has no more.

    Args:
        schema: Where all tables are made; empty for a schema per repository.
        settings: More settings of the target.
    """

    def __init__(self, uri: str, folder: Path, schema: str, **settings: Any) -> None:
        self._database = psycopg.connect(uri, autocommit=True)
        self._schema = schema
        self._config = folder / "target.json"
        whole = {
            "sqlalchemy_url": address_for_target(uri),
            "default_target_schema": schema,
            "hard_delete": True,
            "validate_records": False,  # it takes longer than all the rest
            **settings,
        }
        self._config.write_text(json.dumps(whole), encoding="utf-8")

    def load(self, *runs: Run) -> None:
        """Load what runs wrote, one after the other."""
        result = subprocess.run(
            [target(), "--config", self._config],
            input="".join(f"{line}\n" for run in runs for line in run.lines),
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert result.returncode == 0, result.stderr[-3000:]

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def ask(self, query: str) -> list[Row]:
        """Run any SQL; return the rows, by column."""
        with self._database.cursor(row_factory=dict_row) as cursor:
            cursor.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> dict[str, set[str]]:
        """Return the names of the tables in each schema."""
        found: dict[str, set[str]] = {}
        query = (
            "select table_schema, table_name from information_schema.tables "
            "where table_schema not in ('pg_catalog', 'information_schema')"
        )
        for schema, table in self._database.execute(query):
            found.setdefault(schema, set()).add(table)
        return found

    def rows(self, stream: str, table: str = "", schema: str = "") -> dict[Key, Row]:
        """Return the rows of a stream by key, without what the target adds to them."""
        place = sql.Identifier(schema or self._schema, table or stream)
        with self._database.cursor(row_factory=dict_row) as cursor:
            cursor.execute(sql.SQL("select * from {}").format(place))
            return by_key(stream, cursor)


@contextmanager
def warehouse(schema: str = "bitbucket", **settings: Any) -> Iterator[Warehouse]:
    """Start a database with nothing in it.

    Not in a folder of pytest's: PostgreSQL runs as somebody else when the tests run as root.
    """
    with tempfile.TemporaryDirectory(prefix="tap-bitbucket-") as name:
        folder = Path(name)
        with embedded_postgres(folder / "postgres") as uri:
            made = Warehouse(uri, folder, schema, **settings)
            try:
                yield made
            finally:
                made.close()


def by_key(stream: str, rows: Iterable[Row]) -> dict[Key, Row]:
    """Return rows by key, in the form that messages and tables have in common.

    Times are in UTC, and what is null is left out.
    """
    found = [_plain(row) for row in rows]
    return {tuple(row[name] for name in KEYS[stream]): row for row in found}


def _plain(row: Row) -> Row:
    return {
        name: _settled(value)
        for name, value in row.items()
        if value is not None and not name.startswith("_")
    }


def _settled(value: Any) -> Any:
    if isinstance(value, str) and _TIME.match(value):
        value = datetime.fromisoformat(_in_six_digits(value)).astimezone(timezone.utc)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(value, dict):
        return {name: _settled(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return value


def _in_six_digits(time: str) -> str:
    """Return a time as Python 3.10 reads it."""
    whole, _, rest = time.replace("Z", "+00:00").partition(".")
    if not rest:
        return whole
    fraction, sign, zone = re.split(r"([+-])", rest)
    return f"{whole}.{fraction[:6]:0<6}{sign}{zone}"
