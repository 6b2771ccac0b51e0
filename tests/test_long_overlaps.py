"""More entries within the overlap of two passes than one run may read, as after an import."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.chains import stopped
from tests.story import Story, open_request, story_of
from tests.support import select

STREAMS = ("repositories", "pull_requests", "pull_request_activity")


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell of 170 pull requests with two entries each, that came within five minutes."""
    with story_of(select(catalog, *STREAMS), monkeypatch) as told:
        told.world.push(told.api, "main", 2)
        for _ in range(170):
            told.world.comment(open_request(told), told.who("bob"), "Now.")
            told.clock.later(seconds=1)
        told.clock.later(minutes=10)
        yield told


def until_done(story: Story, most: int) -> int:
    """Run with so many requests until one ends by itself; return how many runs that took."""
    for number in range(1, 30):
        if not stopped(story.sync(hours=0, max_requests=most)):
            return number
    message = "the chain does not end"
    raise AssertionError(message)


def test_a_chain_ends_and_holds_all(story: Story) -> None:
    """Each run comes further down, although all of it is within the overlap."""
    assert until_done(story, 8) > 2
    assert story.differences("pull_request_activity") == []
    until_done(story, 8)
    assert story.differences("pull_request_activity") == []


def test_what_shows_late(story: Story) -> None:
    """An entry that comes to stand amid those that are read already is found by the next round."""
    assert stopped(story.sync(hours=0, max_requests=12))
    first = next(iter(story.api.pull_requests.values()))
    story.world.approve(first, story.who("cem"))
    newest = max(entry.date for entry in story.api.activity if entry.kind != "approval")
    (late,) = (entry for entry in story.api.activity if entry.kind == "approval")
    late.date = newest - timedelta(seconds=110)
    story.api.activity.sort(key=lambda entry: entry.date)
    story.world.comment(first, story.who("bob"), "Later.")
    story.clock.later(minutes=1)
    until_done(story, 12)
    story.clock.later(minutes=10)
    until_done(story, 12)
    assert story.differences("pull_request_activity") == []
