"""A full run holds everything that is there, once, unchanged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tests.columns import Row
from tests.support import (
    Run,
    api_token_config,
    merge,
    run_here,
    run_tap,
    select,
    select_all,
    tables,
)
from tests.truth import (
    ALL_STREAMS,
    KEYS,
    STREAMS,
    Key,
    content,
    key_of,
    missing,
    truth,
    with_columns,
)

each_stream = pytest.mark.parametrize("stream", ALL_STREAMS)


@dataclass
class Served:
    """The example world, a run of all streams with the properties that are read by default.

    And one with each property of each stream.
    """

    world: World
    usual: Run
    whole: Run


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, catalog: dict[str, Any]) -> Iterator[Served]:
    """Serve the example world and read it in both ways, the first by the real command."""
    folder: Path = tmp_path_factory.mktemp("full")
    world = example_world()
    with BitbucketServer(world) as server:
        server.show_secrets = True
        chosen = select(catalog, *ALL_STREAMS)
        usual = run_tap(api_token_config(server), folder, catalog=chosen)
        whole = run_here(api_token_config(server), catalog=select_all(catalog))
        assert (usual.code, whole.code) == (0, 0), usual.log + whole.log
        yield Served(world, usual, whole)


def by_key(run: Run, stream: str) -> dict[Key, Row]:
    """Return a run's rows by key."""
    return {key_of(stream, row): row for row in run.rows(stream)}


@each_stream
def test_nothing_is_missing_and_nothing_is_double(served: Served, stream: str) -> None:
    """A full run writes each row that is there exactly once, and no other."""
    written = Counter(key_of(stream, row) for row in served.usual.rows(stream))
    expected = set(truth(served.world, stream))
    assert expected, "the example world has no such row"
    assert set(written) == expected
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
        assert "links" not in shown


@each_stream
def test_each_row_says_where_it_belongs(served: Served, stream: str) -> None:
    """Each row names its workspace, repository or project, and what it is below."""
    expected = with_columns(served.world, stream)
    for run in (served.usual, served.whole):
        for key, row in by_key(run, stream).items():
            columns = expected[key][0]
            assert {name: row.get(name) for name in columns} == columns
            assert set(content(row, stream)) == set(row) - set(columns)


@each_stream
def test_the_keys_are_those_that_are_promised(served: Served, stream: str) -> None:
    """The SCHEMA names the primary key that everybody's tables are built on."""
    assert tuple(served.usual.schemas[stream]["key_properties"]) == KEYS[stream]


def test_secrets_stay_where_they_are(served: Served) -> None:
    """What opens a door is never written: no variable's value, password, key or token.

    But for what is part of a webhook's own address: nothing tells it from the rest.
    """
    said = "\n".join(served.whole.lines + served.usual.lines) + served.whole.log + served.usual.log
    hooks = truth(served.world, "workspace_hooks") | truth(served.world, "repository_hooks")
    addresses = {row["url"] for row in hooks.values()}
    secrets = {one for one in served.world.secrets if not any(one in url for url in addresses)}
    assert len(secrets) > 20
    assert {one for one in secrets if one in said} == set()
    assert "builder@example.com" not in said
    assert not re.search(r"https?://[^/\"]*@[^/\"]*/", said)


@each_stream
def test_a_target_holds_the_same(served: Served, stream: str) -> None:
    """A target that upserts by key, and deletes what a new version lacks, ends with all rows."""
    target = tables()
    merge(target, served.usual)
    merge(target, served.whole)
    assert set(target[stream]) == set(truth(served.world, stream))


def test_what_is_read_by_default(catalog: dict[str, Any]) -> None:
    """Streams that cost a request per row, or need administrator rights, are off by default."""
    selected = {
        stream["tap_stream_id"]: entry["metadata"].get("selected-by-default", True)
        for stream in catalog["streams"]
        for entry in stream["metadata"]
        if not entry["breadcrumb"]
    }
    assert set(selected) == set(ALL_STREAMS)
    assert {stream for stream, on in selected.items() if on} == set(STREAMS)


