"""How long a commit is asked about again after it was new: a day, and until its builds end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.catalogs import only
from tests.commits import BELOW, LATER, asked_about, asked_below, lost, say
from tests.story import Story, story_of


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, "commits", *BELOW), monkeypatch) as told:
        yield told


def pushed(story: Story, *, first: bool, age: timedelta = timedelta()) -> str:
    """Push a commit with an author's date so long ago, and read it by the first or a later run."""
    if not first:
        story.sync(*LATER, hours=30)
    commit: str = story.world.push(story.api, "main", 1, date=story.clock() - age)[0]
    story.clock.later(minutes=10)
    story.sync(*LATER)
    return commit


YEARS = timedelta(days=4000)


# -- within a day -------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [timedelta(), YEARS], ids=["today's date", "date of long ago"])
@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
def test_what_is_said_after_a_commit_was_read(story: Story, first: bool, age: timedelta) -> None:
    """What is said within a day arrives with the next run, though nothing tells of it.

    Neither the commit nor the repository moves by it, and the commit's date may be of long ago.
    """
    commit = pushed(story, first=first, age=age)
    for hours in (1, 20):
        for stream in LATER:
            say(story, stream, commit)
        story.clock.later(minutes=10)
        story.sync(*LATER, hours=hours)
        assert lost(story, *LATER) == []


def test_what_changes_after_it_was_read(story: Story) -> None:
    """A build that ends, an edited and a deleted comment, and a report that is replaced arrive."""
    world, repo = story.world, story.api
    commit = world.push(repo, "main", 1)[0]
    world.add_status(repo, commit, "build", "INPROGRESS")
    edited = world.comment_on_commit(repo, commit, story.who("bob"), "Frist")
    deleted = world.comment_on_commit(repo, commit, story.who("bob"), "Oops")
    world.add_report(repo, commit, "scan", "A scan", result="PENDING")
    story.clock.later(minutes=10)
    story.sync(*LATER)
    world.add_status(repo, commit, "build", "FAILED")
    world.edit_comment(edited, "First")
    world.delete_comment(deleted)
    world.add_report(repo, commit, "scan", "A scan", result="PASSED")
    story.clock.later(minutes=10)
    story.sync(*LATER)
    assert story.row("commit_statuses", repo.uuid, commit, "build")["state"] == "FAILED"
    assert story.row("commit_comments", repo.uuid, edited.id)["content"]["raw"] == "First"
    assert story.row("commit_comments", repo.uuid, deleted.id)["deleted"] is True
    assert [row["result"] for row in story.target["commit_reports"].values()] == ["PASSED"]
    assert lost(story, *LATER) == []


def test_what_did_not_change_is_not_written_again(story: Story) -> None:
    """Of a commit that is asked about again those rows are written that were updated."""
    commit = story.world.push(story.api, "main", 1)[0]
    for stream in LATER:
        say(story, stream, commit)
    for key in ("lint", "deploy"):
        story.world.add_status(story.api, commit, key)
    story.clock.later(minutes=10)
    story.sync(*LATER)
    assert story.sync(*LATER).counts == {}
    assert asked_about(story, "commit_statuses")[commit] == 1
    story.world.add_status(story.api, commit, "lint", "FAILED")
    story.clock.later(minutes=10)
    run = story.sync(*LATER)
    assert dict(run.counts) == {"commit_statuses": 1}
    assert run.rows("commit_statuses")[0]["key"] == "lint"


def test_a_running_build_writes_no_other_row_again(story: Story) -> None:
    """While one build of a commit is running, the others of it are not written each time."""
    commit = story.world.push(story.api, "main", 1)[0]
    for key in ("lint", "test", "docs"):
        story.world.add_status(story.api, commit, key)
    story.world.add_status(story.api, commit, "deploy", "INPROGRESS")
    story.clock.later(minutes=10)
    story.sync("commit_statuses")
    run = story.sync("commit_statuses")
    assert {row["key"] for row in run.rows("commit_statuses")} <= {"deploy"}


