"""A database schema per repository holds the same rows as the tables that all share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import places
from tests.furniture import SOME, Furniture, differences, furnish
from tests.loading import Warehouse, by_key, warehouse
from tests.places import Catalog, discover, entities, gathered, schemas
from tests.story import Story, story_of
from tests.support import Row, merge, select, tables
from tests.truth import ALL_STREAMS, Key

Rows = dict[str, dict[Key, Row]]


_COLUMNS = {"repository": "repository", "project": "project_key", "workspace": "workspace"}
"""What names the place that a row was read in."""


@dataclass
class Both:
    """A world that is synced in both layouts, the second one into a database.

    Attributes:
        catalog: The streams that are loaded.
        homes: What each of them is read in: the kind and the name.
        shared: The rows of the shared layout after each sync.
        loaded: The rows in the database after each sync, by stream.
    """

    story: Story
    database: Warehouse
    furniture: Furniture
    catalog: Catalog
    homes: dict[str, tuple[str, str]]
    shared: list[Rows] = field(default_factory=list)
    loaded: list[Rows] = field(default_factory=list)
    state: Any = None

    def sync(self) -> None:
        """Sync both, and load."""
        self.story.sync()
        assert differences(self.story) == []
        run = places.run(self.story, self.catalog, self.state)
        assert run.code == 0, run.log
        self.state = run.state
        self.database.load(run)
        self.shared.append(
            {one: by_key(one, self.story.target[one].values()) for one in ALL_STREAMS}
        )
        found = {}
        for name, entity in entities(self.catalog).items():
            schema, _, table = name.partition("-")
            found[name] = self.database.rows(entity, table, schema)
        self.loaded.append(found)

    def expected(self, number: int, name: str) -> dict[Key, Row]:
        """Return the rows of the shared layout that are read where a stream is read."""
        kind, place = self.homes[name]
        rows = self.shared[number][entities(self.catalog)[name]]
        column = _COLUMNS.get(kind)
        value = place.rpartition("/")[2]
        return {key: row for key, row in rows.items() if not column or row[column] == value}


@pytest.fixture(scope="module")
def story(catalog: dict[str, Any]) -> Iterator[Story]:
    """Tell a story in a world in which every stream has rows, each read whole in each run."""
    with (
        pytest.MonkeyPatch.context() as patch,
        story_of(select(catalog, *ALL_STREAMS), patch, max_retries=0, reconcile_every=0) as told,
    ):
        yield told


@pytest.fixture(scope="module")
def both(story: Story) -> Iterator[Both]:
    """Load a world; delete in it, a repository as well; load it again."""
    furniture = furnish(story)
    story.clock.later(days=1)
    whole, named = discover(story), schemas(story)
    homes = {
        name: _home(name.partition("-")[0], named)
        for name, entity in entities(whole).items()
        if entity in SOME
    }
    with warehouse("") as database:
        made = Both(story, database, furniture, places.chosen(whole, *homes), homes)
        made.sync()
        furniture.delete()
        made.sync()
        yield made


def _home(schema: str, named: dict[str, str]) -> tuple[str, str]:
    """Return what a schema is of."""
    found = [place.split(" ", 1) for place, name in named.items() if name == schema]
    return (found[0][0], found[0][1]) if found else ("", "")


def test_the_same_rows_in_all_streams(story: Story, both: Both) -> None:  # noqa: ARG001 - made before
    """Put together, the streams of all places hold the rows of the shared layout, each once."""
    whole = discover(story)
    found = places.of(whole, ALL_STREAMS)
    run = places.run(story, found)
    assert run.code == 0, run.log
    per_repository = len(story.server.requests)
    target = tables()
    merge(target, run)
    state, story.state, story.target = story.state, None, tables()
    shared = story.sync()
    story.state = state
    rows = gathered(found, target)
    for stream in ALL_STREAMS:
        assert rows[stream] == by_key(stream, story.target[stream].values()), stream
    assert sum(run.counts.values()) == sum(shared.counts.values())
    # The lists of projects and repositories tell the names, and are then read for their rows.
    assert per_repository <= len(story.server.requests) + 2


def test_each_schema_holds_its_rows(both: Both) -> None:
    """Table by table, a schema has those rows of the shared table that are of its repository."""
    for name in both.homes:
        assert both.loaded[0][name] == both.expected(0, name), name
    held = {entities(both.catalog)[name] for name, rows in both.loaded[0].items() if rows}
    assert held == SOME


def test_what_is_deleted_goes_from_each_schema(both: Both) -> None:
    """After deletions and another sync, too, the schemas hold the rows of the shared layout."""
    for name in both.homes:
        if not name.startswith("doomed-"):
            assert both.loaded[1][name] == both.expected(1, name), name
    lost = {name for name in both.homes if len(both.loaded[1][name]) < len(both.loaded[0][name])}
    some = {"api-branches", "api-repository_hooks", "halley_labs-members", "bitbucket-users"}
    assert some | {"one-project_deploy_keys"} <= lost


def test_a_repository_that_is_gone_leaves_its_schema(both: Both) -> None:
    """The schema of a deleted repository stays as it was; only the list of them shrinks."""
    uuid = both.furniture.doomed.uuid
    names = [name for name in both.homes if name.startswith("doomed-")]
    assert names
    for name in names:
        assert both.loaded[1][name] == both.loaded[0][name] == both.expected(0, name), name
    assert (uuid,) in both.loaded[0]["halley_labs-repositories"]
    assert (uuid,) not in both.loaded[1]["halley_labs-repositories"]


def test_nothing_is_loaded_elsewhere(both: Both) -> None:
    """There is a schema per repository, project and workspace, and one for what is in none."""
    expected: dict[str, set[str]] = {}
    for name in both.homes:
        schema, _, table = name.partition("-")
        expected.setdefault(schema, set()).add(table)
    assert both.database.tables() == expected