# -- shapes that break naive schemas ---------------------------------------------------------------


def shaped(served: Served, stream: str, has: Callable[[Row], bool]) -> list[Row]:
    """Return the written rows of those that have a shape; there must be some."""
    keys = [key for key, row in truth(served.world, stream).items() if has(row)]
    assert keys, "the example world has no such row"
    written = by_key(served.usual, stream)
    return [written[key] for key in keys]


def test_an_author_that_nobody_knows(served: Served) -> None:
    """An author that is null stays null, and empty text stands for it in a key."""
    rows = shaped(served, "pull_requests", lambda row: row["author"] is None)
    assert all(row["author"] is None for row in rows)
    assert all(row["created_on"] for row in rows)
    updates = shaped(
        served,
        "pull_request_activity",
        lambda row: "update" in row and row["update"]["author"] is None,
    )
    assert {row["actor_uuid"] for row in updates} == {""}


def test_a_commit_of_nobody(served: Served) -> None:
    """A commit by an e-mail address that belongs to no account names the address alone."""
    rows = shaped(served, "commits", lambda row: "user" not in row["author"])
    assert all(set(row["author"]) == {"type", "raw"} for row in rows)
    assert "unknown <none@nowhere.example>" in {row["author"]["raw"] for row in rows}


def test_a_robot(served: Served) -> None:
    """An app user is told from people by its type, and has no nickname."""
    rows = shaped(served, "pull_requests", lambda row: "kind" in (row["author"] or {}))
    assert {row["author"]["type"] for row in rows} == {"app_user"}
    assert {row["author"]["kind"] for row in rows} == {"repository_access_token"}
    assert all("nickname" not in row["author"] for row in rows)


def test_somebody_who_left(served: Served) -> None:
    """A deleted account keeps its uuid and is called "Former user"."""
    for stream in ("pull_request_comments", "repository_user_permissions", "snippet_comments"):
        rows = shaped(served, stream, lambda row: row["user"]["display_name"] == "Former user")
        assert {row["user"]["uuid"] for row in rows} == {served.world.user("Former user").uuid}


def test_a_fork_that_is_gone(served: Served) -> None:
    """A pull request from a deleted fork has no source repository, no commits, no diffstat."""
    rows = shaped(served, "pull_requests", lambda row: row["source"]["repository"] is None)
    for row in rows:
        assert row["source"]["repository"] is row["source"]["commit"] is None
        for stream in ("pull_request_commits", "pull_request_diffstat"):
            assert (row["repository_uuid"], row["id"]) not in parents(served, stream)
            assert (row["repository_uuid"], 1) in parents(served, stream), "what else is there"
    assert "Skipped" not in served.usual.log + served.whole.log


def parents(served: Served, stream: str) -> set[tuple[str, int]]:
    """Return the pull requests that have rows in a stream."""
    rows = served.usual.rows(stream)
    return {(row["repository_uuid"], row["pull_request_id"]) for row in rows}


def test_drafts(served: Served) -> None:
    """A comment that its author has not published is shown to the caller, and is no row."""
    me = served.world.user("maya")
    requests = [one for repo in served.world.repositories() for one in repo.pull_requests.values()]
    comments = [one for request in requests for one in request.comments]
    drafts = {one.id for one in comments if one.pending and one.user is me}
    assert drafts, "the example world has no draft of the caller's"
    assert drafts.isdisjoint(row["id"] for row in served.whole.rows("pull_request_comments"))


def test_nanoseconds(served: Served) -> None:
    """Times of the pipelines service have six decimals, however many Bitbucket sends."""
    sent = {len(row["created_on"]) for row in served.world.rows("pipelines")}
    assert max(sent) == len("2026-11-01T12:00:00.123456789Z")
    for stream in ("pipelines", "pipeline_caches", "pipeline_runners", "pipeline_schedules"):
        for row in served.usual.rows(stream):
            assert re.fullmatch(r"[-\d]+T[:\d]+\.\d{6}Z", row["created_on"])


