"""What a later run reads, and that nothing which happened in between is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault
from tap_bitbucket.demo.model import Repository
from tests.story import Story, open_request, story_of
from tests.support import api_token_config, run_here, run_tap, select
from tests.truth import STREAMS, in_microseconds, truth

FULL_TABLES = {
    "workspaces", "workspace_members", "workspace_permissions", "users", "environments",
    "default_reviewers",
}  # fmt: skip
INCREMENTAL = [stream for stream in STREAMS if stream not in FULL_TABLES]
BELOW_REQUESTS = (
    "pull_request_participants", "pull_request_activity", "pull_request_comments",
    "pull_request_tasks",
)  # fmt: skip


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(catalog, monkeypatch) as told:
        yield told


def nothing_lost(story: Story, *streams: str, kept: bool = False) -> None:
    """Check that the target holds the truth; ``kept`` forgives what was deleted."""
    found = [one for name in streams or STREAMS for one in story.differences(name, kept=kept)]
    assert found == []


# -- nothing changed --------------------------------------------------------------------------


def test_a_run_with_nothing_new(server: BitbucketServer, tmp_path: Any) -> None:
    """With nothing changed a run writes full tables and what is unfinished, and asks for no row."""
    first = run_tap(api_token_config(server), tmp_path)
    server.clear_requests()
    second = run_tap(api_token_config(server), tmp_path, state=first.state)
    assert (first.code, second.code) == (0, 0)
    unfinished = sum(one.result is None for repo in server.world.repositories()
                     for one in repo.pipelines)  # fmt: skip
    assert unfinished
    assert set(second.counts) == FULL_TABLES | {"pipelines", "pipeline_steps"}
    assert second.counts["pipelines"] == unfinished
    lines = [one.url for one in server.requests]
    assert not [line for line in lines if re.search(r"/refs|/commits|/activity", line)]
    assert not [line for line in lines if re.search(r"/pullrequests/\d|/pipelines/%7B[^/]*$", line)]
    assert len([line for line in lines if "/steps" in line]) == unfinished
    repositories = len(server.world.repositories())
    assert len(lines) == 5 + 5 * repositories + unfinished
    third = run_here(api_token_config(server), state=second.state)
    assert third.counts == second.counts
    assert len(str(second.state)) <= len(str(first.state))


def test_an_unchanged_repository_costs_no_request(story: Story) -> None:
    """Branches, tags and commits are asked for in repositories only that changed."""
    story.sync()
    story.world.push(story.api, "main")
    story.sync()
    assert story.asked("/api/refs/branches")
    assert story.asked("POST .*/api/commits")
    assert not story.asked("/web/(refs|commits)")
    nothing_lost(story)


def test_state_stays_small(story: Story) -> None:
    """State has an entry per repository, never one per pull request or commit."""
    for _ in range(30):
        story.world.comment(open_request(story), story.who("bob"), "Hm.")
        story.clock.later(minutes=10)
    story.world.push(story.api, "main", 40)
    story.clock.later(hours=1)
    story.sync()
    entries = [
        partition
        for bookmark in story.state["bookmarks"].values()  # type: ignore[index]
        for partition in bookmark.get("partitions", [])
    ]
    assert all(set(entry["context"]) in ({"repository_uuid"}, {"workspace"}) for entry in entries)
    heads = {entry["context"]["repository_uuid"]: entry for entry in entries if "heads" in entry}
    del heads[story.api.uuid]["heads"]
    heads[story.api.uuid].pop("known", None)
    assert max(len(str(entry)) for entry in entries) < 700


# -- commits ----------------------------------------------------------------------------------


def test_a_commit_with_an_old_date_is_found(story: Story) -> None:
    """A commit written years ago and pushed today is new."""
    story.sync("commits")
    made = story.world.push(
        story.api, "old-work", 2, date=story.clock() - timedelta(days=4000)
    ) + story.world.push(story.api, "main", 1, date=story.clock() + timedelta(days=900))
    run = story.sync("commits")
    assert {row["hash"] for row in run.rows("commits")} == set(made)
    assert run.counts["commits"] == 3
    story.sync("commits")
    nothing_lost(story, "commits")


def test_history_that_was_rewritten(story: Story) -> None:
    """After a force-push and a deleted branch, whose heads Bitbucket forgot, nothing is missing."""
    story.world.push(story.api, "feature", 3)
    story.world.push(story.api, "gone", 2)
    story.sync("commits")
    made = story.world.force_push(story.api, "feature", 2, back=2)
    story.world.delete_branch(story.api, "gone")
    story.world.collect_garbage(story.api)
    run = story.sync("commits")
    assert 404 in {one.status for one in story.server.requests}
    assert set(made) <= {row["hash"] for row in run.rows("commits")}
    assert run.counts["commits"] <= 3  # the hashes that Bitbucket still knows are excluded
    nothing_lost(story, "commits", kept=True)
    assert not story.sync("commits").rows("commits")


def test_a_404_that_names_no_commit(story: Story) -> None:
    """When Bitbucket does not say which commit is unknown, everything reachable is read."""
    story.sync("commits")
    made = story.world.push(story.api, "main", 2)
    body = '{"type": "error", "error": {"message": "Commit not found"}}'
    story.server.faults.add(Fault("POST .*/commits", status=404, body=body))
    run = story.sync("commits")
    assert set(made) <= {row["hash"] for row in run.rows("commits")}
    nothing_lost(story, "commits")


def test_a_branch_that_goes_while_it_is_read(story: Story) -> None:
    """A head that is unknown by the time of asking costs neither the others nor the next run."""
    story.sync("commits")
    story.world.push(story.api, "short-lived", 1)
    made = story.world.push(story.api, "main", 2)

    def vanish() -> None:
        story.world.delete_branch(story.api, "short-lived")
        story.world.collect_garbage(story.api)

    story.server.faults.add(Fault("POST .*/commits", action="callback", callback=vanish))
    run = story.sync("commits")
    assert {row["hash"] for row in run.rows("commits")} == set(made)
    story.world.push(story.api, "main", 1)
    story.sync("commits")
    nothing_lost(story, "commits")


def test_many_new_branches(story: Story) -> None:
    """More heads than one request takes are asked for in several, and no commit comes twice."""
    story.sync("commits")
    for number in range(130):
        story.world.push(story.api, f"topic/{number}", 2)
    run = story.sync("commits")
    assert run.counts["commits"] == 260
    assert len(story.asked("POST ")) >= 2
    nothing_lost(story, "commits")


def test_a_new_branch_or_tag_on_known_commits_brings_none(story: Story) -> None:
    """A ref that points to what is known is no reason to write commits again."""
    story.world.push(story.api, "main", 5)
    story.sync("commits")
    story.world.add_tag(story.api, "v1", at=story.world.push(story.api, "main", 1)[0])
    story.sync("commits")
    story.world.add_branch(story.api, "again")
    assert story.sync("commits").counts["commits"] == 0
    nothing_lost(story, "commits")


# -- pull requests ----------------------------------------------------------------------------


def test_an_approval_is_seen(story: Story) -> None:
    """An approval of an open pull request is seen, though it does not move ``updated_on``."""
    request = open_request(story)
    story.sync()
    story.world.approve(request, story.who("bob"))
    run = story.sync()
    assert run.counts["pull_requests"] == run.counts["pull_request_participants"] == 1
    key = (story.api.uuid, request.id)
    assert story.row("pull_request_participants", *key, story.who("bob").uuid)["approved"] is True
    assert [row["kind"] for row in run.rows("pull_request_activity")] == ["approval"]
    nothing_lost(story)
    story.world.request_changes(request, story.who("cem"))
    story.world.unapprove(request, story.who("bob"))
    story.sync()
    assert story.row("pull_request_participants", *key, story.who("bob").uuid)["approved"] is False
    nothing_lost(story, kept=True)


def test_a_merge_is_seen(story: Story) -> None:
    """A pull request that is merged or declined comes again, with its activity."""
    merged, declined = open_request(story), open_request(story)
    idle = open_request(story)
    story.sync()
    story.world.merge(merged, story.who("bob"))
    story.world.decline(declined, story.who("cem"), "No.")
    run = story.sync()
    states = {row["id"]: row["state"] for row in run.rows("pull_requests")}
    assert {**states, idle.id: "OPEN"} == {
        merged.id: "MERGED", declined.id: "DECLINED", idle.id: "OPEN",
    }  # fmt: skip
    assert {row["update"]["state"] for row in run.rows("pull_request_activity")} == {
        "MERGED", "DECLINED",
    }  # fmt: skip
    nothing_lost(story)


def test_comments_that_change(story: Story) -> None:
    """An edited comment comes with its new text, a deleted one as deleted."""
    request = open_request(story)
    idle = open_request(story, story.web)
    story.world.comment(idle, story.who("bob"), "Let it be.")
    edited = story.world.comment(request, story.who("bob"), "Frist")
    deleted = story.world.comment(request, story.who("bob"), "Oops")
    story.world.comment(request, story.who("ann"), "Draft", pending=True)
    task = story.world.add_task(request, story.who("bob"), "Test it")
    story.sync()
    story.world.edit_comment(edited, "First")
    story.world.delete_comment(deleted)
    story.world.resolve_task(task, story.who("ann"))
    run = story.sync()
    key = (story.api.uuid, request.id)
    assert story.row("pull_request_comments", *key, edited.id)["content"]["raw"] == "First"
    assert story.row("pull_request_comments", *key, deleted.id)["deleted"] is True
    assert story.row("pull_request_tasks", *key, task.id)["state"] == "RESOLVED"
    assert "Draft" not in "".join(run.lines)
    assert len(story.asked("/comments")) == len(story.asked("/tasks")) == 1
    nothing_lost(story)


@pytest.mark.parametrize(
    ("age", "settings"),
    [
        pytest.param({"days": 9}, {}, id="old"),
        pytest.param({"seconds": 60}, {}, id="opened just before the last run"),
        pytest.param({"days": 9}, {"lookback": {"*": 30 * 86400}}, id="within the lookback"),
    ],
)
def test_the_last_comment_is_deleted(
    story: Story, age: dict[str, float], settings: dict[str, Any]
) -> None:
    """That a pull request counts no comment any more does not hide the deletion of the last one."""
    request = open_request(story)
    slip = story.world.comment(request, story.who("bob"), "Oops")
    story.clock.later(**age)
    story.sync()
    assert (
        story.row("pull_request_comments", story.api.uuid, request.id, slip.id)["deleted"] is False
    )
    story.world.delete_comment(slip)
    assert request.comment_count == 0
    story.sync(**settings)
    assert (
        story.row("pull_request_comments", story.api.uuid, request.id, slip.id)["deleted"] is True
    )


def test_no_request_for_what_the_counters_prove_empty(story: Story) -> None:
    """A new pull request without comments and tasks costs no request for them."""
    open_request(story)
    story.sync()
    open_request(story)
    assert not story.asked(r"/pullrequests/\d+/")
    story.sync()
    assert not story.asked(r"/pullrequests/\d+/")


def test_a_feed_that_ends_early(story: Story) -> None:
    """What the repository's activity feed no longer holds is read per pull request."""
    requests = [open_request(story) for _ in range(8)]
    for request in requests[:5]:
        for _ in range(12):
            story.world.comment(request, story.who("bob"), "And another thing.")
    story.server.activity_depth = 30
    story.sync()
    nothing_lost(story, "pull_request_activity")
    for request in requests[5:]:
        for _ in range(30):
            story.world.comment(request, story.who("cem"), "Yes.")
    story.sync()
    nothing_lost(story, "pull_request_activity")


