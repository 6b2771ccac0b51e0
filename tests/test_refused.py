"""What could not be read loses no row: only a whole pass deletes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.catalogs import only
from tests.furniture import (
    EVERY_TIME,
    KEPT,
    OF_PROJECTS,
    OF_REPOSITORIES,
    SOMETIMES,
    Furniture,
    differences,
    furnish,
    order_is_right,
)
from tests.story import Story, story_of
from tests.support import Run, api_token_config, merge, run_here, select, tables
from tests.truth import ALL_STREAMS, Key

LISTS = {
    r"/workspaces/halley-labs\?|/workspaces/halley-labs$": {"workspaces"},
    "/halley-labs/members": {"workspace_members", "users"},
    r"/halley-labs/permissions\?": {"workspace_permissions"},
    "/halley-labs/permissions/repositories": {"workspace_repository_permissions"},
    "/workspaces/halley-labs/hooks": {"workspace_hooks"},
    "/workspaces/halley-labs/pipelines-config/variables": {"workspace_variables"},
    "/workspaces/halley-labs/pipelines-config/runners": {"workspace_runners"},
    r"/snippets/halley-labs\?": {"snippets"},
    r"/halley-labs/projects\?": {"projects", *OF_PROJECTS},
    r"/repositories/halley-labs\?": {"repositories", *OF_REPOSITORIES},
    r"/2\.0/user$|/2\.0/user\?": {"current_user", "current_user_ssh_keys", "current_user_gpg_keys"},
    "/user/emails": {"current_user_emails"},
    "/projects/ONE/": OF_PROJECTS,
    r"/environments/\?": {"environments", "deployment_variables"},
    r"/schedules\?": {"pipeline_schedules", "pipeline_schedule_executions"},
    "/executions": {"pipeline_schedule_executions"},
    "/deployments_config/": {"deployment_variables"},
}
"""What a list that is refused keeps from being whole."""


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, of all streams."""
    everything = select(catalog, *ALL_STREAMS)
    with story_of(everything, monkeypatch, max_retries=0) as told:
        yield told


@pytest.fixture
def furniture(story: Story) -> Furniture:
    """Put things of every kind into the world, and sync them."""
    made = furnish(story)
    story.clock.later(days=1)
    story.sync()
    assert differences(story) == []
    return made


@pytest.fixture(scope="module")
def steady(catalog: dict[str, Any]) -> Iterator[Story]:
    """Tell a story in which nothing changes, of all whole tables, each read in each run."""
    whole = EVERY_TIME | SOMETIMES
    with (
        pytest.MonkeyPatch.context() as patch,
        story_of(
            only(select(catalog, *whole), *whole), patch, max_retries=0, reconcile_every=0
        ) as told,
    ):
        furnish(told)
        told.clock.later(days=1)
        assert told.sync().activated == whole
        yield told


Held = set[tuple[str, Key]]


def held(story: Story) -> Held:
    """Return the rows in the target."""
    return {(stream, key) for stream in ALL_STREAMS for key in story.target[stream]}


def held_of(story: Story, uuid: str) -> Held:
    """Return the rows in the target that were read in a repository."""
    return {
        (stream, key)
        for stream in OF_REPOSITORIES | KEPT
        for key, row in story.target[stream].items()
        if row.get("repository_uuid") == uuid
    }


def bookmarks_of(story: Story, uuid: str) -> dict[str, Any]:
    """Return a repository's bookmarks."""
    assert story.state is not None
    return {
        name: partition
        for name, bookmark in story.state["bookmarks"].items()
        for partition in bookmark.get("partitions", [])
        if partition["context"].get("repository_uuid") == uuid
    }


@pytest.mark.parametrize(("every", "status"), [(0, 403), (7, 404), (0, 410)])
def test_a_repository_that_cannot_be_read(
    story: Story, furniture: Furniture, every: int, status: int
) -> None:
    """A repository that is refused for one run loses no row, and the next run catches up."""
    story.settings["reconcile_every"] = every
    before, bookmarks = held_of(story, story.api.uuid), bookmarks_of(story, story.api.uuid)
    story.world.forbid(story.api, status)
    furniture.delete()
    story.world.comment(story.api.pull_requests[1], story.who("bob"), "Two")
    story.world.push(story.web, "main", 1)
    run = story.sync()
    assert story.api.full_name in run.log
    assert held_of(story, story.api.uuid) == before
    assert bookmarks_of(story, story.api.uuid) == bookmarks
    assert not run.activated & OF_REPOSITORIES
    assert run.activated >= EVERY_TIME - OF_REPOSITORIES
    assert story.api.uuid not in {row["repository_uuid"] for row in run.rows("commits")}
    assert story.web.uuid in {row["repository_uuid"] for row in run.rows("commits")}
    story.world.allow(story.api)
    story.sync(reconcile_every=0)
    assert differences(story) == []


def sync(story: Story, *streams: str) -> Run:
    """Sync these streams alone."""
    whole = story.catalog
    story.catalog = only(whole, *streams)
    try:
        return story.sync()
    finally:
        story.catalog = whole


@contextmanager
def refused(story: Story, pattern: str, status: int = 403) -> Iterator[None]:
    """Refuse some requests for a while."""
    story.server.faults.add(Fault(pattern, status=status, times=None))
    try:
        yield
    finally:
        story.server.faults.clear()


