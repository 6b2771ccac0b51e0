"""What pull requests consist of, and what builds say about them: who is asked, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.catalogs import only
from tests.commits import lost
from tests.pull_requests import BELOW, GATED, asked_about, several
from tests.story import Story, open_request, story_of


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, "pull_requests", *BELOW), monkeypatch) as told:
        yield told


# -- which pull requests are asked about --------------------------------------------------------


def test_each_pull_request_once(story: Story) -> None:
    """A first run asks about each pull request once, and says of which state of it a row is."""
    made = several(story)
    for _ in range(2):
        open_request(story, story.web)
    run = story.sync("pull_requests", *BELOW)
    assert lost(story, *BELOW) == []
    for stream in BELOW:
        assert asked_about(story, stream) == {request.id: 1 for request in made}
    updated = {row["id"]: row["updated_on"] for row in story.world.rows("pull_requests", story.api)}
    for stream in GATED:
        rows = [row for row in run.rows(stream) if row["repository"] == "api"]
        found = {row["pull_request_id"]: row["pull_request_updated_on"] for row in rows}
        assert found == updated


def test_only_those_that_changed(story: Story) -> None:
    """Commits and changed files are asked for below pull requests that changed, and no other."""
    made = several(story)
    story.sync(*BELOW)
    story.sync(*BELOW)
    for stream in GATED:
        assert not asked_about(story, stream)
    story.world.push(story.api, made[0].source_branch, 2)
    story.world.update_title(made[2], "Never mind")
    new = open_request(story)
    story.clock.later(minutes=10)
    run = story.sync(*BELOW)
    for stream in GATED:
        assert asked_about(story, stream) == {made[0].id: 1, made[2].id: 1, new.id: 1}
    assert lost(story, *BELOW) == []
    assert {row["pull_request_id"] for row in run.rows("pull_request_commits")} == {
        made[0].id, made[2].id, new.id,
    }  # fmt: skip


@pytest.mark.parametrize("stream", BELOW)
def test_a_stream_alone(story: Story, stream: str) -> None:
    """Each is complete, and stays so, when nothing else is selected; and so when it is later."""
    made = several(story)
    assert set(story.sync(stream).counts) == {stream}
    assert lost(story, stream) == []
    story.world.push(story.api, made[0].source_branch, 1)
    story.world.add_status(story.api, made[0].source_hash, "again")
    story.world.merge(made[0], story.who("bob"))
    story.clock.later(minutes=10)
    assert set(story.sync(stream).counts) == {stream}
    assert lost(story, stream) == []
    assert story.sync(stream).counts == {}


def test_selected_later_than_the_pull_requests(story: Story) -> None:
    """Selected later, they get everything, and no closed pull request is written again."""
    made = several(story)
    story.clock.later(days=3)
    story.sync("pull_requests")
    story.clock.later(days=3)
    run = story.sync("pull_requests", *BELOW)
    assert lost(story, "pull_requests", *BELOW) == []
    assert {row["id"] for row in run.rows("pull_requests")} <= {made[0].id, made[3].id}


def test_long_lists(story: Story) -> None:
    """Commits and builds of a pull request come in pages, and all of them arrive."""
    request = open_request(story, n=230)
    for commit in request.commits:
        story.world.add_status(story.api, commit, "build")
    story.clock.later(hours=1)
    run = story.sync(*BELOW)
    assert run.counts["pull_request_commits"] == run.counts["pull_request_statuses"] == 230
    assert lost(story, *BELOW) == []
    assert asked_about(story, "pull_request_commits") == {request.id: 3}


@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
def test_changes_in_mid_run(story: Story, first: bool) -> None:
    """What changes while they are read is in this run or in the next one, wherever it happens."""
    made = [open_request(story, n=2) for _ in range(4)]
    turn = 0
    while True:
        if first:
            story.state = None
        for request in made:
            story.world.push(story.api, request.source_branch, 1)
        story.clock.later(minutes=10)

        def change() -> None:
            for request in made:
                story.world.push(story.api, request.source_branch, 1)
                story.world.add_status(story.api, request.source_hash, "build")
            story.clock.later(hours=1)

        fault = Fault("/api/", after=turn, action="callback", callback=change)
        story.server.faults.add(fault)
        story.sync(*BELOW, concurrency=1)
        story.server.faults.clear()
        if fault.times:
            break
        story.sync(*BELOW)
        assert lost(story, *BELOW, kept=True) == [], turn
        turn += 1
    assert turn > 10


# -- builds -------------------------------------------------------------------------------------


def test_a_build_of_an_open_pull_request(story: Story) -> None:
    """Builds move nothing in a pull request: open ones are asked about each time, others not."""
    made = several(story)
    story.sync(*BELOW)
    story.world.add_status(story.api, made[0].commits[1], "late", "FAILED")
    story.clock.later(minutes=10)
    run = story.sync(*BELOW)
    assert asked_about(story, "pull_request_statuses") == {made[0].id: 1, made[3].id: 1}
    assert dict(run.counts) == {"pull_request_statuses": 1}
    assert run.rows("pull_request_statuses")[0]["key"] == "late"
    assert lost(story, *BELOW) == []
    assert story.sync(*BELOW).counts == {}


def test_a_running_build_writes_no_other_row_again(story: Story) -> None:
    """While one build of a pull request is running, the others are not written each time."""
    request = open_request(story, n=3)
    for commit in request.commits:
        story.world.add_status(story.api, commit, "build")
    story.world.add_status(story.api, request.commits[0], "slow", "INPROGRESS")
    story.clock.later(hours=1)
    story.sync("pull_request_statuses")
    run = story.sync("pull_request_statuses")
    assert {row["key"] for row in run.rows("pull_request_statuses")} <= {"slow"}


@pytest.mark.parametrize("how", ["merge", "decline"])
def test_a_build_that_outlives_its_pull_request(story: Story, how: str) -> None:
    """A build that is running when its pull request is closed is followed until it ends."""
    request, other = open_request(story, n=2), open_request(story)
    commit = request.commits[0]
    story.world.add_status(story.api, commit, "slow", "INPROGRESS")
    story.clock.later(hours=1)
    story.sync("pull_request_statuses")
    getattr(story.world, how)(request, story.who("bob"))
    story.world.decline(other, story.who("bob"))
    story.clock.later(minutes=10)
    story.sync("pull_request_statuses")
    for _ in range(3):
        story.clock.later(days=1)
        story.sync("pull_request_statuses")
        assert asked_about(story, "pull_request_statuses") == {request.id: 1}
    story.world.add_status(story.api, commit, "slow", "FAILED")
    story.clock.later(minutes=10)
    story.sync("pull_request_statuses")
    key = (story.api.uuid, request.id, commit[:12], "slow")
    assert story.row("pull_request_statuses", *key)["state"] == "FAILED"
    assert lost(story, "pull_request_statuses") == []
    story.sync("pull_request_statuses")
    assert not asked_about(story, "pull_request_statuses")


def test_a_build_that_never_ends(story: Story) -> None:
    """A build that says for seven days that it is running is waited for no longer."""
    request = open_request(story)
    story.world.add_status(story.api, request.commits[0], "lost", "INPROGRESS")
    story.world.merge(request, story.who("bob"))
    story.clock.later(hours=1)
    asked = []
    for _ in range(11):
        story.sync("pull_request_statuses", hours=24)
        asked.append(asked_about(story, "pull_request_statuses")[request.id])
    assert asked[:7] == [1] * 7
    assert asked[9:] == [0] * 2