# -- pipelines and deployments ----------------------------------------------------------------


def test_pipelines_until_they_are_finished(story: Story) -> None:
    """What is unfinished is read again until it is, also when it is far below the first page."""
    waiting = story.world.start_pipeline(story.api, steps=("Test", "Deploy"))
    story.sync("pipelines", "pipeline_steps")
    for _ in range(140):
        story.world.finish_pipeline(story.world.start_pipeline(story.api))
        story.clock.later(minutes=10)
    run = story.sync("pipelines", "pipeline_steps")
    assert run.counts["pipelines"] == 141
    assert run.counts["pipeline_steps"] == 142
    again = story.sync("pipelines", "pipeline_steps")
    assert again.counts == {"pipelines": 1, "pipeline_steps": 2}
    assert len(story.asked("/api/")) == 3  # a page, the pipeline, its steps
    assert len(story.asked("/api/pipelines/%7B[^/]*$")) == 1
    story.world.finish_pipeline(waiting, "FAILED")
    last = story.sync("pipelines", "pipeline_steps")
    assert last.rows("pipelines")[0]["state"]["name"] == "COMPLETED"
    assert {row["state"]["name"] for row in last.rows("pipeline_steps")} == {"COMPLETED"}
    nothing_lost(story, "pipelines", "pipeline_steps")
    assert story.sync("pipelines", "pipeline_steps").counts == {}


