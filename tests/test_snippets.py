"""Snippets: the list cannot be filtered, and whether a comment moves a snippet is not known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, Fault
from tap_bitbucket.demo.model import Snippet
from tests.catalogs import only
from tests.commits import lost
from tests.story import Story, story_of

BELOW = ("snippet_comments", "snippet_commits")
ALL = ("snippets", *BELOW)


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, *ALL), monkeypatch) as told:
        yield told


def several(story: Story, count: int = 3) -> list[Snippet]:
    """Add snippets with a comment each."""
    made = []
    for number in range(count):
        made.append(story.world.add_snippet(EXAMPLE_WORKSPACE, f"Hint {number}", story.who("ann")))
        story.world.comment_on_snippet(made[-1], story.who("bob"), "Nice.")
        story.clock.later(minutes=10)
    return made


def test_the_list_is_never_filtered(story: Story) -> None:
    """Bitbucket knows no ``q`` for snippets: none is sent, in first runs and in later ones."""
    several(story)
    for _ in range(3):
        story.sync(*ALL)
        assert story.asked("/snippets/")
        assert not story.asked(r"/snippets/.*[?&](q|sort)=")
    assert {one.status for one in story.server.requests} == {200}
    assert lost(story, *ALL) == []


def test_only_snippets_that_changed_are_written(story: Story) -> None:
    """Of the list, which is read each time, those are written that changed, with their versions."""
    made = several(story)
    story.sync(*ALL)
    assert story.sync(*ALL).counts == {}
    assert not story.asked("/commits")
    story.world.push_snippet(made[1], "Better", story.who("ann"))
    story.world.rename_snippet(made[2], "Another hint")
    story.clock.later(minutes=10)
    run = story.sync(*ALL)
    assert {row["id"] for row in run.rows("snippets")} == {made[1].id, made[2].id}
    assert len(story.asked("/commits")) == 2
    assert made[0].id not in {row["snippet_id"] for row in run.rows("snippet_comments")}
    assert lost(story, *ALL) == []


@pytest.mark.parametrize("touch", [True, False], ids=["moves it", "moves nothing"])
def test_comments_arrive_whether_they_move_the_snippet(story: Story, touch: bool) -> None:
    """New, edited and deleted comments arrive, also where they move nothing in the snippet."""
    made = several(story)
    old = [one.comments[0] for one in made]
    story.sync(*ALL)
    new = story.world.comment_on_snippet(made[0], story.who("cem"), "Hm.", touch=touch)
    story.world.edit_snippet_comment(old[1], "Very nice.")
    story.world.delete_snippet_comment(old[2])
    story.clock.later(minutes=10)
    run = story.sync(*ALL)
    assert {row["id"] for row in run.rows("snippet_comments")} >= {new.id, old[1].id, old[2].id}
    assert story.row("snippet_comments", EXAMPLE_WORKSPACE, made[2].id, old[2].id)["deleted"]
    assert lost(story, *ALL) == []
    assert story.sync(*ALL).counts == {}


@pytest.mark.parametrize("stream", BELOW)
def test_a_stream_below_snippets_alone(story: Story, stream: str) -> None:
    """What lies below snippets is complete, and stays so, when these are not selected."""
    made = several(story)
    assert set(story.sync(stream).counts) == {stream}
    story.world.push_snippet(made[0], "Better")
    story.world.comment_on_snippet(made[1], story.who("cem"), "Hm.", touch=False)
    new = several(story, 1)
    story.clock.later(minutes=10)
    assert set(story.sync(stream).counts) == {stream}
    assert lost(story, stream) == []
    assert any(new[0].id in key for key in story.target[stream])
    assert story.sync(stream).counts == {}


def test_a_snippet_that_is_deleted_in_mid_run(story: Story) -> None:
    """A snippet that was deleted after it was listed (410) has nothing below it; others have."""
    made = several(story)

    def delete() -> None:
        story.world.delete_snippet(made[1])

    fault = Fault(r"/snippets/[^/]+/\w+/comments", action="callback", callback=delete)
    story.server.faults.add(fault)
    run = story.sync(*ALL, concurrency=1)
    assert 410 in {one.status for one in story.server.requests}
    assert "Skipped" not in run.log
    assert lost(story, *BELOW, kept=True) == []
    assert {row["snippet_id"] for row in run.rows("snippet_commits")} >= {made[0].id, made[2].id}


def test_a_snippet_that_is_deleted(story: Story) -> None:
    """A snippet that is no longer listed goes from the table with the next whole pass."""
    made = several(story)
    story.sync(*ALL, reconcile_every=0)
    story.world.delete_snippet(made[1])
    run = story.sync(*ALL, reconcile_every=0)
    assert "snippets" in run.activated
    assert lost(story, "snippets") == []
    assert not story.asked(made[1].id)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_workspace_that_is_lost_in_mid_run(story: Story, status: int) -> None:
    """When the workspace is lost in mid-run, what lies below snippets is skipped, not empty."""
    several(story, 4)
    lose = Fault(r"/snippets/[^/]+/\w+/", after=1, action="callback",
                 callback=lambda: story.world.forbid(story.world.workspace(EXAMPLE_WORKSPACE),
                                                     status))  # fmt: skip
    story.server.faults.add(lose)
    run = story.sync(*ALL, concurrency=1)
    assert f"Skipped snippet_comments of {EXAMPLE_WORKSPACE}" in run.log
    story.world.allow(EXAMPLE_WORKSPACE)
    story.server.faults.clear()
    story.sync(*ALL)
    assert lost(story, *ALL) == []