def test_what_was_never_deployed(served: Served) -> None:
    """A deployment that has not begun has no dates, and no end."""
    rows = shaped(served, "deployments", lambda row: row["state"]["name"] == "UNDEPLOYED")
    for row in rows:
        assert row["completed_on"] is None
        assert not {"started_on", "completed_on", "status"} & set(row["state"])


def test_what_a_pipeline_runs_on(served: Served) -> None:
    """A pipeline runs on a branch or tag, on a commit, or on a pull request."""
    shapes = {
        "pipeline_ref_target": {"ref_type", "ref_name"},
        "pipeline_commit_target": set(),
        "pipeline_pullrequest_target": {"source", "destination", "pullrequest"},
    }
    found = {row["target"]["type"] for row in served.usual.rows("pipelines")}
    assert found == set(shapes)
    names = set().union(*shapes.values())
    for row in served.usual.rows("pipelines"):
        assert names & set(row["target"]) == shapes[row["target"]["type"]]


def test_a_schedule_that_could_not_start(served: Served) -> None:
    """Executions without a pipeline are told apart by their error, counted in each schedule."""
    rows = shaped(served, "pipeline_schedule_executions", lambda row: "error" in row)
    assert {row["pipeline_uuid"] for row in rows} == {None}
    assert sorted(row["execution"] for row in rows) == [
        "plan-service.parse.parse-error 1",
        "plan-service.parse.parse-error 2",
        "plan-service.reference.missing 1",
    ]


@pytest.mark.parametrize("place", ["repository", "project"])
def test_what_groups_may_do(served: Served, place: str) -> None:
    """A permission of a group names the group, and nobody."""
    rows = shaped(served, f"{place}_group_permissions", lambda row: "group" in row)
    assert all(row["group_slug"] == row["group"]["slug"] for row in rows)
    assert all("user" not in row for row in rows)


def test_a_finding_about_no_line(served: Served) -> None:
    """A finding about no file has neither path nor line, and others have."""
    rows = shaped(served, "commit_report_annotations", lambda row: "line" not in row)
    assert all(not {"path", "line"} & set(row) for row in rows)
    assert len(rows) < len(served.usual.rows("commit_report_annotations"))


@pytest.mark.parametrize("stream", ["commit_diffstat", "pull_request_diffstat"])
def test_files_that_went(served: Served, stream: str) -> None:
    """A removed file is known by its old path, a renamed one by its new path."""
    for row in shaped(served, stream, lambda row: row["status"] == "removed"):
        assert row["new"] is None
        assert row["path"] == row["old"]["path"]
    for row in shaped(served, stream, lambda row: row["status"] == "renamed"):
        assert row["path"] == row["new"]["path"] != row["old"]["path"]


def test_a_lightweight_tag(served: Served) -> None:
    """A tag without a message has neither tagger nor date, but a commit."""
    for row in shaped(served, "tags", lambda row: row["tagger"] is None):
        assert row["message"] is row["date"] is row["tagger"] is None
        assert len(row["target"]["hash"]) == 40


def test_a_sentence_among_the_rows(server: BitbucketServer, catalog: dict[str, Any]) -> None:
    """Without a paid plan a page holds a sentence instead of a snippet: that is no row."""
    server.free_plan = True
    chosen = select(catalog, "snippets", "snippet_comments", "snippet_commits", "workspaces")
    run = run_here(api_token_config(server), catalog=chosen)
    assert run.code == 0, run.log
    assert dict(run.counts) == {"workspaces": 1}


@pytest.mark.parametrize("form", ["values", "bare"])
def test_answers_that_no_document_describes(
    server: BitbucketServer, catalog: dict[str, Any], form: str
) -> None:
    """Test reports are read whether they come as an object, as a page or as a mere list."""
    server.test_form = form
    streams = ("pipeline_test_reports", "pipeline_test_cases")
    run = run_here(api_token_config(server), catalog=select(catalog, *streams))
    assert run.code == 0, run.log
    for stream in streams:
        assert set(by_key(run, stream)) == set(truth(server.world, stream))