def test_an_unfinished_pipeline_that_was_deleted(story: Story) -> None:
    """A pipeline that is gone is waited for no longer."""
    story.world.start_pipeline(story.api)
    for _ in range(101):
        story.world.finish_pipeline(story.world.start_pipeline(story.api))
        story.clock.later(minutes=10)
    story.sync("pipelines", "pipeline_steps")
    assert "unfinished" in str(story.state)
    del story.api.pipelines[0]
    story.world.update_repository(story.api, "So that the stand-in notices")
    story.sync("pipelines", "pipeline_steps")
    story.sync("pipelines", "pipeline_steps")
    assert "unfinished" not in str(story.state)


def test_a_pipeline_that_runs_again(story: Story) -> None:
    """A finished pipeline that runs once more, with its old uuid, is seen when it ends."""
    pipeline = story.world.start_pipeline(story.api)
    story.world.finish_pipeline(pipeline, "FAILED")
    story.sync("pipelines", "pipeline_steps")
    story.world.rerun_pipeline(pipeline)
    story.sync("pipelines", "pipeline_steps")
    story.world.finish_pipeline(pipeline, "SUCCESSFUL")
    story.sync("pipelines", "pipeline_steps")
    nothing_lost(story, "pipelines", "pipeline_steps")


def test_deployments_through_their_states(story: Story) -> None:
    """A deployment is seen in each of its states, and not written while it stays in one."""
    old = [story.world.deploy(story.api, story.api.environments[0], "COMPLETED") for _ in range(3)]
    moving = story.world.deploy(story.api, story.api.environments[0], "UNDEPLOYED")
    names = []
    first = story.sync("deployments")
    assert first.counts["deployments"] == len(old) + 1
    for _ in range(3):
        run = story.sync("deployments")
        names += [row["state"]["name"] for row in run.rows("deployments")]
        nothing_lost(story, "deployments")
        story.world.proceed(moving)
    run = story.sync("deployments")
    names += [row["state"]["name"] for row in run.rows("deployments")]
    assert names[:2] == ["IN_PROGRESS", "COMPLETED"]
    row = story.row("deployments", moving.uuid)
    assert row["completed_on"] == in_microseconds(row["state"]["completed_on"])
    assert story.sync("deployments").counts["deployments"] == 0
    nothing_lost(story, "deployments")


