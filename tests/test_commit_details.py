"""What is said about commits: which commits are asked about, and that nothing said is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.catalogs import only
from tests.commits import BELOW, LATER, WALKS, asked_about, asked_below, lost, say
from tests.story import Story, story_of


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, "commits", *BELOW), monkeypatch) as told:
        yield told


def years_ago(story: Story) -> Any:
    """Return the date of a commit that lay about for long before it was pushed."""
    return story.clock() - timedelta(days=4000)


# -- which commits are new ----------------------------------------------------------------------


def test_the_first_pass_reads_below_each_commit(story: Story) -> None:
    """The first pass holds what is said about each commit, however old, and asks about it once."""
    made = story.world.push(story.api, "main", 120)
    made += story.world.push(story.api, "old-work", 2, date=years_ago(story))
    for commit in made[::9]:
        for stream in LATER:
            say(story, stream, commit)
    story.clock.later(days=3)
    story.sync(*BELOW)
    assert lost(story, *BELOW) == []
    everything = {*made, *story.api.objects, *story.web.objects}
    for stream in set(BELOW) - {"commit_report_annotations"}:
        assert asked_about(story, stream) == dict.fromkeys(everything, 1)


def test_start_date_bounds_the_first_pass(story: Story) -> None:
    """On the first pass commits before ``start_date`` are not asked about; those after it are."""
    old = story.world.push(story.api, "main", 3)
    story.clock.later(days=20)
    start = story.clock().isoformat()
    story.clock.later(days=1)
    new = story.world.push(story.api, "main", 2)
    for commit in (*old, *new):
        say(story, "commit_statuses", commit)
    story.clock.later(hours=1)
    run = story.sync("commit_statuses", "commit_diffstat", start_date=start)
    assert {row["commit_hash"] for row in run.rows("commit_statuses")} == set(new)
    for stream in ("commit_statuses", "commit_diffstat"):
        assert set(asked_about(story, stream)) == set(new)
    late = story.world.push(story.api, "old-work", 2, date=years_ago(story))
    say(story, "commit_statuses", late[0])
    story.clock.later(minutes=10)
    run = story.sync("commit_statuses", "commit_diffstat", start_date=start)
    assert {row["commit_hash"] for row in run.rows("commit_statuses")} == {late[0]}
    assert set(asked_about(story, "commit_diffstat")) == set(late)


def test_a_new_branch_and_an_old_commit(story: Story) -> None:
    """New commits are asked about whatever branch they are on and whatever their date says."""
    story.clock.later(days=3)
    story.sync(*BELOW)
    made = story.world.push(story.api, "feature", 3, date=years_ago(story))
    for stream in LATER:
        say(story, stream, made[1])
    story.clock.later(minutes=10)
    story.sync(*BELOW)
    assert lost(story, *BELOW) == []
    assert set(asked_about(story, "commit_diffstat")) == set(made)


def test_an_empty_repository(story: Story) -> None:
    """A repository without commits costs nothing, and its first push is read whole."""
    new = story.world.add_repository(story.api.workspace, "newborn", project="TWO", empty=True)
    story.clock.later(days=3)
    for _ in range(2):
        story.sync(*BELOW)
        assert not story.asked("/newborn")
    made = story.world.push(new, "main", 3)
    for stream in LATER:
        say(story, stream, made[0], new)
    story.clock.later(minutes=10)
    story.sync(*BELOW)
    assert lost(story, *BELOW) == []
    assert set(asked_about(story, "commit_diffstat")) == set(made)


def test_diffstat_reads_only_new_commits(story: Story) -> None:
    """What a commit changed never changes: each commit is asked about once, not for a while."""
    first = story.world.push(story.api, "main", 4)
    story.clock.later(minutes=10)
    story.sync("commit_diffstat")
    assert set(first) <= set(asked_about(story, "commit_diffstat"))
    story.sync("commit_diffstat")
    assert not story.asked("/diffstat/|/refs|/commits")
    second = story.world.push(story.api, "main", 3)
    story.sync("commit_diffstat")
    assert asked_about(story, "commit_diffstat") == dict.fromkeys(second, 1)
    assert lost(story, "commit_diffstat") == []


# -- what is selected ---------------------------------------------------------------------------


@pytest.mark.parametrize("stream", BELOW)
def test_a_stream_below_commits_alone(story: Story, stream: str) -> None:
    """A stream below commits is complete, and stays so, when nothing else is selected."""
    made = story.world.push(story.api, "main", 3)
    if stream in LATER:
        say(story, stream, made[0])
    story.clock.later(hours=1)
    assert set(story.sync(stream).counts) == {stream}
    assert lost(story, stream) == []
    more = story.world.push(story.api, "side", 2)
    if stream in LATER:
        say(story, stream, more[0])
    story.clock.later(hours=1)
    assert set(story.sync(stream).counts) == {stream}
    assert lost(story, stream) == []
    assert story.sync(stream).counts == {}


def test_a_stream_below_commits_that_is_selected_later(story: Story) -> None:
    """Selected later than the commits it gets the whole history, and no commit comes again."""
    made = story.world.push(story.api, "main", 5)
    for stream in LATER:
        say(story, stream, made[0])
    story.clock.later(days=3)
    story.sync("commits", "commit_statuses")
    more = story.world.push(story.api, "main", 2)
    story.clock.later(days=3)
    run = story.sync("commits", *BELOW)
    assert {row["hash"] for row in run.rows("commits")} == set(more)
    assert lost(story, "commits", *BELOW) == []
    assert {*made, *more} <= set(asked_about(story, "commit_diffstat"))
    assert set(asked_about(story, "commit_statuses")) == set(more)


def test_commits_selected_later(story: Story) -> None:
    """A stream below commits keeps no bookmark for them: selected later, they all come."""
    story.world.push(story.api, "main", 5)
    story.clock.later(days=3)
    story.sync("commit_statuses", "commit_diffstat")
    run = story.sync("commits", "commit_statuses", "commit_diffstat")
    assert run.counts["commits"] == len(story.api.objects) + len(story.web.objects)
    assert not asked_below(story)


@pytest.mark.parametrize("with_commits", [True, False], ids=["with commits", "without"])
def test_one_walk_for_all(story: Story, with_commits: bool) -> None:
    """All streams below commits, and the commits, share one walk over them."""
    chosen = (*(["commits"] if with_commits else []), *BELOW)
    story.world.push(story.api, "main", 150)
    story.clock.later(days=3)
    story.sync(*chosen)
    assert len(story.asked(f"/api{WALKS}")) == 2  # pages of 100
    assert len(story.asked(f"/web{WALKS}")) == 1
    assert len(story.asked("/api/refs")) == 1
    story.clock.later(days=3)
    made = story.world.push(story.api, "main", 2)
    story.clock.later(minutes=10)
    story.sync(*chosen)
    assert len(story.asked("POST .*/api/commits")) == 1
    assert len(story.asked("/api/refs")) == 1
    assert not story.asked("/web/(commits|refs|commit/)")
    for stream in set(BELOW) - {"commit_report_annotations"}:
        assert asked_about(story, stream) == dict.fromkeys(made, 1)


@pytest.mark.parametrize("selected", [True, False], ids=["with reports", "without"])
def test_findings_take_the_reports_that_are_read(story: Story, selected: bool) -> None:
    """Findings need the reports of a commit: asked for once, whether they are selected or not."""
    made = story.world.push(story.api, "main", 4)
    for _ in range(3):
        say(story, "commit_report_annotations", made[1])
    story.clock.later(days=3)
    chosen = ("commit_reports", "commit_report_annotations")
    story.sync(*(chosen if selected else chosen[1:]))
    assert lost(story, "commit_report_annotations") == []
    assert set(asked_about(story, "commit_reports").values()) == {1}
    assert asked_about(story, "commit_report_annotations") == {made[1]: 1}


# -- rewritten history --------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [False, True], ids=["main stays", "main moves"])
def test_a_rewritten_branch_whose_head_is_forgotten(story: Story, moved: bool) -> None:
    """A force-push whose former head Bitbucket forgot brings the new commits, not the history."""
    base = story.world.push(story.api, "main", 30)
    story.world.push(story.api, "feature", 1)
    story.clock.later(days=3)
    story.sync("commit_statuses", "commit_diffstat")
    made = story.world.push(story.api, "main", 1) if moved else []
    made += story.world.force_push(story.api, "feature", 2)
    say(story, "commit_statuses", made[0])
    story.clock.later(hours=1)
    story.sync("commit_statuses", "commit_diffstat")
    assert 404 in {one.status for one in story.server.requests}
    assert lost(story, "commit_statuses", "commit_diffstat", kept=True) == []
    for stream in ("commit_statuses", "commit_diffstat"):
        assert set(made) <= set(asked_about(story, stream))
        assert not set(base) & set(asked_about(story, stream))
    story.sync("commit_statuses", "commit_diffstat")
    assert not set(base) & set(asked_about(story, "commit_statuses"))


def test_a_branch_that_vanishes_while_it_is_read(story: Story) -> None:
    """A branch deleted in mid-run, with its commits, costs neither the others nor the next run."""
    story.clock.later(days=3)
    story.sync(*BELOW)
    story.world.push(story.api, "short-lived", 3)
    made = story.world.push(story.api, "main", 2)
    say(story, "commit_statuses", made[1])

    def vanish() -> None:
        story.world.delete_branch(story.api, "short-lived")
        story.world.collect_garbage(story.api)

    happen(story, r"/commit/\w+/statuses", vanish)
    run = story.sync(*BELOW, concurrency=1)
    assert run.code == 0
    assert "Skipped" not in run.log
    more = story.world.push(story.api, "main", 1)
    say(story, "commit_statuses", more[0])
    story.clock.later(minutes=10)
    story.sync(*BELOW)
    assert lost(story, *BELOW, kept=True) == []


def happen(story: Story, at: str, what: Any) -> None:
    """Let something happen before the first request of a kind is answered."""
    from tap_bitbucket.demo import Fault  # noqa: PLC0415

    story.server.faults.add(Fault(at, action="callback", callback=what))
