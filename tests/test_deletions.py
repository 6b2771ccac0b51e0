"""What is deleted in Bitbucket goes from the target, and nothing else ever does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault
from tests.story import Story, open_request, story_of
from tests.support import Run, api_token_config, merge, run_here, tables
from tests.truth import STREAMS

EVERY_TIME = {
    "workspaces", "workspace_members", "workspace_permissions", "users", "environments",
    "default_reviewers",
}  # fmt: skip
"""Streams that are read whole in each run."""

SOMETIMES = {"projects", "repositories", "branches", "tags"}
"""Streams that are read whole once in ``reconcile_every`` days."""


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(catalog, monkeypatch, max_retries=0) as told:
        yield told


def differences(story: Story, *streams: str) -> list[str]:
    """Return how the target differs from the truth in these streams, or in all."""
    return [one for name in streams or STREAMS for one in story.differences(name)]


def order_is_right(run: Run) -> bool:
    """Whether no row of a stream follows its ACTIVATE_VERSION, and all rows carry its version."""
    done: dict[str, int] = {}
    for message in run.messages:
        if message["type"] == "ACTIVATE_VERSION":
            done[message["stream"]] = message["version"]
        elif message["type"] == "RECORD" and message["stream"] in done:
            return False
    return all(
        message["version"] == done[message["stream"]]
        for message in run.messages
        if message["type"] == "RECORD" and message["stream"] in done
    )


def make_due(story: Story) -> None:
    """Let the last reconciliation have been eight days ago."""
    assert story.state is not None
    for name in SOMETIMES:
        story.state["bookmarks"][name]["reconciled_at"] -= 8 * 86_400


def test_a_whole_table_is_announced_at_its_end(server: BitbucketServer) -> None:
    """ACTIVATE_VERSION comes after the last row of a pass that held everything, and only then."""
    first = run_here(api_token_config(server))
    assert first.activated == EVERY_TIME | SOMETIMES
    assert order_is_right(first)
    second = run_here(api_token_config(server), state=first.state)
    assert second.activated == EVERY_TIME
    assert order_is_right(second)
    third = run_here(api_token_config(server, reconcile_every=0), state=second.state)
    assert third.activated == EVERY_TIME | SOMETIMES
    assert third.counts["branches"] == first.counts["branches"]
    assert third.counts["repositories"] == first.counts["repositories"]
    versions = [
        {m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}
        for run in (first, second, third)
    ]
    assert all(len(one) == 1 for one in versions)
    assert max(versions[0]) < max(versions[1]) < max(versions[2]) < 2**31


def _delete_things(story: Story) -> None:
    world = story.world
    world.push(story.api, "old", 1)
    world.push(story.web, "old", 1)
    for repo in (story.api, story.web):
        world.add_tag(repo, "v1")
        world.add_tag(repo, "v2")
    world.add_project(story.api.workspace, "EMPTY")
    world.add_repository(story.api.workspace, "doomed", project="TWO")
    world.comment(open_request(story), story.who("bob"), "Hm.")
    world.finish_pipeline(world.start_pipeline(story.api))
    story.clock.later(days=1)
    story.sync()
    assert differences(story) == []
    world.delete_branch(story.api, "old")
    world.delete_tag(story.web, "v1")
    world.delete_repository(f"{story.api.workspace.slug}/doomed")
    del story.api.workspace.projects["EMPTY"]
    del story.api.workspace.members[-1]
    del story.web.environments[0]
    world.set_default_reviewers(story.web)


def test_what_is_deleted_goes(story: Story) -> None:
    """With ``reconcile_every: 0`` a run removes what is gone, and nothing else."""
    story.settings["reconcile_every"] = 0
    _delete_things(story)
    run = story.sync()
    gone = [stream for stream in STREAMS if stream != "commits"]
    assert differences(story, *gone) == []
    assert story.differences("commits", kept=True) == []
    assert run.activated == EVERY_TIME | SOMETIMES


def test_what_is_deleted_goes_in_time(story: Story) -> None:
    """Between reconciliations deleted branches and repositories stay; the next one removes them."""
    _delete_things(story)
    run = story.sync()
    assert run.activated == EVERY_TIME
    assert differences(story, *EVERY_TIME) == []
    for stream in SOMETIMES:
        assert story.differences(stream, kept=True) == []
        assert len(story.differences(stream)) >= 1, stream
    make_due(story)
    run = story.sync()
    assert run.activated == EVERY_TIME | SOMETIMES
    assert differences(story, *EVERY_TIME, *SOMETIMES) == []
    run = story.sync()
    assert run.activated == EVERY_TIME
    assert not {"branches", "repositories"} & set(run.counts)


@pytest.mark.parametrize(("every", "status"), [(0, 403), (7, 403), (7, 404), (0, 410)])
def test_a_repository_that_cannot_be_read(story: Story, every: int, status: int) -> None:
    """A repository that is refused for one run loses no row, and the next run catches up."""
    story.settings["reconcile_every"] = every
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "One")
    running = story.world.start_pipeline(story.api)
    story.world.push(story.api, "feature", 1)
    story.sync()
    before = {stream: set(story.target[stream]) for stream in STREAMS}
    bookmarks = _of(story, story.api.uuid)
    story.world.forbid(story.api, status)
    story.world.comment(request, story.who("bob"), "Two")
    story.world.push(story.api, "main", 1)
    story.world.push(story.web, "main", 1)
    story.world.finish_pipeline(running)
    run = story.sync()
    assert story.api.full_name in run.log
    for stream in STREAMS:
        assert before[stream] <= set(story.target[stream]), stream
    assert _of(story, story.api.uuid) == bookmarks
    assert not run.activated & {"branches", "tags", "environments", "default_reviewers"}
    assert "workspace_members" in run.activated
    assert story.api.uuid not in {row["repository_uuid"] for row in run.rows("commits")}
    assert story.web.uuid in {row["repository_uuid"] for row in run.rows("commits")}
    story.world.allow(story.api)
    story.sync()
    assert differences(story) == []


def _of(story: Story, uuid: str) -> dict[str, Any]:
    """Return a repository's bookmarks."""
    assert story.state is not None
    return {
        name: partition
        for name, bookmark in story.state["bookmarks"].items()
        for partition in bookmark.get("partitions", [])
        if partition["context"].get("repository_uuid") == uuid
    }