# -- what is selected -------------------------------------------------------------------------


@pytest.mark.parametrize("child", [*BELOW_REQUESTS, "pipeline_steps", "commits", "branches"])
def test_a_child_without_its_parent(story: Story, child: str) -> None:
    """A stream below another is complete, and stays so, when the other is not selected."""
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "One")
    story.world.add_task(request, story.who("bob"), "Two")
    pipeline = story.world.start_pipeline(story.api)
    assert set(story.sync(child).counts) == {child}
    nothing_lost(story, child)
    story.world.comment(request, story.who("bob"), "Three")
    story.world.add_task(request, story.who("cem"), "Four")
    story.world.finish_pipeline(pipeline)
    story.world.push(story.api, "main")
    assert set(story.sync(child).counts) == {child}
    nothing_lost(story, child)
    assert story.sync(child).counts == {}


def test_a_stream_that_is_selected_later(story: Story) -> None:
    """A stream selected later than its siblings gets everything: each has its own bookmark."""
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "One")
    story.world.add_task(request, story.who("bob"), "Two")
    story.world.merge(request, story.who("bob"))
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.clock.later(days=3)
    story.sync("pull_requests", "pipelines", "repositories")
    story.clock.later(days=3)
    story.sync("pull_requests", "pipelines", "repositories")
    run = story.sync()
    assert not run.rows("pull_requests")
    assert not run.rows("pipelines")
    nothing_lost(story)
    assert set(story.sync().counts) == FULL_TABLES


