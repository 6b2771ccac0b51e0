"""What goes wrong in a run: one partition is skipped and named, or the run ends with one line."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Fault, RateLimit, large_world
from tests.support import (
    Run,
    api_token_config,
    merge,
    refusal,
    run_here,
    run_tap,
    select,
    tables,
)

CONTROL = f"{EXAMPLE_WORKSPACE}/telescope-control"
PORTAL = f"{EXAMPLE_WORKSPACE}/web-portal"


def config(server: BitbucketServer, **settings: Any) -> dict[str, Any]:
    """Return a config that reads two repositories and does not wait long."""
    return api_token_config(
        server, **{"repositories": [CONTROL, PORTAL], "max_retries": 1, **settings}
    )


def bookmarks(run: Run, uuid: str) -> dict[str, Any]:
    """Return all that a state holds about one repository, by stream."""
    return {
        stream: partition
        for stream, bookmark in run.state["bookmarks"].items()
        for partition in bookmark.get("partitions", [])
        if partition["context"].get("repository_uuid") == uuid
    }


def of(run: Run, stream: str, repository: str) -> list[dict[str, Any]]:
    """Return the rows of one repository."""
    return [row for row in run.rows(stream) if row["repository_full_name"] == repository]


def content(target: dict[str, dict[tuple[Any, ...], dict[str, Any]]]) -> dict[str, Any]:
    """Return tables without what differs from run to run."""
    return {
        stream: {
            key: {k: v for k, v in row.items() if k != "_version"} for key, row in table.items()
        }
        for stream, table in target.items()
    }


# -- a repository -------------------------------------------------------------------------------


BROKEN = {
    # the list that cannot be read, how it fails, and the streams that need it
    r"telescope-control/pullrequests\?": (404, ("pull_requests", "pull_request_comments")),
    r"telescope-control/refs/tags": (403, ("tags",)),
    r"telescope-control/pipelines/\?": (410, ("pipelines",)),
}


def test_lists_of_one_repository(server: BitbucketServer, catalog: dict[str, Any]) -> None:
    """403, 404, 410: skipped and named, bookmark kept, the rest complete, caught up next time."""
    world = server.world
    uuid = world.repository(CONTROL).uuid
    names = ("repositories", "tags", "pull_requests", "pull_request_comments", "pipelines")
    chosen = select(catalog, *names)
    first = run_here(config(server), catalog=chosen)
    assert first.code == 0, first.log
    maya = world.user("Maya Lindqvist")
    for name in (CONTROL, PORTAL):
        world.open_pull_request(name, author=maya, title="News")
        world.push(name, "main", 1)
        world.add_tag(name, "news")
        world.start_pipeline(name)
    for match, (status, _) in BROKEN.items():
        server.faults.add(Fault(match, status=status, times=None))

    second = run_here(config(server), catalog=chosen, state=first.state)
    assert second.code == 0, second.log
    assert "Traceback" not in second.log
    before, after = bookmarks(first, uuid), bookmarks(second, uuid)
    summary = [line for line in second.log.splitlines() if line.startswith("skipped: ")]
    for status, streams in BROKEN.values():
        for stream in streams:
            assert after[stream] == before[stream], "the bookmark of what was not read has moved"
            assert f"Skipped {stream} of {CONTROL}" in second.log
            assert of(second, stream, CONTROL) == []
            assert any(
                f"{stream} of {CONTROL}" in one and f"HTTP {status}" in one for one in summary
            )
            assert stream not in second.activated
    portal = world.repository(PORTAL).uuid
    assert bookmarks(second, portal)["pull_requests"] != bookmarks(first, portal)["pull_requests"]

    server.faults.clear()
    third = run_here(config(server), catalog=chosen, state=second.state)
    assert third.code == 0, third.log
    assert "Skipped pull" not in third.log
    for run, name in ((second, PORTAL), (third, CONTROL)):
        assert "News" in [row["title"] for row in of(run, "pull_requests", name)]
        assert "news" in [row["name"] for row in of(run, "tags", name)]
        newest = max(row["build_number"] for row in world.rows("pipelines", name))
        assert newest in [row["build_number"] for row in of(run, "pipelines", name)]


def test_a_repository_that_cannot_be_read_at_all(server: BitbucketServer) -> None:
    """All its streams skip it, the other repository is complete, nothing of it looks deleted."""
    uuid = server.world.repository(CONTROL).uuid
    whole = run_here(config(server))
    assert whole.code == 0, whole.log
    server.world.forbid(CONTROL, 404)
    broken = run_here(config(server, fail_on_skipped=True))
    assert broken.code == 3, broken.log
    assert bookmarks(broken, uuid) == {}
    for stream in whole.counts:
        rows = whole.rows(stream)
        if rows and "repository_uuid" in rows[0]:
            assert len(of(broken, stream, PORTAL)) == len(of(whole, stream, PORTAL)), stream
            assert of(broken, stream, CONTROL) == []
            assert stream not in broken.activated, f"{stream}: what was skipped would be deleted"
        else:
            assert broken.counts[stream] == whole.counts[stream]
    server.world.allow(CONTROL)
    again = run_here(config(server, fail_on_skipped=True), state=broken.state)
    assert again.code == 0, again.log
    for stream in ("branches", "commits", "pull_requests", "pipeline_steps", "deployments"):
        assert len(of(again, stream, CONTROL)) == len(of(whole, stream, CONTROL)), stream
    assert {"branches", "tags"} <= again.activated


def test_a_broken_repository_is_given_up_soon(catalog: dict[str, Any]) -> None:
    """The first list that fails for good gives up its partition; the run is no outage for it."""
    with BitbucketServer(
        large_world(repositories=3, pull_requests=90, comments=0, tasks=270, skew=0, empty=0)
    ) as server:
        slug = server.world.repositories()[0].slug
        match = rf"{slug}/pullrequests/\d+/tasks"
        server.faults.add(Fault(match, status=500, times=None))
        for concurrency in (1, 8):
            server.clear_requests()
            run = run_here(
                api_token_config(server, max_retries=0, concurrency=concurrency),
                catalog=select(catalog, "pull_request_tasks"),
            )
            assert run.code == 0, run.log
            assert {row["repository"] for row in run.rows("pull_request_tasks")} == {
                repository.slug for repository in server.world.repositories()[1:]
            }
            failed = [one for one in server.requests if one.status == 500]
            assert len(failed) <= 2 * concurrency, "lists of an abandoned partition were asked for"


# -- a workspace --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 410])
def test_a_workspace_that_cannot_be_read(status: int, server: BitbucketServer) -> None:
    """Its partitions are skipped and named; the other workspace is complete."""
    world = server.world
    other = world.add_workspace("other", "Other")
    world.add_member(other, world.user("Maya Lindqvist"), "owner")
    world.add_project(other, "ONE", "One")
    world.push(world.add_repository(other, "only", project="ONE"), "main", 1)
    world.forbid(world.workspace(EXAMPLE_WORKSPACE), status)
    settings = api_token_config(server, workspaces=[EXAMPLE_WORKSPACE, "other"], max_retries=0)
    run = run_here(settings)
    assert run.code == 0, run.log
    assert "Traceback" not in run.log
    assert {row["workspace"] for row in run.rows("repositories")} == {"other"}
    assert {row["workspace"] for row in run.rows("workspace_members")} == {"other"}
    assert run.rows("commits")
    for stream in ("repositories", "projects", "workspace_members"):
        assert f"Skipped {stream} of {EXAMPLE_WORKSPACE}" in run.log
    gone = {
        "workspaces",
        "repositories",
        "projects",
        "branches",
        "tags",
        "workspace_members",
        "users",
    }
    assert not run.activated & gone, "what was skipped would be deleted"
    assert run_here({**settings, "fail_on_skipped": True}).code == 3


def test_nothing_readable_is_a_failure(server: BitbucketServer, tmp_path: Path) -> None:
    """A run that had to skip everything exits with 1, not as if there were no rows."""
    server.world.forbid(server.world.workspace(EXAMPLE_WORKSPACE), 403)
    run = run_tap(api_token_config(server), tmp_path)
    assert "Nothing could be read" in refusal(run)
    assert not run.counts


# -- the end of a run in one line ---------------------------------------------------------------


def test_an_unknown_workspace(server: BitbucketServer, tmp_path: Path) -> None:
    """The name and the setting are in the line, whichever stream meets it first."""
    line = refusal(run_tap(api_token_config(server, workspaces=["haley-labs"]), tmp_path))
    assert "haley-labs" in line
    assert "'workspaces'" in line
    run = run_tap(api_token_config(server, workspaces=[EXAMPLE_WORKSPACE, "haley-labs"]), tmp_path)
    assert "haley-labs" in refusal(run)


def test_a_wrong_api_token(server: BitbucketServer, tmp_path: Path) -> None:
    """The line names the settings to check, is not preceded by retries, and shows no secret."""
    run = run_tap(api_token_config(server, api_token="wrong-secret", concurrency=1), tmp_path)
    line = refusal(run)
    assert "api_token" in line
    assert "email" in line
    assert "wrong-secret" not in run.log
    assert len(server.requests) <= 2
    assert not run.counts


def without_api_token(server: BitbucketServer, **settings: Any) -> dict[str, Any]:
    """Return a config without a credential."""
    config = api_token_config(server, **settings)
    return {k: v for k, v in config.items() if k not in {"email", "api_token"} and v is not None}


def test_a_wrong_access_token(server: BitbucketServer, tmp_path: Path) -> None:
    """The line names the setting and where a new token is made."""
    run = run_tap(without_api_token(server, access_token="wrong-secret"), tmp_path)
    assert "access_token" in refusal(run)
    assert "wrong-secret" not in run.log


def test_no_credential(server: BitbucketServer, tmp_path: Path) -> None:
    """Without a credential the line lists the ways to sign in, and nothing is asked."""
    line = refusal(run_tap(without_api_token(server), tmp_path))
    for setting in ("access_token", "api_token", "refresh_token"):
        assert setting in line
    assert server.requests == []


def test_an_access_token_needs_workspaces(server: BitbucketServer, tmp_path: Path) -> None:
    """Bitbucket does not tell an access token where it belongs: the line says what to set."""
    keys = server.world.credentials
    assert keys is not None
    settings = without_api_token(server, access_token=keys.access_token, workspaces=None)
    run = run_tap(settings, tmp_path)
    assert "'workspaces'" in refusal(run)
    assert keys.access_token not in run.log


def test_a_dead_refresh_token(server: BitbucketServer, tmp_path: Path) -> None:
    """The line says that one must sign in again, and shows neither token nor secret."""
    keys = server.world.credentials
    assert keys is not None
    settings = without_api_token(
        server,
        client_id=keys.client_id,
        client_secret=keys.client_secret,
        refresh_token="dead-refresh-token",
        token_file=str(tmp_path / "token.json"),
    )
    run = run_tap(settings, tmp_path)
    line = refusal(run)
    assert "sign in" in line.lower()
    for secret in (keys.client_secret, "dead-refresh-token"):
        assert secret not in run.log
    assert not run.counts


def test_a_host_that_is_not_there(server: BitbucketServer, tmp_path: Path) -> None:
    """An unreachable API ends the run with one line about the connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = api_token_config(server, api_url=f"http://127.0.0.1:{port}/2.0", max_retries=0)
    run = run_tap(settings, tmp_path)
    assert refusal(run)
    assert "no connection" in run.log