@pytest.mark.parametrize("pattern", LISTS)
def test_a_list_that_is_refused(steady: Story, pattern: str) -> None:
    """A list that cannot be read keeps its table and those below it as they are, and no other."""
    others = {"hook_events", "workspace_hooks", "watchers"} - LISTS[pattern]
    before = held(steady)
    with refused(steady, pattern):
        run = sync(steady, *LISTS[pattern], *others)
    assert held(steady) == before
    assert run.activated == others


def test_a_project_that_is_not_found(steady: Story) -> None:
    """A project that answers 404 to everything loses no row: it is listed, so it is there."""
    before = held(steady)
    with refused(steady, r"/projects/ONE\b", 404):
        run = sync(steady, *OF_PROJECTS, "projects")
    assert held(steady) == before
    assert run.activated == {"projects"}


@pytest.mark.parametrize(
    ("pattern", "stream"),
    [
        (r"/environments/\?", "deployment_variables"),
        (r"/schedules\?", "pipeline_schedule_executions"),
        (r"/2\.0/user$", "current_user_ssh_keys"),
        (r"/projects\?", "project_deploy_keys"),
        ("/members", "users"),
    ],
)
def test_parents_that_are_not_selected(steady: Story, pattern: str, stream: str) -> None:
    """What lies below a list that is refused stays, also when only that is selected."""
    before = held(steady)
    with refused(steady, pattern):
        run = sync(steady, stream, "workspace_hooks")
    assert held(steady) == before
    assert run.activated == {"workspace_hooks"}
    assert sync(steady, stream).activated == {stream}


@pytest.mark.parametrize("every", [0, 7])
def test_a_workspace_that_cannot_be_read(story: Story, every: int) -> None:
    """While one workspace is refused, no row of it or of a repository in it looks deleted."""
    workspace = story.world.add_workspace("second", "Second")
    story.world.add_member(workspace, story.who("ann"), "owner")
    story.world.add_project(workspace, "P")
    other = story.world.add_repository(workspace, "other", project="P")
    story.world.add_environment(other, "Test")
    both = [story.api.workspace.slug, "second"]
    story.settings |= {"workspaces": both, "reconcile_every": every}
    story.sync()
    assert differences(story) == []
    before = held(story)
    story.world.forbid("second", 403)
    run = story.sync()
    assert held(story) == before
    assert all(name.startswith(("current_user", "hook_events")) for name in run.activated)
    story.world.allow("second")
    story.sync()
    assert differences(story) == []


def test_a_list_that_breaks_off(story: Story) -> None:
    """A list that fails in the middle deletes nothing, in its stream alone; it is read again."""
    streams = ("branches", "tags", "repositories", "environments")
    story.settings["reconcile_every"] = 0
    for number in range(130):
        story.world.add_branch(story.api, f"topic/{number}")
    story.sync(*streams)
    story.world.push(story.api, "topic/1", 1)
    with refused(story, r"refs/branches\?.*page=2", 500):
        run = story.sync(*streams)
    assert run.activated == {"tags", "repositories", "environments"}
    assert len([key for key in story.target["branches"] if key[0] == story.api.uuid]) == 131
    assert "repository_updated_on" in bookmarks_of(story, story.api.uuid)["branches"]
    run = story.sync(*streams)
    assert "branches" in run.activated
    assert differences(story, *streams) == []


def test_a_shard_deletes_nothing(story: Story) -> None:
    """A run that reads its share of the repositories tells nothing about the others."""
    furnish(story)
    target, shards, settings = tables(), [], {"reconcile_every": 0, "max_retries": 0}
    for number in range(2):
        config = api_token_config(story.server, shard=f"{number}/2", **settings)
        run = run_here(config, catalog=story.catalog)
        assert run.code == 0, run.log
        merge(target, run)
        shards.append({row["uuid"] for row in run.rows("repositories")})
        of_all = {"workspaces", "hook_events"} | {s for s in ALL_STREAMS if s.startswith("current")}
        assert run.activated <= of_all
    assert all(shards)
    assert not shards[0] & shards[1]
    story.target = target
    assert differences(story) == []


def test_a_run_that_stops_early_deletes_nothing(steady: Story) -> None:
    """A run that ends by its budget announces no table that it did not read whole."""
    steady.sync()
    state = steady.state
    before, requests, last = held(steady), len(steady.server.requests), set[str]()
    for number in range(2, requests - 30, 16):  # what comes last tells of no deletions
        steady.state = copy.deepcopy(state)
        run = steady.sync(max_requests=number, concurrency=4)
        assert order_is_right(run)
        assert held(steady) == before, number
        assert run.activated >= last
        assert len(run.activated) < len(EVERY_TIME | SOMETIMES)
        last = run.activated
    assert len(last) > 20


def test_a_plan_without_snippets_and_downloads(steady: Story) -> None:
    """What the workspace's plan no longer includes stays in the target."""
    before = held(steady)
    steady.server.free_plan = True
    run = sync(steady, "snippets", "downloads", "watchers")
    steady.server.free_plan = False
    assert held(steady) == before
    assert run.activated == {"watchers"}


def test_a_repository_that_goes_while_it_is_read(story: Story) -> None:
    """A repository that is deleted in the middle of a run costs no other repository a row."""
    furniture = furnish(story)
    story.clock.later(days=1)
    story.settings["reconcile_every"] = 0
    story.sync()
    before = held_of(story, story.api.uuid) | held_of(story, story.web.uuid)
    gone = furniture.deletions["repositories"]
    story.server.faults.add(Fault("doomed/refs/tags", action="callback", callback=gone))
    run = story.sync()
    assert furniture.doomed.full_name in run.log
    assert before <= held(story)
    story.sync()
    assert differences(story) == []
