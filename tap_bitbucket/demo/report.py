"""What the demo shows: the tables that were loaded, and one question worth asking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

SCHEMA = "bitbucket"
_NARROW = 26


@dataclass(frozen=True)
class Table:
    """A loaded table: its rows, and how many of them arrived since a moment."""

    name: str
    rows: int
    arrived: int


def tables(connection: Any, since: datetime) -> list[Table]:
    """Count the rows of all tables that the target made.

    Args:
        connection: To the database, of psycopg.
        since: When the run began, in UTC, as the target notes for each row when it came in.
    """
    names = [
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = %s order by 1",
            (SCHEMA,),
        )
    ]
    found = []
    for name in names:
        query = (
            "select count(*), count(*) filter (where _sdc_received_at >= %s) "  # noqa: S608 - its own names
            f'from {SCHEMA}."{name}" where _sdc_deleted_at is null'
        )
        rows, arrived = connection.execute(query, (since.replace(tzinfo=None),)).fetchone()
        found.append(Table(name, rows, arrived))
    return found


def review_times(connection: Any) -> list[tuple[Any, ...]]:
    """Ask how long pull requests wait: see ``review_times.sql``."""
    query = files(__package__ or "").joinpath("review_times.sql").read_text(encoding="utf-8")
    return list(connection.execute(query))


def table_lines(found: Iterable[Table]) -> list[str]:
    """Return the loaded tables as text."""
    lines = [f"{'table':<{_NARROW}}{'rows':>8}{'read now':>10}"]
    lines += [f"{one.name:<{_NARROW}}{one.rows:>8}{one.arrived or '-':>10}" for one in found]
    return lines


def review_lines(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the answer as text."""
    lines = [
        f"{'repository':<{_NARROW}}{'opened':>8}{'merged':>8}{'first review':>15}{'merge':>13}"
    ]
    for repository, opened, merged, review, merge in rows:
        lines.append(
            f"{repository:<{_NARROW}}{opened:>8}{merged:>8}{spell(review):>15}{spell(merge):>13}"
        )
    return lines


def spell(span: timedelta | None) -> str:
    """Say a span of time in its two largest units."""
    if span is None:
        return "-"
    minutes = round(span.total_seconds() / 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min"
