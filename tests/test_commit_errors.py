"""What cannot be read below commits: one commit is left out, or the repository is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.catalogs import only
from tests.commits import BELOW, LATER, asked_about, lost, say
from tests.story import Story, story_of


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, in which nobody waits before asking again."""
    monkeypatch.setattr("backoff._sync.time.sleep", lambda _: None)
    with story_of(only(catalog, "commits", *BELOW), monkeypatch) as told:
        yield told


def break_off(story: Story, commits: list[str], status: int, **more: Any) -> None:
    """Let Bitbucket refuse what these commits changed."""
    for commit in commits:
        fault = Fault(f"/diffstat/{commit}", status=status, times=None, **more)
        story.server.faults.add(fault)


# -- a commit that cannot be read ---------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 410, 555])
def test_one_diffstat_that_bitbucket_does_not_make(story: Story, status: int) -> None:
    """A diffstat that cannot be made leaves out its commit, no other, and is no failure."""
    made = story.world.push(story.api, "main", 6)
    break_off(story, made[2:4], status, body='{"error": {"message": "no common ancestor"}}')
    run = story.sync("commit_diffstat")
    assert "Skipped" not in run.log
    written = {row["commit_hash"] for row in run.rows("commit_diffstat")}
    assert written == {*story.api.objects, *story.web.objects} - set(made[2:4])
    story.server.faults.clear()
    assert story.sync("commit_diffstat").counts == {}
    assert not story.asked("/diffstat/")


def test_how_often_a_slow_diffstat_is_asked_for(story: Story) -> None:
    """What takes Bitbucket too long (555) is asked for three times, whatever retries are set."""
    made = story.world.push(story.api, "main", 3)
    break_off(story, made[:1], 555)
    run = story.sync("commit_diffstat", max_retries=8)
    assert asked_about(story, "commit_diffstat")[made[0]] == 3
    assert made[0] in run.log
    assert "555" in run.log


@pytest.mark.parametrize("retries", [0, 2])
def test_slow_diffstats_are_no_outage(story: Story, retries: int) -> None:
    """Many in a row that take too long leave out themselves; the run goes on to its end."""
    made = story.world.push(story.api, "main", 12)
    after = story.world.push(story.web, "main", 2)
    break_off(story, made[:11], 555)
    run = story.sync("commits", "commit_diffstat", concurrency=1, max_retries=retries)
    assert run.counts["commits"] == len(story.api.objects) + len(story.web.objects)
    written = {row["commit_hash"] for row in run.rows("commit_diffstat")}
    assert {made[11], *after} <= written
    assert written.isdisjoint(made[:11])
    assert "Skipped" not in run.log


def test_a_diffstat_that_is_slow_once(story: Story) -> None:
    """A diffstat that takes too long the first time, and not the second, is complete."""
    made = story.world.push(story.api, "main", 2)
    story.server.faults.add(Fault(f"/diffstat/{made[0]}", status=555, times=2))
    story.sync("commit_diffstat")
    assert lost(story, "commit_diffstat") == []


@pytest.mark.parametrize("stream", LATER)
def test_a_commit_that_bitbucket_forgot(story: Story, stream: str) -> None:
    """A commit that is forgotten after it was listed has nothing below it, and costs no other."""
    made = story.world.push(story.api, "main", 3)
    for commit in made:
        say(story, stream, commit)
    kind = stream.removeprefix("commit_").replace("report_annotations", "reports")
    gone = Fault(f"/commit/{made[1]}/{kind}", status=404, times=None)
    story.server.faults.add(gone)
    story.clock.later(hours=1)
    run = story.sync(stream)
    assert "Skipped" not in run.log
    assert {row["commit_hash"] for row in run.rows(stream)} == {made[0], made[2]}
    questions = story.asked(r"/repositories/halley-labs/api\?")
    assert len(questions) <= 2, "whether the repository is there is asked at first and at last"


# -- a repository that can no longer be read ----------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 410])
@pytest.mark.parametrize("stream", BELOW)
def test_access_that_is_lost_in_mid_run(story: Story, stream: str, status: int) -> None:
    """When access is lost in mid-run the repository is skipped: nothing counts as read."""
    story.clock.later(days=3)
    story.sync(stream)
    before = story.state
    made = story.world.push(story.api, "main", 6)
    for commit in made if stream in LATER else ():
        say(story, stream, commit)
    more = story.world.push(story.web, "main", 1)
    story.clock.later(hours=1)
    losing(story, r"/api/(commit|diffstat)/", 2, status)
    run = story.sync(stream, concurrency=1)
    assert f"Skipped {stream} of halley-labs/api" in run.log
    assert bookmark(story.state, stream, story.api.uuid) == bookmark(before, stream, story.api.uuid)
    assert bookmark(story.state, stream, story.web.uuid) != bookmark(before, stream, story.web.uuid)
    if stream == "commit_diffstat":
        assert more[0] in {row["commit_hash"] for row in run.rows(stream)}
    story.world.allow(story.api)
    story.server.faults.clear()
    story.sync(stream)
    assert lost(story, stream) == []