def test_a_parent_that_is_selected_later(story: Story) -> None:
    """A stream that was read only for those below it has no bookmark: its rows were not written."""
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "One")
    story.world.merge(request, story.who("bob"))
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.clock.later(days=3)
    story.sync("pull_request_comments", "pipeline_steps")
    story.clock.later(days=3)
    run = story.sync()
    assert run.rows("pull_requests")
    assert run.rows("pipelines")
    assert run.rows("repositories")
    nothing_lost(story)


def test_a_stream_that_was_left_out_for_a_while(story: Story) -> None:
    """A stream that missed some runs catches up from its own bookmark."""
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "One")
    story.sync()
    for _ in range(3):
        story.world.comment(request, story.who("bob"), "More")
        story.world.push(story.api, "main")
        story.world.finish_pipeline(story.world.start_pipeline(story.api))
        story.sync("pull_requests", "pipelines", "branches")
    story.sync()
    nothing_lost(story)


def test_start_date(story: Story) -> None:
    """``start_date`` bounds the first pass: nothing older is written, and nothing newer is lost."""
    old = open_request(story)
    story.world.comment(old, story.who("bob"), "Long ago")
    story.world.merge(old, story.who("bob"))
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.world.deploy(story.api, story.api.environments[0], "COMPLETED")
    story.clock.later(days=20)
    start = story.clock()
    story.clock.later(days=1)
    new = open_request(story)
    story.world.comment(new, story.who("bob"), "Just now")
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.world.deploy(story.api, story.api.environments[0], "COMPLETED")
    run = story.sync(start_date=start.isoformat())
    assert [row["id"] for row in run.rows("pull_requests")] == [new.id]
    cursors = {
        "pull_request_activity": "occurred_on", "pull_request_comments": "created_on",
        "pipelines": "created_on", "pipeline_steps": "pipeline_created_on", "commits": "date",
        "deployments": "completed_on",
    }  # fmt: skip
    for stream, cursor in cursors.items():
        assert run.counts[stream] > 0, stream
        assert all(row[cursor][:19] >= start.isoformat()[:19] for row in run.rows(stream)), stream
    story.world.comment(old, story.who("cem"), "Late to the party")
    story.sync(start_date=start.isoformat())
    assert len(story.target["pull_request_comments"]) == 3


def test_lookback(story: Story) -> None:
    """``lookback`` reads so many seconds before the bookmark again, of the streams it names."""
    request = open_request(story)
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.clock.later(days=10)
    story.world.comment(request, story.who("bob"), "Recent")
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.clock.later(hours=2)
    story.sync()
    run = story.sync(lookback={"pipelines": 86_400, "pull_request_comments": 86_400})
    assert run.counts["pipelines"] == 1
    assert run.counts["pull_request_comments"] == 1
    assert run.counts["pull_request_activity"] == 0
    everything = story.sync(lookback={"*": 90 * 86_400})
    assert everything.counts["pipelines"] == 2
    assert everything.counts["pull_requests"] == 1
    assert everything.counts["pull_request_activity"] == 2


def test_a_forced_full_table(story: Story) -> None:
    """A stream forced to FULL_TABLE in the catalog is read whole each time; the others are not."""
    request = open_request(story)
    story.world.merge(request, story.who("bob"))
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    names = ("pull_requests", "pipelines", "commits")
    chosen = select(story.catalog, *names)
    for stream in chosen["streams"]:
        if stream["tap_stream_id"] in ("pull_requests", "commits"):
            stream["replication_method"] = "FULL_TABLE"
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"]["forced-replication-method"] = "FULL_TABLE"
    state: dict[str, Any] = {}
    for number in range(2):
        run = run_here(api_token_config(story.server), state=state, catalog=chosen)
        assert run.code == 0, run.log
        state = run.state
        assert run.counts["pull_requests"] == 1
        assert run.counts["commits"] == len(truth(story.world, "commits"))
        assert run.counts["pipelines"] == (1 if number == 0 else 0)