def test_a_list_that_breaks_off(story: Story) -> None:
    """A list that fails in the middle deletes nothing, in its stream alone; it is read again."""
    story.settings["reconcile_every"] = 0
    for number in range(130):
        story.world.add_branch(story.api, f"topic/{number}")
    story.sync()
    story.world.push(story.api, "topic/1", 1)
    fault = Fault(r"refs/branches\?.*page=2", status=500, times=None)
    story.server.faults.add(fault)
    run = story.sync()
    assert "branches" not in run.activated
    assert {"tags", "repositories", "environments"} <= run.activated
    assert len([key for key in story.target["branches"] if key[0] == story.api.uuid]) == 131
    assert "repository_updated_on" in _of(story, story.api.uuid)["branches"]
    story.server.faults.clear()
    run = story.sync()
    assert "branches" in run.activated
    assert differences(story) == []


@pytest.mark.parametrize("every", [0, 7])
def test_a_workspace_that_cannot_be_read(story: Story, every: int) -> None:
    """While one workspace is refused, no row of a repository in it looks deleted."""
    workspace = story.world.add_workspace("second", "Second")
    story.world.add_member(workspace, story.who("ann"), "owner")
    story.world.add_project(workspace, "P")
    other = story.world.add_repository(workspace, "other", project="P")
    story.world.add_environment(other, "Test")
    both = [story.api.workspace.slug, "second"]
    story.settings |= {"workspaces": both, "reconcile_every": every}
    story.sync()
    assert differences(story) == []
    before = {stream: set(story.target[stream]) for stream in STREAMS}
    story.world.forbid("second", 403)
    run = story.sync()
    for stream in STREAMS:
        assert before[stream] <= set(story.target[stream]), stream
    assert not run.activated
    story.world.allow("second")
    story.sync()
    assert differences(story) == []


def test_a_shard_deletes_nothing(story: Story) -> None:
    """A run that reads its share of the repositories tells nothing about the others."""
    for number in range(4):
        story.world.add_repository(story.api.workspace, f"more-{number}", project="ONE")
    target, shards = tables(), []
    for number in range(2):
        run = run_here(api_token_config(story.server, shard=f"{number}/2", reconcile_every=0))
        assert run.code == 0, run.log
        merge(target, run)
        shards.append({row["uuid"] for row in run.rows("repositories")})
        below = {"repositories", "branches", "tags", "environments", "default_reviewers"}
        assert not run.activated & below
    assert all(shards)
    assert not shards[0] & shards[1]
    story.target = target
    assert differences(story) == []


def test_a_run_that_stops_early_deletes_nothing(story: Story) -> None:
    """A run that ends by its budget announces no table that it did not read whole."""
    story.settings["reconcile_every"] = 0
    open_request(story)
    story.sync()
    before = {stream: set(story.target[stream]) for stream in STREAMS}
    for number in (3, 6, 9, 12):
        run = story.sync(max_requests=number, concurrency=1)
        assert order_is_right(run)
        for stream in STREAMS:
            assert before[stream] <= set(story.target[stream]), (number, stream)
    story.sync()
    assert differences(story) == []


def test_members_that_cannot_be_read(story: Story) -> None:
    """A member list that fails leaves the accounts and members in the target."""
    story.sync()
    story.server.faults.add(Fault(r"/members\?", status=403, times=None))
    run = story.sync()
    assert not run.activated & {"workspace_members", "users"}
    assert "workspace_permissions" in run.activated
    story.server.faults.clear()
    story.sync()
    assert differences(story) == []
