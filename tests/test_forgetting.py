"""The state forgets repositories that are gone, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.story import Story, open_request, story_of
from tests.support import select

STREAMS = ("repositories", "branches", "commits", "pull_requests", "pull_request_comments")


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell of two repositories of which one is deleted after a sync."""
    with story_of(select(catalog, *STREAMS), monkeypatch) as told:
        for repo in (told.api, told.web):
            told.world.push(repo, "main", 3)
            told.world.comment(open_request(told, repo), told.who("bob"), "Hm.")
        told.clock.later(hours=1)
        yield told


def about(story: Story, uuid: str) -> int:
    """Return how often a state names a repository."""
    return json.dumps(story.state).count(uuid)


def test_a_deleted_repository_is_forgotten(story: Story) -> None:
    """After the next whole pass the state has nothing of it, and all of the others."""
    web, api = story.web.uuid, story.api.uuid
    story.sync()
    before = about(story, api)
    assert about(story, web) == before > 3
    story.world.delete_repository(story.web)
    story.sync()
    assert about(story, web) == before, "it was no whole pass"
    story.sync(reconcile_every=0)
    assert about(story, web) == 0
    assert about(story, api) == before
    assert not story.sync().counts["commits"]


@pytest.mark.parametrize(
    "settings",
    [
        {"repositories": ["*/api"]},
        {"exclude_repositories": ["*/web"]},
        {"projects": ["TWO"]},
        {"repository_query": 'slug="api"'},
        {"shard": "0/7"},
    ],
    ids=str,
)
def test_what_is_left_out_is_not_forgotten(story: Story, settings: dict[str, Any]) -> None:
    """A filter that was set for a while costs no bookmark."""
    story.sync()
    web, api = about(story, story.web.uuid), about(story, story.api.uuid)
    story.sync(reconcile_every=0, **settings)
    assert (about(story, story.web.uuid), about(story, story.api.uuid)) == (web, api)
    assert not story.sync().counts["commits"]


def test_a_list_that_cannot_be_read_forgets_nothing(story: Story) -> None:
    """Neither does a run that a limit ended."""
    story.sync()
    web = about(story, story.web.uuid)
    story.world.delete_repository(story.web)
    story.server.faults.add(Fault(r"/repositories/[^/]*\?", status=403))
    story.sync(reconcile_every=0, code=1)
    assert about(story, story.api.uuid) == web
    story.sync(reconcile_every=0, max_requests=4)
    assert about(story, story.api.uuid) >= web
