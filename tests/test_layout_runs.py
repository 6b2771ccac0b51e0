"""Runs in the layout per repository: state, selection, catalogs that are out of date, refusals."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests import places
from tests.catalogs import only
from tests.furniture import EVERY_TIME, SOME, furnish
from tests.places import discover, entities, gathered
from tests.story import Story, open_request, story_of
from tests.support import (
    api_token_config,
    merge,
    refusal,
    run_tap,
    select,
    tables,
)
from tests.truth import truth


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(catalog, monkeypatch, max_retries=0) as told:
        yield told


def test_the_next_run_goes_on(story: Story) -> None:
    """The state of a run holds for the next: with nothing new, it asks what the other one does."""
    furnish(story)
    story.clock.later(days=3)
    story.catalog = only(select(story.catalog, *SOME), *SOME)
    story.sync()
    story.sync()
    shared = Counter(one.path for one in story.server.requests)
    whole = places.of(discover(story), SOME)
    first = places.run(story, whole)
    before = len(story.server.requests)
    second = places.run(story, whole, first.state)
    assert second.code == 0, second.log
    asked = Counter(one.path for one in story.server.requests)
    lists = {"/2.0/workspaces/halley-labs/projects", "/2.0/repositories/halley-labs"}
    assert asked - shared == dict.fromkeys(lists, 1)
    assert not shared - asked
    assert asked.total() < before * 2 / 3
    found = entities(whole)
    assert {found[name] for name in second.counts} <= EVERY_TIME


def test_new_rows_are_found(story: Story) -> None:
    """What is new in a repository comes with the next run, in its streams alone."""
    some = places.of(discover(story), SOME)
    first = places.run(story, some)
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "Hm.")
    run = places.run(story, some, first.state)
    assert len(run.rows("api-commits")) == len(run.rows("api-pull_request_comments")) == 1
    assert [row["id"] for row in run.rows("api-pull_requests")] == [request.id]
    assert not [name for name in run.counts if re.match("web-(commits|pull|branches)", name)]


def test_one_stream_of_one_repository_is_deselected(story: Story) -> None:
    """A stream that is deselected for a repository is asked for in the others only."""
    whole = discover(story)
    chosen = [name for name, entity in entities(whole).items() if entity == "environments"]
    assert chosen == ["api-environments", "web-environments"]
    run = places.run(story, places.chosen(whole, "web-environments"))
    assert set(run.counts) == {"web-environments"}
    assert [one.path for one in story.server.requests if "environments" in one.path] == [
        "/2.0/repositories/halley-labs/web/environments/"
    ]


def test_a_repository_that_the_catalog_does_not_know(story: Story) -> None:
    """A repository that is newer than the catalog is not read, and the log says how to."""
    old = discover(story)
    first = places.run(story, old)
    story.world.add_repository(story.api.workspace, "brand-new", project="ONE")
    run = places.run(story, old, first.state)
    assert run.code == 0
    assert not [one for one in story.server.requests if "/brand-new/" in one.path]
    assert [row["slug"] for row in run.rows("halley_labs-repositories")] == ["brand-new"]
    told = [one for one in run.log.splitlines() if "brand_new" in one and "WARNING" in one]
    assert len(told) == 1
    assert "--discover" in told[0]
    run = places.run(story, places.of(discover(story), SOME), run.state)
    assert [row["name"] for row in run.rows("brand_new-branches")] == ["main"]
    assert not run.rows("api-branches")


def test_a_repository_that_is_gone(story: Story) -> None:
    """A catalog that still has a deleted repository reads all the others, and the log says so."""
    old = places.of(discover(story), SOME)
    first = places.run(story, old)
    story.world.delete_repository(story.web)
    story.world.push(story.api, "main")
    run = places.run(story, old, first.state)
    assert run.code == 0
    assert len(run.rows("api-commits")) == 1
    assert not [name for name in (*run.counts, *run.activated) if name.startswith("web-")]
    told = [one for one in run.log.splitlines() if "web-" in one and "WARNING" in one]
    assert len(told) == 1


def test_a_repository_with_another_name(story: Story) -> None:
    """A renamed repository has another schema, which is complete; an old catalog is told of it."""
    furnish(story)
    old, target = places.of(discover(story), SOME), tables()
    first = places.run(story, old)
    merge(target, first)
    story.world.rename_repository(story.api, "backend")
    run = places.run(story, old, first.state)
    told = [one for one in run.log.splitlines() if "api-" in one and "WARNING" in one]
    assert (run.code, len(told)) == (0, 1)
    new = places.of(discover(story), SOME)
    merge(target, places.run(story, new, run.state))
    rows = gathered(new, target)
    for stream in SOME:
        assert set(rows[stream]) == {_text(key) for key in truth(story.world, stream)}, stream


def test_shards_share_the_schemas_out(story: Story) -> None:
    """Shards read each repository once, and none of them deletes what another one read."""
    furnish(story)
    whole, target = places.of(discover(story), SOME), tables()
    story.settings["reconcile_every"] = 0
    for number in range(2):
        run = places.run(story, whole, shard=f"{number}/2")
        assert run.code == 0, run.log
        assert 1 <= len(run.rows("halley_labs-repositories")) <= 2
        merge(target, run)
    rows = gathered(whole, target)
    for stream in SOME:
        assert set(rows[stream]) == {_text(key) for key in truth(story.world, stream)}, stream


def _text(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a key as ``gathered`` has it: times without a zone."""
    return tuple(one.replace("+00:00", "") if isinstance(one, str) else one for one in key)