# -- places -----------------------------------------------------------------------------------


def test_projects_and_repositories(story: Story) -> None:
    """Of projects and repositories those are written that were updated."""
    story.sync()
    project = story.api.project
    story.world.update_project(project, name="Renamed")
    story.world.update_repository(story.web, "Described")
    run = story.sync()
    assert [row["key"] for row in run.rows("projects")] == [project.key]
    assert [row["slug"] for row in run.rows("repositories")] == ["web"]
    nothing_lost(story, "projects")
    assert story.row("repositories", story.web.uuid)["description"] == "Described"
    story.world.add_project(story.api.workspace, "NEW")
    story.world.add_repository(story.api.workspace, "newborn", project="NEW")
    story.sync()
    nothing_lost(story)


def test_a_renamed_repository(story: Story) -> None:
    """A repository that is renamed keeps its key and its bookmarks; new rows have its new name."""
    request = open_request(story)
    story.world.comment(request, story.who("bob"), "One")
    story.world.merge(request, story.who("bob"))
    story.sync()
    repo = story.api
    story.world.rename_repository(repo, "backend")
    run = story.sync()
    assert not run.rows("pull_requests")
    assert not run.rows("pull_request_comments")
    assert not run.rows("commits")
    assert story.row("repositories", repo.uuid)["slug"] == "backend"
    assert {key[0] for key in story.target["branches"]} == {repo.uuid, story.web.uuid}
    story.world.comment(request, story.who("bob"), "Two")
    run = story.sync()
    assert {row["repository"] for row in run.rows("pull_request_comments")} == {"backend"}
    nothing_lost(story, "pull_request_comments", "repositories", "branches")


# -- while it is read -------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["first pass", "later pass"])
def test_changes_between_two_pages(story: Story, first: bool) -> None:
    """What changes while its list is being read is not lost: this run or the next one has it."""
    requests = [open_request(story) for _ in range(60)]
    for request in requests[::2]:
        story.world.comment(request, story.who("bob"), "Hm.")
    for _ in range(120):
        story.world.finish_pipeline(story.world.start_pipeline(story.api))
    for _ in range(120):
        story.world.deploy(story.api, story.api.environments[0], "COMPLETED")
    story.world.push(story.api, "main", 150)
    late = [story.world.start_pipeline(story.api) for _ in range(3)]
    going = [story.world.deploy(story.api, story.api.environments[0]) for _ in range(3)]
    if not first:
        story.sync()
        for request in requests:
            story.world.comment(request, story.who("cem"), "Ping")

    def happen() -> None:
        world = story.world
        for request in (requests[0], requests[-1]):
            world.comment(request, story.who("bob"), "In between")
        world.merge(next(one for one in requests if one.state == "OPEN"), story.who("bob"))
        world.approve(requests[40], story.who("bob"))
        open_request(story)
        world.push(story.api, "main", 2)
        world.push(story.api, "sideways", 1)
        world.start_pipeline(story.api)
        if late:
            world.finish_pipeline(late.pop())
            world.proceed(going.pop())

    pages = (r"pullrequests\?.*page=2", r"pipelines/\?.*page=2", r"deployments/\?.*page=2",
             r"GET .*commits\?ctx|POST .*commits", r"activity\?", r"refs/branches")  # fmt: skip
    for page in pages:
        story.server.faults.add(Fault(page, action="callback", callback=happen))
    story.sync()
    assert len(story.server.faults.served) >= 4
    story.server.faults.clear()
    story.sync()
    nothing_lost(story)


# -- random histories -------------------------------------------------------------------------