def test_a_comment_that_nobody_else_sees(story: Story) -> None:
    """A draft of the caller's own is never written."""
    commit = story.world.push(story.api, "main", 1)[0]
    story.world.comment_on_commit(story.api, commit, story.who("bob"), "Said")
    story.world.comment_on_commit(story.api, commit, story.who("ann"), "Draft")

    def draft(page: dict[str, Any]) -> dict[str, Any]:
        for row in page["values"]:
            row["pending"] = row["content"]["raw"] == "Draft"
        return page

    story.server.faults.add(Fault(r"/commit/\w+/comments", action="edit", edit=draft, times=None))
    for _ in range(2):
        story.clock.later(minutes=10)
        run = story.sync("commit_comments")
        assert "Draft" not in "".join(run.lines)
    assert [row["content"]["raw"] for row in story.target["commit_comments"].values()] == ["Said"]


@pytest.mark.parametrize("day", ["first day", "later"])
def test_a_run_that_waits_in_the_middle(story: Story, day: str) -> None:
    """Wherever a run waits for an hour, what is said meanwhile is in this run or in the next."""
    repo, turn = story.api, 0
    chosen = ("commit_statuses", "commit_reports", "commit_report_annotations")
    if day == "later":
        story.sync(*chosen, hours=30)
    while True:
        start = story.clock().isoformat()
        if day == "first day":
            story.state = None
        commit = story.world.push(repo, "main", 1)[0]
        story.world.add_status(repo, commit, "slow", "INPROGRESS")
        story.clock.later(minutes=10)
        story.sync(*chosen, start_date=start)
        other = story.world.push(repo, "side", 1, date=story.clock() - YEARS)[0]
        story.world.add_status(repo, other, "slow", "INPROGRESS")
        story.clock.later(minutes=10)
        story.sync(*chosen)
        fault = happen_at(story, turn, lambda: meanwhile(story, commit, other))  # noqa: B023
        story.sync(*chosen, concurrency=1)
        if fault.times:
            break  # the run has no further requests
        story.sync(*chosen, hours=18)
        assert lost(story, *chosen) == [], turn
        turn += 1
    assert turn > 5


def meanwhile(story: Story, *commits: str) -> None:
    """Let something be said of each commit, and let an hour pass."""
    for commit in commits:
        story.world.add_status(story.api, commit, "slow", "SUCCESSFUL")
        for stream in LATER:
            say(story, stream, commit)
    story.clock.later(hours=1)


def happen_at(story: Story, turn: int, what: Callable[[], object]) -> Fault:
    """Let something happen at a request of the next run."""
    story.server.faults.clear()
    fault = Fault("/api/", after=turn, action="callback", callback=what)
    return story.server.faults.add(fault)


def test_a_repository_that_is_described_anew(story: Story) -> None:
    """A change of the repository that brings no commit lets no row come twice."""
    commit = story.world.push(story.api, "main", 1)[0]
    story.clock.later(minutes=10)
    story.sync(*LATER)
    for stream in LATER:
        say(story, stream, commit)
    story.world.update_repository(story.api, "Described anew")
    story.clock.later(minutes=10)
    assert set(story.sync(*LATER).counts) == set(LATER)
    assert story.sync(*LATER).counts == {}


# -- after a day --------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [timedelta(), YEARS], ids=["today's date", "date of long ago"])
@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
def test_a_commit_is_given_up_after_a_day(story: Story, first: bool, age: timedelta) -> None:
    """Runs every six hours ask about a commit for a day, and from the second day on no more."""
    commit = pushed(story, first=first, age=age)
    asked = []
    for _ in range(14):
        story.sync(*LATER, hours=6)
        asked.append(asked_about(story, "commit_statuses")[commit])
    assert set(asked) == {0, 1}
    assert asked[9:] == [0] * 5
    assert not asked_below(story)
    assert not story.asked("/commits|/refs")


