"""A small world that lives through several syncs, and a target that takes them all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Credentials, World
from tap_bitbucket.demo.connection import Connection
from tap_bitbucket.demo.model import PullRequest, Repository, User
from tests.support import Row, Run, api_token_config, merge, run_here, select, tables
from tests.truth import Key, content, missing, truth


class Clock:
    """The wall clock, and hours that pass in no time."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Tell the time of the story."""
        return datetime.now(timezone.utc) + self._ahead

    def later(self, **by: float) -> None:
        """Let time pass."""
        self._ahead += timedelta(**by)


def small_world(clock: Clock) -> World:
    """Make a workspace with two repositories, as it was founded a month ago."""
    clock.later(days=-30)
    world = World(seed="small")
    world.now = clock
    workspace = world.add_workspace(EXAMPLE_WORKSPACE, "Small")
    people = [world.add_user(name, nickname=name) for name in ("ann", "bob", "cem")]
    for person in people:
        world.add_member(workspace, person, "owner" if person is people[0] else "member")
    world.add_project(workspace, "ONE")
    world.add_project(workspace, "TWO")
    for slug in ("api", "web"):
        repo = world.add_repository(workspace, slug, project="ONE")
        world.add_environment(repo, "Production", "Production")
        world.set_default_reviewers(repo, people[0])
    world.credentials = Credentials("id", "secret", people[0].email, "token", "access")
    world.identities.add_api_token(people[0].email, "token", user=people[0])
    clock.later(days=30)
    return world


class Story:
    """A served world, the state of the last sync, and what a target holds by now.

    Attributes:
        target: Streams to rows by key.
    """

    def __init__(
        self, server: BitbucketServer, clock: Clock, catalog: dict[str, Any], **settings: Any
    ) -> None:
        self.server, self.world, self.clock = server, server.world, clock
        self.catalog, self.settings = catalog, settings
        self.state: dict[str, Any] | None = None
        self.target: dict[str, dict[Key, Row]] = tables()

    @property
    def api(self) -> Repository:
        """Return the first repository."""
        return self.world.workspace(EXAMPLE_WORKSPACE).repositories["api"]

    @property
    def web(self) -> Repository:
        """Return the second repository."""
        return self.world.workspace(EXAMPLE_WORKSPACE).repositories["web"]

    def who(self, name: str) -> User:
        """Return a person."""
        return self.world.user(name)

    def sync(self, *streams: str, hours: float = 1, code: int = 0, **settings: Any) -> Run:
        """Sync these streams (all, if none is named), then let an hour pass."""
        self.server.clear_requests()
        run = run_here(
            api_token_config(self.server, **{**self.settings, **settings}),
            state=self.state,
            catalog=select(self.catalog, *streams) if streams else self.catalog,
        )
        assert run.code == code, run.log
        self.state = run.state or self.state
        merge(self.target, run)
        self.clock.later(hours=hours)
        return run

    def asked(self, pattern: str) -> list[str]:
        """Return the requests of the last sync whose line has the pattern."""
        lines = [f"{one.method} {one.url}" for one in self.server.requests]
        return [line for line in lines if re.search(pattern, line)]

    def row(self, stream: str, *key: Any) -> Row:
        """Return what the target holds under a key."""
        return self.target[stream][key]

    def differences(self, stream: str, *, kept: bool = False) -> list[str]:
        """Return how the target differs from the truth; ``kept`` forgives what was deleted."""
        expected, held = truth(self.world, stream), self.target[stream]
        found = [f"{stream} {key} is missing" for key in expected.keys() - held.keys()]
        if not kept:
            found += [f"{stream} {key} should be gone" for key in held.keys() - expected.keys()]
        for key in expected.keys() & held.keys():
            shown = settled(content(held[key], stream), stream)
            whole = settled(expected[key], stream)
            found += [f"{stream} {key}{what}" for what in missing(shown, whole)]
        return found


def settled(row: Row, stream: str) -> Row:
    """Return a row without what changes in Bitbucket while the row itself does not.

    A title or a name in an embedded object, where the object is another stream's row.
    """
    drop = {"pullrequest", "pull_request", "destination_commit", "repository"}
    if stream == "pull_request_activity":
        drop |= {"comment"}
    if stream == "repositories":
        drop |= {"project"}

    def rest(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: rest(inner) for name, inner in value.items() if name not in drop}
        if isinstance(value, list):
            return [rest(inner) for inner in value]
        return value

    settled: Row = rest(row)
    return settled


@contextmanager
def story_of(
    catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Iterator[Story]:
    """Serve a small world whose clock can be moved, Bitbucket's ``Date`` with it."""
    clock = Clock()

    def stamp(self: Connection, timestamp: float | None = None) -> str:  # noqa: ARG001
        return format_datetime(clock(), usegmt=True)

    monkeypatch.setattr(Connection, "date_time_string", stamp)
    with BitbucketServer(small_world(clock)) as server:
        yield Story(server, clock, catalog, **settings)


def open_request(story: Story, repo: Repository | None = None, **more: Any) -> PullRequest:
    """Open a pull request by ann, for bob to review."""
    return story.world.open_pull_request(
        repo or story.api,
        **{"author": story.who("ann"), "reviewers": [story.who("bob")], **more},
    )