def test_an_outage_in_mid_run(server: BitbucketServer, tmp_path: Path) -> None:
    """When everything fails the run ends with one line and the STATE of what was read before."""
    server.faults.add(
        Fault(
            r"/pullrequests|/pipelines|/commits|/environments|/deployments", status=503, times=None
        )
    )
    run = run_tap(api_token_config(server, max_retries=0), tmp_path)
    line = refusal(run)
    assert "down" in line
    assert run.messages[-1]["type"] == "STATE"
    first = server.world.repositories()[0]
    assert run.counts["branches"] >= len(first.branches)
    assert run.bookmark("branches", repository_uuid=first.uuid)
    assert "pull_requests" not in run.state["bookmarks"]


# -- budgets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 9, 40])
def test_max_requests_is_a_clean_end(limit: int, server: BitbucketServer) -> None:
    """Exit code 0, STATE last, not one request too many, and the reason in the log."""
    run = run_here(api_token_config(server, max_requests=limit))
    assert run.code == 0, run.log
    assert len(server.requests) <= limit
    assert f"{limit} requests" in run.log
    assert limit == 1 or run.messages[-1]["type"] == "STATE"
    assert f"max_requests ({limit})" in run.log
    assert "ERROR" not in run.log
    assert not run.activated & {"commits", "pull_requests"}


