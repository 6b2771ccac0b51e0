"""The example world: always the same, always moving on, and served truthfully."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, World, example_world, large_world
from tests.standin.client import ANCHOR, REPOS, Client, W, basic

KINDS = (
    "workspaces", "members", "permissions", "projects", "repositories", "branches", "tags",
    "commits", "pull_requests", "pull_request_comments", "pull_request_tasks",
    "pull_request_activity", "pipelines", "pipeline_steps", "environments", "deployments",
    "default_reviewers",
)  # fmt: skip


def _everything(world: World) -> str:
    return json.dumps([world.truth(kind) for kind in KINDS])


def test_deterministic() -> None:
    """One moment gives one world, uuids, hashes and first refresh token included."""
    one, two = example_world(ANCHOR), example_world(ANCHOR)
    assert _everything(one) == _everything(two)
    assert one.credentials == two.credentials


def test_story_is_deterministic() -> None:
    """Moving on in one step or in many leads to the same world."""
    one, two = example_world(ANCHOR), example_world(ANCHOR)
    end = ANCHOR + timedelta(hours=2)
    before = _everything(one)
    one.move_on(end)
    for minutes in range(1, 121):
        two.move_on(ANCHOR + timedelta(minutes=minutes))
    assert before != _everything(one) == _everything(two)


def test_story_pace() -> None:
    """An event comes every 5 to 10 seconds at first, later every few minutes, then no more."""
    due = [at for at, _ in example_world(ANCHOR).story]
    gaps = [(b - a).total_seconds() for a, b in pairwise(due)]
    assert all(5 <= gap <= 10 for gap in gaps[:50])
    assert all(120 <= gap <= 300 for gap in gaps[120:])
    assert 200 < len(due) < 1000


def test_story_follows_the_wall_clock() -> None:
    """With `story` what is due happens before each answer; by default nothing does."""
    world = example_world(ANCHOR)
    keys = world.credentials
    assert keys is not None
    world.now = ANCHOR
    with BitbucketServer(world) as server:
        client = Client(server, basic(keys.email, keys.api_token))
        world.now = ANCHOR + timedelta(minutes=10)
        client.get(REPOS)
        left = len(world.story)
        server.story = True
        client.get(REPOS)
        assert len(world.story) < left


@pytest.mark.parametrize("kind", KINDS)
def test_truth(shared: BitbucketServer, read: Client, kind: str) -> None:
    """What is paged through the API is what `truth` says."""
    world = shared.world
    expected = [row for *_, row in world.truth(kind)]
    assert expected
    found = _read(world, read, kind)

    def canonical(rows: list[Any]) -> list[str]:
        return sorted(json.dumps(row, sort_keys=True) for row in rows)

    assert canonical(found) == canonical(expected)


def _read(world: World, read: Client, kind: str) -> list[Any]:
    if kind == "workspaces":
        return [read.get(W).json]
    if kind in ("members", "permissions", "projects"):
        return read.all(f"{W}/{kind}", pagelen=3)
    if kind == "repositories":
        return read.all(REPOS, pagelen=3)
    return [row for repo in world.repositories() for row in _below(read, repo, kind)]


def _below(read: Client, repo: Any, kind: str) -> list[Any]:
    place = f"{REPOS}/{repo.slug}"
    paths = {
        "branches": "refs/branches", "tags": "refs/tags", "commits": "commits",
        "pull_request_activity": "pullrequests/activity", "default_reviewers": "default-reviewers",
    }  # fmt: skip
    if kind in paths:
        return read.all(f"{place}/{paths[kind]}", pagelen=3)
    if kind == "pull_requests":
        fields = "+values.reviewers,+values.participants"
        return read.all(f"{place}/pullrequests", q="id>0", pagelen=5, fields=fields)
    if kind in ("pull_request_comments", "pull_request_tasks"):
        below = kind.rpartition("_")[2]
        lists = [f"{place}/pullrequests/{number}/{below}" for number in repo.pull_requests]
        rows = [row for path in lists for row in read.all(path, pagelen=2)]
        return [row for row in rows if not row["pending"]]
    if not repo.pipelines_enabled:
        return []
    if kind == "pipeline_steps":
        lists = [f"{place}/pipelines/{quote(one.uuid)}/steps/" for one in repo.pipelines]
        return [row for path in lists for row in read.get(path).values]
    rows = []
    for page in range(1, 99):
        values = read.get(f"{place}/{kind}/", pagelen=10, page=page).values
        if not values:
            break
        rows += values
    return rows


def test_shapes_that_break_naive_schemas(shared: BitbucketServer) -> None:
    """The example holds the surprising shapes of the real API."""
    world = shared.world
    pulls = world.rows("pull_requests")
    assert {row["state"] for row in pulls} == {"OPEN", "MERGED", "DECLINED", "SUPERSEDED"}
    assert {row["draft"] for row in pulls} == {True, False}
    assert any(row["author"]["type"] == "app_user" for row in pulls)
    assert any(row["source"]["repository"] is None for row in pulls)
    assert len(pulls) >= 25
    comments = world.rows("pull_request_comments")
    assert {row["deleted"] for row in comments} == {True, False}
    assert {"inline", "parent", "resolution"} <= {key for row in comments for key in row}
    assert any("inline" not in row for row in comments)
    pipelines = world.rows("pipelines")
    assert {row["target"]["type"] for row in pipelines} == {
        "pipeline_ref_target", "pipeline_commit_target", "pipeline_pullrequest_target",
    }  # fmt: skip
    results = {row["state"].get("result", {}).get("name") for row in pipelines}
    assert results == {"SUCCESSFUL", "FAILED", "STOPPED", "ERROR", None}
    assert any("completed_on" not in row for row in pipelines)
    steps = world.rows("pipeline_steps")
    assert any("password" in row.get("image", {}) for row in steps)
    assert any("name" not in row for row in steps)
    states = {row["state"]["name"] for row in world.rows("deployments")}
    assert states == {"UNDEPLOYED", "IN_PROGRESS", "COMPLETED"}
    for row in world.rows("deployments"):
        if row["state"]["name"] == "UNDEPLOYED":
            assert not {"started_on", "completed_on", "status"} & set(row["state"])
    assert any("user" not in row["author"] for row in world.rows("commits"))
    assert {row["mainbranch"] is None for row in world.rows("repositories")} == {True, False}
    assert {row["parent"] is None for row in world.rows("repositories")} == {True, False}


def test_time_formats(shared: BitbucketServer) -> None:
    """The core API writes six digits and an offset, the pipelines service up to nine and Z."""
    for row in shared.world.rows("pull_requests"):
        assert re.fullmatch(r"[-\d]+T[:\d]+\.\d{6}\+00:00", row["updated_on"])
    dates = [row["created_on"] for row in shared.world.rows("pipelines")]
    assert all(re.fullmatch(r"[-\d]+T[:\d]+\.\d{3,9}Z", one) for one in dates)
    assert max(len(one) for one in dates) == 30


def test_numbers_of_the_story(shared: BitbucketServer) -> None:
    """Repositories differ in how long reviews and merges take."""
    repo = shared.world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")
    other = shared.world.repository(f"{EXAMPLE_WORKSPACE}/infrastructure")

    def first_reviews(place: Any) -> list[float]:
        found = []
        for one in place.pull_requests.values():
            dates = [c.created_on for c in one.comments if c.user is not one.author]
            if dates:
                found.append((min(dates) - one.created_on).total_seconds())
        return sorted(found)

    fast, slow = first_reviews(repo), first_reviews(other)
    assert fast[len(fast) // 2] * 5 < slow[len(slow) // 2]


def test_large_world_is_fast() -> None:
    """A page of a list of 20,000 pull requests costs little, from the second one on."""
    world = large_world(3, 20_000, 0, skew=30)
    keys = world.credentials
    assert keys is not None
    with BitbucketServer(world) as server:
        client = Client(server, basic(keys.email, keys.api_token))
        path = f"{REPOS}/service-0000/pullrequests"
        times = []
        for page in range(1, 12):
            began = time.perf_counter()
            answer = client.get(path, q="id>0", pagelen=50, page=page)
            times.append(time.perf_counter() - began)
            assert len(answer.values) == 50
    assert sorted(times)[len(times) // 2] < 0.05


def test_command_line() -> None:
    """`python -m tap_bitbucket.demo` prints its addresses and stops by itself."""
    made = subprocess.run(
        [sys.executable, "-m", "tap_bitbucket.demo", "--for", "0.1"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert "http://127.0.0.1:" in made.stdout
    assert "refresh_token" in made.stdout