class Fate:
    """Lets things happen at random."""

    def __init__(self, story: Story, seed: int) -> None:
        self.story, self.random = story, Random(seed)
        self.told: list[str] = []
        self._names = 0

    def name(self) -> str:
        """Return a name that was not used."""
        self._names += 1
        return f"name-{self._names}"

    def act(self) -> None:
        """Let one thing happen, if it can."""
        kind = self.random.choice(_HAPPENINGS)
        with self.story.world.lock:
            repo = self.random.choice(self.story.world.repositories())
            self.told.append(f"{kind} {repo.slug}")
            getattr(self, kind)(self.story.world, repo)

    def someone(self) -> Any:
        """Return anybody."""
        return self.story.who(self.random.choice(("ann", "bob", "cem")))

    def request(self, repo: Repository, *states: str) -> Any:
        """Return a pull request in one of these states, None if there is none."""
        found = [one for one in repo.pull_requests.values() if not states or one.state in states]
        return self.random.choice(found) if found else None

    def push(self, world: Any, repo: Repository) -> None:
        """Push to a branch, old or new, with a date that may lie."""
        branch = self.random.choice([*repo.branches, self.name()])
        days = self.random.choice((0, 0, -3000, 500))
        date = world.now() + timedelta(days=days)
        world.push(repo, branch, self.random.randint(1, 3), date=date)

    def rewrite(self, world: Any, repo: Repository) -> None:
        """Force-push a branch that no open pull request comes from."""
        busy = {one.source_branch for one in repo.pull_requests.values() if one.state == "OPEN"}
        free = [branch for branch in repo.branches if branch not in busy]
        if free:
            collect = self.random.random() < 0.7
            world.force_push(repo, self.random.choice(free), back=2, collect=collect)

    def remove_branch(self, world: Any, repo: Repository) -> None:
        """Delete such a branch."""
        busy = {one.source_branch for one in repo.pull_requests.values() if one.state == "OPEN"}
        free = [name for name in repo.branches if name not in busy | {repo.mainbranch}]
        if free:
            world.delete_branch(repo, self.random.choice(free))
            if self.random.random() < 0.5:
                world.collect_garbage(repo)

    def tag(self, world: Any, repo: Repository) -> None:
        """Add or delete a tag."""
        if repo.tags and self.random.random() < 0.4:
            world.delete_tag(repo, self.random.choice(list(repo.tags)))
        else:
            world.add_tag(repo, self.name())

    def request_opened(self, world: Any, repo: Repository) -> None:
        """Open a pull request."""
        author, reviewer = self.someone(), self.someone()
        world.open_pull_request(
            repo, self.name(), author=author, reviewers=[reviewer], n=self.random.randint(1, 2),
            close_source_branch=self.random.random() < 0.5,
        )  # fmt: skip

    def request_closed(self, world: Any, repo: Repository) -> None:
        """Merge, decline or supersede one."""
        request = self.request(repo, "OPEN")
        if request is not None:
            how = self.random.choice((world.merge, world.merge, world.decline, world.supersede))
            how(request, self.someone())

    def judged(self, world: Any, repo: Repository) -> None:
        """Approve one or request changes."""
        request = self.request(repo, "OPEN")
        if request is not None:
            self.random.choice((world.approve, world.request_changes))(request, self.someone())

    def retitled(self, world: Any, repo: Repository) -> None:
        """Change a title."""
        request = self.request(repo)
        if request is not None:
            world.update_title(request, self.name(), self.someone())

    def commented(self, world: Any, repo: Repository) -> None:
        """Comment."""
        request = self.request(repo)
        if request is not None:
            world.comment(request, self.someone(), self.name())

    def comment_changed(self, world: Any, repo: Repository) -> None:
        """Edit or delete a comment."""
        request = self.request(repo)
        live = [one for one in request.comments if not one.deleted] if request else []
        if live:
            comment = self.random.choice(live)
            if self.random.random() < 0.5:
                world.edit_comment(comment, self.name())
            else:
                world.delete_comment(comment)

    def task(self, world: Any, repo: Repository) -> None:
        """Set or resolve a task."""
        request = self.request(repo)
        if request is not None and request.tasks and self.random.random() < 0.5:
            world.resolve_task(self.random.choice(request.tasks), self.someone())
        elif request is not None:
            world.add_task(request, self.someone(), self.name())

    def pipeline_started(self, world: Any, repo: Repository) -> None:
        """Start pipelines, most of which end at once."""
        for _ in range(self.random.choice((1, 1, 1, 2, 12))):
            pipeline = world.start_pipeline(repo, steps=("Test", "Deploy"))
            if self.random.random() < 0.8:
                world.finish_pipeline(pipeline)

    def pipeline_finished(self, world: Any, repo: Repository) -> None:
        """Finish one that runs."""
        running = [one for one in repo.pipelines if one.result is None]
        if running:
            world.finish_pipeline(self.random.choice(running), "FAILED")

    def deployed(self, world: Any, repo: Repository) -> None:
        """Deploy."""
        if repo.environments:
            state = self.random.choice(("UNDEPLOYED", "IN_PROGRESS", "COMPLETED"))
            world.deploy(repo, self.random.choice(repo.environments), state)

    def deployment_moved(self, world: Any, repo: Repository) -> None:
        """Take a deployment to its next state."""
        going = [one for one in repo.deployments if one.state != "COMPLETED"]
        if going:
            world.proceed(self.random.choice(going))

    def place_changed(self, world: Any, repo: Repository) -> None:
        """Describe a repository and its project anew."""
        world.update_repository(repo, self.name())
        world.update_project(repo.project, description=self.name())

    def founded(self, world: Any, repo: Repository) -> None:
        """Add a repository, empty now and then."""
        if len(world.repositories()) < 5:
            made = world.add_repository(
                repo.workspace, self.name(), project="TWO", empty=self.random.random() < 0.3
            )
            if made.branches:
                world.add_environment(made, "Test")