@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
def test_nobody_ran_it_for_two_days(story: Story, first: bool) -> None:
    """After two days without a run an idle repository costs nothing, nor an hour later."""
    pushed(story, first=first)
    story.clock.later(days=2)
    for _ in range(2):
        story.sync(*LATER)
        assert not asked_below(story)
        assert not story.asked("/commits|/refs")


def test_only_what_is_new_is_asked_about_again(story: Story) -> None:
    """In a repository that people push to, a run asks about the commits of a day or two."""
    old = story.world.push(story.api, "main", 50)
    story.clock.later(days=3)
    story.sync("commit_statuses")
    days = []
    for _ in range(5):
        days.append(story.world.push(story.api, "main", 2, date=story.clock() - YEARS))
        story.clock.later(hours=1)
        story.sync("commit_statuses", hours=11)
        story.sync("commit_statuses", hours=12)
        assert set(days[-1]) <= set(asked_about(story, "commit_statuses"))
        long_ago = {*old, *(commit for day in days[:-3] for commit in day)}
        assert not long_ago & set(asked_about(story, "commit_statuses"))


# -- builds that are running --------------------------------------------------------------------


def test_a_build_is_followed_until_it_ends(story: Story) -> None:
    """A build that is running is asked for again, after the day too, until it has ended."""
    commit = story.world.push(story.api, "main", 1)[0]
    story.world.add_status(story.api, commit, "slow", "INPROGRESS")
    story.clock.later(minutes=10)
    story.sync("commit_statuses")
    for _ in range(4):
        story.clock.later(days=1)
        story.sync("commit_statuses")
        assert asked_about(story, "commit_statuses") == {commit: 1}
    story.world.add_status(story.api, commit, "slow", "SUCCESSFUL")
    story.clock.later(minutes=10)
    story.sync("commit_statuses")
    assert story.row("commit_statuses", story.api.uuid, commit, "slow")["state"] == "SUCCESSFUL"
    assert lost(story, "commit_statuses") == []
    story.sync("commit_statuses")
    assert not asked_below(story)


def test_a_build_that_never_ends_is_given_up(story: Story) -> None:
    """A build that has said for seven days that it is running is waited for no longer."""
    commit = story.world.push(story.api, "main", 1)[0]
    story.world.add_status(story.api, commit, "lost", "INPROGRESS")
    story.clock.later(minutes=10)
    asked = []
    for _ in range(11):
        story.sync("commit_statuses", hours=24)
        asked.append(asked_about(story, "commit_statuses")[commit])
    assert asked[:7] == [1] * 7
    assert asked[9:] == [0] * 2


def test_a_running_build_of_a_commit_that_is_gone(story: Story) -> None:
    """A build on a commit that Bitbucket forgot is waited for no longer."""
    commit = story.world.push(story.api, "feature", 1)[0]
    story.world.add_status(story.api, commit, "slow", "INPROGRESS")
    story.clock.later(minutes=10)
    story.sync("commit_statuses", hours=50)
    story.world.force_push(story.api, "feature", 1)
    run = story.sync("commit_statuses", hours=50)
    assert "Skipped" not in run.log
    story.sync("commit_statuses")
    story.sync("commit_statuses")
    assert commit not in asked_about(story, "commit_statuses")


# -- lookback -----------------------------------------------------------------------------------


def test_lookback_widens_the_day(story: Story) -> None:
    """``lookback`` makes it longer, for the stream that it names."""
    both = ("commit_statuses", "commit_comments")
    settings: dict[str, Any] = {"lookback": {"commit_statuses": 5 * 86_400}}
    story.sync(*both, **settings)
    commit = story.world.push(story.api, "main", 1, date=story.clock() - YEARS)[0]
    story.clock.later(minutes=10)
    for _ in range(4):
        story.sync(*both, hours=24, **settings)
    for stream in both:
        say(story, stream, commit)
    story.clock.later(minutes=10)
    run = story.sync(*both, **settings)
    assert dict(run.counts) == {"commit_statuses": 1}
    assert commit not in asked_about(story, "commit_comments")
    for _ in range(11):
        story.sync("commit_statuses", hours=24, **settings)
    assert not asked_below(story)
