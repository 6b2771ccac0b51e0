"""A full run holds everything that is there, once, unchanged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tests.support import Run, api_token_config, merge, run_here, run_tap, select_all, tables
from tests.truth import STREAMS, Key, Row, content, missing, truth

each_stream = pytest.mark.parametrize("stream", STREAMS)


@dataclass
class Served:
    """The example world, a run by the real command, and a run with everything selected."""

    world: World
    usual: Run
    whole: Run


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, catalog: dict[str, Any]) -> Iterator[Served]:
    """Serve the example world and read it in both ways."""
    folder: Path = tmp_path_factory.mktemp("full")
    world = example_world()
    with BitbucketServer(world) as server:
        usual = run_tap(api_token_config(server), folder)
        whole = run_here(api_token_config(server), catalog=select_all(catalog))
        assert (usual.code, whole.code) == (0, 0), usual.log + whole.log
        yield Served(world, usual, whole)


def by_key(run: Run, stream: str) -> dict[Key, Row]:
    """Return a run's rows by key."""
    keys = run.schemas[stream]["key_properties"]
    return {tuple(row[key] for key in keys): row for row in run.rows(stream)}


def without_user_info(row: Row) -> Row:
    """Drop the user name of clone links, which the tap does not pass on."""
    links = dict(row["links"])
    links["clone"] = [
        {**one, "href": re.sub(r"^(https?://)[^/@]*@", r"\1", one["href"])}
        for one in links["clone"]
    ]
    return {**row, "links": links}


@each_stream
def test_nothing_is_missing_and_nothing_is_double(served: Served, stream: str) -> None:
    """A full run writes each row that is there exactly once, and no other."""
    keys = served.usual.schemas[stream]["key_properties"]
    written = Counter(tuple(row[key] for key in keys) for row in served.usual.rows(stream))
    assert set(written) == set(truth(served.world, stream))
    assert set(written.values()) == {1}


@each_stream
def test_values_arrive_unchanged(served: Served, stream: str) -> None:
    """With everything selected each row holds all that Bitbucket sends, as Bitbucket sends it.

    But for what is documented: the pipelines service's times in microseconds, no secrets, and
    objects that give way to a column of the context.
    """
    expected = truth(served.world, stream)
    written = by_key(served.whole, stream)
    assert set(written) == set(expected)
    for key, row in written.items():
        whole = expected[key]
        if stream == "repositories":
            whole = without_user_info(whole)
        shown = content(row, stream)
        if stream == "pull_requests":
            shown.pop("rendered", None)  # see test_selection
            for end in ("merge_strategies", "default_merge_strategy"):
                shown["destination"]["branch"].pop(end, None)
        assert list(missing(shown, whole)) == []
        assert list(missing(whole, shown)) == []


@each_stream
def test_a_usual_run_changes_no_value(served: Served, stream: str) -> None:
    """With the default selection a row holds less, and nothing else than Bitbucket sends."""
    expected = truth(served.world, stream)
    for key, row in by_key(served.usual, stream).items():
        shown = content(row, stream)
        assert list(missing(shown, expected[key])) == []
        assert shown, "nothing is left of the row"
        assert "links" not in shown


def test_secrets_stay_where_they_are(served: Served) -> None:
    """What opens a door is never written: no registry password, no user name in a clone link."""
    text = "\n".join(served.whole.lines) + served.whole.log + served.usual.log
    assert "do-not-store-me" not in text
    assert "builder@example.com" not in text
    assert "hunter2" not in text
    assert not re.search(r"https?://[^/\"]*@[^/\"]*/", text)


@each_stream
def test_a_target_holds_the_same(served: Served, stream: str) -> None:
    """A target that upserts by key, and deletes what a new version lacks, ends with all rows."""
    target = tables()
    merge(target, served.usual)
    merge(target, served.whole)
    assert set(target[stream]) == set(truth(served.world, stream))


def test_the_context_is_where_the_row_was_read(served: Served) -> None:
    """The context columns of a row are those of the repository that holds it, forks included."""
    names = {one.uuid: (one.full_name, one.slug) for one in served.world.repositories()}
    for stream in STREAMS:
        for row in served.usual.rows(stream):
            if "repository_uuid" in row:
                shown = (row["repository_full_name"], row["repository"])
                assert shown == names[row["repository_uuid"]]


def test_children_name_their_parent(served: Served) -> None:
    """A step tells its pipeline, and a comment, task, activity or participant its pull request."""
    pipelines = by_key(served.usual, "pipelines")
    for row in served.usual.rows("pipeline_steps"):
        assert row["pipeline_created_on"] == pipelines[row["pipeline_uuid"],]["created_on"]
        assert row["pipeline_uuid"] == row["pipeline"]["uuid"]
    requests = by_key(served.usual, "pull_requests")
    for stream in ("comments", "tasks", "activity", "participants"):
        for row in served.usual.rows(f"pull_request_{stream}"):
            assert (row["repository_uuid"], row["pull_request_id"]) in requests
    for row in served.usual.rows("pull_request_participants"):
        parent = requests[row["repository_uuid"], row["pull_request_id"]]
        assert row["pull_request_updated_on"] == parent["updated_on"]
