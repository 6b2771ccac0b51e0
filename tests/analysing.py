"""The example world in PostgreSQL, with the views of examples/analysis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, World, example_world
from tap_bitbucket.demo.model import PullRequest, User
from tests.loading import Warehouse, warehouse
from tests.support import PROJECT, Row, api_token_config, run_here, select
from tests.truth import with_columns

FOLDER = PROJECT / "examples" / "analysis"
VIEWS = sorted(path.stem for path in FOLDER.glob("*.sql"))
GONE = "infrastructure"
"""The repository that is deleted between the two runs."""


@dataclass
class Loaded:
    """What was loaded, the world that it is from, and what happened between the two runs."""

    world: World
    tables: Warehouse
    unassigned: PullRequest
    of_nobody: PullRequest

    def view(self, name: str) -> list[Row]:
        """Return the rows of a view."""
        return self.tables.ask(f"select * from bitbucket_views.{name}")

    def there(self, name: str) -> list[Row]:
        """Return the rows of a view but those of the deleted repository."""
        return [row for row in self.view(name) if row["repository"] != GONE]

    def truth(self, stream: str) -> list[Row]:
        """Return a stream's rows as they must be, with the tap's own columns."""
        return [{**row, **made} for made, row in with_columns(self.world, stream).values()]


@contextmanager
def load_all(catalog: dict[str, Any]) -> Iterator[Loaded]:
    """Load the example world, change it, load the changes, and make all views, twice."""
    named = {name for view in VIEWS for name in streams_of(view)}
    chosen = select(catalog, *named)
    with BitbucketServer(example_world()) as server, warehouse(hard_delete=False) as tables:
        world = server.world
        unassigned, of_nobody = _two_pull_requests(world)
        first = run_here(api_token_config(server), catalog=chosen)
        world.update_reviewers(unassigned, [])
        world.forget_author(of_nobody)
        world.delete_repository(f"{EXAMPLE_WORKSPACE}/{GONE}")
        world.remove_member(EXAMPLE_WORKSPACE, person(world, "ravi"))
        settings = api_token_config(server, reconcile_every=0)
        second = run_here(settings, state=first.state, catalog=chosen)
        assert first.code == second.code == 0, first.log + second.log
        tables.load(first, second)
        for _ in range(2):
            for view in VIEWS:
                tables.ask((FOLDER / f"{view}.sql").read_text(encoding="utf-8"))
        yield Loaded(world, tables, unassigned, of_nobody)


def _two_pull_requests(world: World) -> list[PullRequest]:
    """Open two pull requests on which the author is the first to comment, with foreign commits."""
    portal = world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")
    maya, lena = person(world, "maya"), person(world, "lena")
    made = []
    for number, author in enumerate(("Ada <ada@example.com>", "Bo <bo@example.com>")):
        branch = f"from-outside-{number}"
        world.push(portal, branch, messages=[f"Patch {number}"], author=author)
        one = world.open_pull_request(portal, branch, author=lena, reviewers=[maya])
        world.comment(one, lena, "I am still at it.")
        world.comment(one, maya, "I had a look anyway.")
        made.append(one)
    return made


def person(world: World, nickname: str) -> User:
    """Return an account."""
    return next(user for user in world.users.values() if user.nickname == nickname)


def streams_of(view: str) -> set[str]:
    """Return the streams that a view's file says it needs."""
    text = (FOLDER / f"{view}.sql").read_text(encoding="utf-8")
    said = re.search(r"^-- Streams: ([^.]*)\.", text, re.MULTILINE)
    assert said is not None, view
    listed = re.sub(r"\([^)]*\)", "", said[1].replace("\n-- ", " "))
    return {name.strip() for name in listed.split(",")}


def at(text: str | None) -> datetime | None:
    """Return a time of the API as the database has it."""
    return (
        datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None) if text else None
    )


def monday(text: str) -> date:
    """Return the first day of a time's week."""
    time = at(text)
    assert time is not None
    return (time - timedelta(days=time.weekday())).date()


def hours(begin: datetime, end: datetime | None) -> float | None:
    """Return the hours between two times as a person reads them."""
    return None if end is None else (end - begin) / timedelta(hours=1)