_HAPPENINGS = (
    "push", "push", "rewrite", "remove_branch", "tag", "request_opened", "request_opened",
    "request_closed", "judged", "judged", "retitled", "commented", "commented", "commented",
    "comment_changed", "comment_changed", "task", "pipeline_started", "pipeline_finished",
    "deployed", "deployment_moved", "place_changed", "founded",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_random_histories(story: Story, seed: int) -> None:
    """Whatever happens between and during syncs, the target ends with the truth."""
    fate = Fate(story, seed)
    random = fate.random
    story.settings["reconcile_every"] = 0
    story.settings["concurrency"] = random.choice((1, 2, 8))

    def act() -> None:
        for _ in range(random.randint(1, 4)):
            _try(fate)

    for _ in range(4):
        for _ in range(random.randint(0, 20)):
            _try(fate)
        story.clock.later(minutes=random.choice((0, 1, 4, 90, 3000)))
        for _ in range(random.randint(0, 3)):
            story.server.faults.add(
                Fault("/2.0/", after=random.randint(0, 20), action="callback", callback=act)
            )
        story.sync(hours=random.choice((0, 0.01, 1, 50)))
    story.server.faults.clear()
    story.sync()
    found = [
        one
        for stream in STREAMS
        for one in story.differences(stream, kept=stream in _KEEPS_DELETED)
        if not _never_seen(story, one)
    ]
    assert found == [], fate.told
    assert set(story.sync().counts) <= FULL_TABLES | _UNFINISHED | {
        "projects", "repositories", "branches", "tags",
    }  # fmt: skip


_KEEPS_DELETED = {"commits", "pull_request_participants", "pull_request_activity"}
_UNFINISHED = {"pipelines", "pipeline_steps"}


def _try(fate: Fate) -> None:
    """Let something happen; what cannot happen in the repository as it is does not."""
    try:
        fate.act()
    except KeyError:
        fate.told.append("(which is impossible)")


def _never_seen(story: Story, difference: str) -> bool:
    """Whether it is a comment that was deleted before the pull request was ever read.

    Its pull request counts no comments, which saves the request.
    """
    match = re.match(r"pull_request_comments \('(.*)', (\d+), (\d+)\) is missing", difference)
    if match is None:
        return False
    row = truth(story.world, "pull_request_comments")[match[1], int(match[2]), int(match[3])]
    repo = next(one for one in story.world.repositories() if one.uuid == match[1])
    return bool(row["deleted"]) and repo.pull_requests[int(match[2])].comment_count == 0