@pytest.mark.parametrize("missed", [1, 12])
def test_access_that_is_lost_after_commits_were_forgotten(story: Story, missed: int) -> None:
    """That the repository was there when a commit was missed proves nothing for later misses."""
    story.sync("commit_diffstat")
    made = story.world.push(story.api, "main", 20)
    break_off(story, made[:missed], 404)
    losing(story, "/api/diffstat/", 2, 404)
    run = story.sync("commit_diffstat", concurrency=1)
    assert [one.status for one in story.server.requests].count(404) > missed, "and those after"
    assert "Skipped commit_diffstat of halley-labs/api" in run.log
    story.world.allow(story.api)
    story.server.faults.clear()
    story.sync("commit_diffstat")
    assert lost(story, "commit_diffstat") == []


def test_access_that_is_lost_between_two_streams(story: Story) -> None:
    """A stream that was read before access was lost keeps what it read; the others are skipped."""
    story.clock.later(days=3)
    story.sync("commits", *BELOW)
    made = story.world.push(story.api, "main", 3)
    for commit in made:
        for stream in LATER:
            say(story, stream, commit)
    story.clock.later(hours=1)
    losing(story, r"/api/commit/\w+/comments", 1, 404)
    run = story.sync("commits", *BELOW, concurrency=1)
    assert run.counts["commit_statuses"] == 3
    for stream in ("commit_comments", "commit_reports", "commit_report_annotations"):
        assert f"Skipped {stream} of halley-labs/api" in run.log
    assert "Skipped commit_statuses" not in run.log
    story.world.allow(story.api)
    story.server.faults.clear()
    story.sync("commits", *BELOW)
    assert lost(story, "commits", *BELOW) == []


@pytest.mark.parametrize("limit", [18, 20, 22, 34, 36])
def test_access_that_is_lost_before_a_run_is_cut(story: Story, limit: int) -> None:
    """What answers 404 in a run that is cut is not done, if it is not sure that it is missing."""
    story.sync("commit_diffstat")
    made = story.world.push(story.api, "main", 30)
    break_off(story, made[:12], 404)
    losing(story, "/api/diffstat/", 2, 404)
    story.sync("commit_diffstat", concurrency=1, max_requests=limit)
    story.world.allow(story.api)
    story.server.faults.clear()
    story.sync("commit_diffstat")
    assert [one for one in lost(story, "commit_diffstat") if not named(one, made[:12])] == []


def named(difference: str, commits: list[str]) -> bool:
    """Whether a difference is about one of these."""
    return any(commit in difference for commit in commits)


def losing(story: Story, at: str, after: int, status: int) -> None:
    """Refuse the repository after so many requests of a kind."""
    lose: Callable[[], None] = lambda: story.world.forbid(story.api, status)  # noqa: E731
    story.server.faults.add(Fault(at, after=after, action="callback", callback=lose))


def bookmark(state: dict[str, Any] | None, stream: str, uuid: str) -> dict[str, Any]:
    """Return what a state holds about a repository."""
    assert state is not None
    partitions = state["bookmarks"].get(stream, {}).get("partitions", [])
    found = [one for one in partitions if one["context"] == {"repository_uuid": uuid}]
    return dict(found[0]) if found else {}


# -- pages --------------------------------------------------------------------------------------


def test_a_page_that_is_too_long(story: Story) -> None:
    """Where Bitbucket takes no such long page, a shorter one is asked for, once found out."""
    made = story.world.push(story.api, "main", 8)
    refuse_pages(story, r"/diffstat/.*pagelen=(5000|500)\b")
    story.sync("commit_diffstat", concurrency=1)
    assert lost(story, "commit_diffstat") == []
    assert len(story.asked("/diffstat/.*pagelen=5000")) == 1
    assert len(story.asked("/diffstat/.*pagelen=500(&|$)")) == 1
    assert set(made) <= set(asked_about(story, "commit_diffstat"))


def refuse_pages(story: Story, match: str) -> None:
    """Answer as Bitbucket does when a page is too long."""
    body = '{"type": "error", "error": {"message": "Invalid pagelen"}}'
    story.server.faults.add(Fault(match, status=400, body=body, times=None))