def test_max_duration_is_a_clean_end(server: BitbucketServer) -> None:
    """A slow Bitbucket does not make the run longer than max_duration and a moment."""
    server.latency = 0.3
    run = run_here(api_token_config(server, max_duration=1, concurrency=2))
    assert run.code == 0, run.log
    assert "max_duration" in run.log
    assert run.messages[-1]["type"] == "STATE"
    assert 1 <= len(server.requests) <= 12


STREAMS = (
    "repositories",
    "branches",
    "commits",
    "pull_requests",
    "pull_request_comments",
    "pipelines",
)


@pytest.mark.parametrize("by", ["max_requests", "on_rate_limit"])
def test_a_chain_of_cut_runs_reaches_the_whole(
    by: str, server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """Runs that are cut by a budget go on where the one before stopped, and lose nothing."""
    chosen = select(catalog, *STREAMS)
    target = tables()
    expected = tables()
    whole = run_here(api_token_config(server), catalog=chosen)
    merge(expected, whole)
    limit = 14
    state: dict[str, Any] | None = None
    cuts = 0
    for _ in range(20):
        settings = (
            api_token_config(server, max_requests=limit)
            if by == "max_requests"
            else api_token_config(server, on_rate_limit="stop")
        )
        if by == "on_rate_limit":
            server.rate_limit = RateLimit(limit=limit, plain_text=True)
        run = run_here(settings, catalog=chosen, state=state)
        assert run.code == 0, run.log
        merge(target, run)
        state = run.state
        if by not in run.log:
            break
        cuts += 1
    assert 3 <= cuts < 19
    assert content(target) == content(expected)


def test_the_rate_limit_is_waited_out(server: BitbucketServer) -> None:
    """By default a run waits for the limit and ends complete; the summary tells of the waits."""
    whole = run_here(config(server))
    server.rate_limit = RateLimit(limit=50, window=1.0, headers="remaining", retry_after="date")
    run = run_here(config(server))
    assert run.code == 0, run.log
    assert run.counts == whole.counts
    assert run.log.count("Rate limit of") >= 1
    assert " 0 waits" not in run.log