def test_a_repository_that_is_refused_loses_nothing(story: Story) -> None:
    """While a repository is refused, its streams announce nothing, and the others do."""
    furnish(story)
    story.settings["reconcile_every"] = 0
    whole, target = places.of(discover(story), SOME), tables()
    first = places.run(story, whole)
    merge(target, first)
    before = {name: set(rows) for name, rows in target.items()}
    story.world.forbid(story.api)
    story.world.delete_tag(story.web, "v1")
    run = places.run(story, whole, first.state)
    merge(target, run)
    assert run.code == 0
    assert not [name for name in run.activated if name.startswith("api-")]
    assert {"web-tags", "web-environments", "halley_labs-hooks"} <= run.activated
    lost = {name for name, keys in before.items() if keys - set(target[name])}
    assert lost == {"web-tags"}


@pytest.mark.parametrize("pattern", [r"/halley-labs/projects\?", r"/repositories/halley-labs\?"])
def test_a_list_of_places_that_is_refused(story: Story, pattern: str) -> None:
    """If the projects or repositories cannot be listed, the rest is read, nothing is deleted."""
    furnish(story)
    story.settings["reconcile_every"] = 0
    whole, target = places.of(discover(story), SOME), tables()
    first = places.run(story, whole)
    merge(target, first)
    before = {name: set(rows) for name, rows in target.items()}
    story.server.faults.add(Fault(pattern, status=403, times=None))
    run = places.run(story, whole, first.state)
    merge(target, run)
    story.server.faults.clear()
    assert run.code == 0
    assert "halley_labs-members" in run.activated
    assert {name: set(rows) for name, rows in target.items()} == before
    assert "HTTP 403" in run.log
    bookmarks = first.state["bookmarks"]
    kept = run.state["bookmarks"]
    assert {name for name in bookmarks if name not in kept} == set()
    again = places.run(story, whole, run.state)
    merge(target, again)
    assert {name: set(rows) for name, rows in target.items()} == before
    assert not again.rows("api-commits")


def test_bad_credentials_are_told_in_one_line(story: Story, tmp_path: Path) -> None:
    """Discovery with a credential that is refused ends in one line, without a catalog."""
    config = api_token_config(story.server, layout="per_repository", api_token="wrong")
    run = run_tap(config, tmp_path, arguments=["--discover"])
    assert run.lines == []
    assert "API token" in refusal(run)


def test_the_command_prints_the_schemas(story: Story, tmp_path: Path) -> None:
    """``tap-bitbucket schemas`` prints each schema and whose it is, whatever layout is set."""
    story.world.add_repository(story.api.workspace, "web-portal", project="ONE")
    config = api_token_config(story.server)
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    run = run_tap(None, tmp_path, arguments=["schemas", "--config", str(file)])
    assert run.code == 0, run.log
    printed = [line.split() for line in run.lines]
    assert ["web_portal", "repository", "halley-labs/web-portal"] in printed
    assert ["halley_labs", "workspace", "halley-labs"] in printed
    assert ["one", "project", "halley-labs/ONE"] in printed
    schemas = {line[0] for line in printed}
    assert {one["tap_stream_id"].split("-")[0] for one in discover(story)["streams"]} <= schemas
