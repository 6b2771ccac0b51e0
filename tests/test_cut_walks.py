"""A walk over new commits that a limit cut: the next run ends it, and reads what came since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chains import stopped
from tests.story import Story, story_of
from tests.support import select


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell of a repository with several pages of commits."""
    with story_of(select(catalog, "repositories", "commits"), monkeypatch) as told:
        told.world.push(told.api, "main", n=250)
        told.clock.later(hours=3)
        yield told


def cut(story: Story, most: int) -> None:
    """Sync with so few requests that the commits are not read to their end."""
    assert stopped(story.sync(max_requests=most, concurrency=1))
    assert "walk" in str(story.state), story.state


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_pushed_after_a_cut(story: Story, known: bool, workers: int) -> None:
    """One run brings the rest and what was pushed since, on a known branch and on a new one."""
    if known:
        story.sync()
        story.world.push(story.api, "main", n=350)
        story.clock.later(hours=1)
    cut(story, 4)
    story.world.push(story.api, "main", n=120)
    story.world.push(story.api, "new", n=3, start="main")
    story.clock.later(hours=1)
    assert not stopped(story.sync(concurrency=workers))
    assert story.differences("commits") == []
    assert len(story.asked("POST .*/commits")) >= 3
    assert not story.sync().rows("commits")
    assert story.asked("/commits") == []


def test_a_run_that_is_cut_in_what_came_since(story: Story) -> None:
    """The rest is not read twice."""
    cut(story, 4)
    story.world.push(story.api, "main", n=350)
    story.clock.later(hours=1)
    cut(story, 6)
    held = len(story.target["commits"])
    assert held > 250
    story.world.push(story.api, "main", n=1)
    story.clock.later(hours=1)
    run = story.sync()
    assert story.differences("commits") == []
    assert len(run.rows("commits")) == len(story.target["commits"]) - held


def test_nothing_came_since(story: Story) -> None:
    """It costs nothing to know: one page was left."""
    cut(story, 4)
    story.sync()
    assert story.differences("commits") == []
    assert len(story.asked("/api/")) == 1
