"""A random history: the world changes, syncs run, are cut, fail and are killed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import Fault
from tests.catalogs import only
from tests.chains import stopped
from tests.furniture import KEPT, SOMETIMES
from tests.model.changes import Actors, Change
from tests.model.code import Coders
from tests.model.delivery import Machines
from tests.model.places import Owners
from tests.model.promises import Promises
from tests.model.reviews import Reviewers
from tests.model.target import Witness, held_wrongly
from tests.model.themes import EVERYTHING, Theme
from tests.story import Story, story_of
from tests.support import Run, api_token_config, merge, run_here

FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "503": {"status": 503, "body": "<html>"},
    "403": {"status": 403},
    "reset": {"action": "reset"},
    "reset after the headers": {"action": "reset_after_headers"},
    "cut short": {"action": "truncate"},
    "no page": {"status": 200, "body": "<html>"},
}


class Everybody(Coders, Reviewers, Machines, Owners):
    """All who change something."""


@dataclass(frozen=True)
class Way:
    """How a sync is run.

    Attributes:
        limit: ``max_requests``, if it is limited.
        workers: ``concurrency``.
        whole: Whether everything is read, to tell deletions.
        killed: After which share of its messages it is killed, in thousandths.
        back: How many STATEs before the last one the next sync begins from, then.
    """

    limit: int | None = None
    workers: int = 1
    whole: bool = False
    killed: int | None = None
    back: int = 0


@dataclass(frozen=True)
class Event:
    """What happens while a sync reads, and how long the sync waits there for its next answer."""

    place: str
    after: int
    changes: tuple[Change, ...]
    seconds: int = 0


def _event(theme: Theme) -> st.SearchStrategy[Event]:
    changes = st.lists(theme.changes, min_size=1, max_size=3).map(tuple)
    seconds = st.sampled_from((0, 0, 400, 4000))
    return st.builds(
        lambda moment, changes, seconds: Event(moment[0], moment[1], changes, seconds),
        theme.moments,
        changes,
        seconds,
    )


def _of_theme(
    make: Callable[[Theme], st.SearchStrategy[Any]],
) -> st.SearchStrategy[Any]:
    """Return a strategy that depends on what the history is about."""
    return st.runner().flatmap(lambda history: make(history.theme))


WAY = st.builds(Way, workers=st.sampled_from((1, 1, 8)), whole=st.booleans())
LIMIT = st.integers(10, 50)
CHANGES = _of_theme(lambda theme: st.lists(theme.changes, min_size=2, max_size=8))
PAUSE = st.sampled_from((0, 1, 310, 3600))


class History(RuleBasedStateMachine):
    """What happens, one thing after the other; in the end nothing is lost and nothing left over.

    Attributes:
        catalog: All streams that may be selected.
        theme: What it is about.
        syncs: How many syncs all histories had.
    """

    catalog: dict[str, Any]
    theme: Theme = EVERYTHING
    syncs = 0

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        patch = self.patch = self.open.enter_context(pytest.MonkeyPatch.context())
        # A STATE wherever there may be one, so that a kill may come after any of them.
        patch.setattr("tap_bitbucket.state.SECONDS_BETWEEN_STATES", 0.0)
        patch.setattr("tap_bitbucket.state._SHARE", 0)
        patch.setattr("tap_bitbucket.driver._ROWS_BETWEEN_STATES", 7)
        story = story_of(self.catalog, patch, max_retries=0, fail_on_skipped=True)
        self.story: Story = self.open.enter_context(story)
        self.going = False

    @initialize(
        streams=_of_theme(lambda theme: theme.choices),
        page=st.sampled_from((2, 3, 5, 20)),
    )
    def begin(self, streams: tuple[str, ...], page: int) -> None:
        """Let the first things happen; pages have so many rows."""
        story, world = self.story, self.story.world
        self.streams, self.page = streams, page
        story.catalog = only(self.catalog, *streams)
        for stream in REGISTRY.values():
            if stream.pagelen > page:
                self.patch.setattr(stream, "pagelen", page)
        world.add_group(story.api.workspace, "developers")
        if self.theme.workspaces > 1:
            second = world.add_workspace("second", "Second")
            world.add_member(second, story.who("ann"), "owner")
            world.add_project(second, "P")
        story.settings["workspaces"] = list(world.workspaces)
        self.promises = Promises(world, story.clock)
        self.witness = Witness(story, streams)
        self.actors: Actors = Everybody(story, self.promises)
        story.clock.later(hours=1)
        self.change(self.theme.beginnings, 600)
        self.going = True

    @rule(
        changes=CHANGES,
        seconds=st.sampled_from((0, 1, 100, 290, 310, 3600, 70_000, 100_000)),
    )
    def change(self, changes: list[Change], seconds: int) -> None:
        """Let things happen, and time pass."""
        for change in changes:
            self.actors.do(change)
        self.story.clock.later(seconds=seconds)

    @rule(changes=CHANGES, way=WAY, pause=PAUSE)
    def sync(self, changes: list[Change], way: Way, pause: int) -> None:
        """Sync, while nothing else happens: then all is there."""
        self.change(changes, 0)
        fresh = "resume" not in (self.story.state or {})
        quiet = not any(repo.refused for repo in self.story.world.repositories())
        self.promises.begins(self.page)
        run = self._run(way, {0} if quiet else {0, 1, 3})
        assert not stopped(run)
        if fresh and run.code != 1:
            self.promises.kept()
        if fresh and quiet:
            self._check(KEPT if way.whole else KEPT | SOMETIMES)
        self.story.clock.later(seconds=pause)

    @rule(changes=CHANGES, way=WAY, limit=LIMIT, pause=PAUSE)
    def sync_in_part(self, changes: list[Change], way: Way, limit: int, pause: int) -> None:
        """Sync with a limit of requests."""
        self.change(changes, 0)
        self._run(replace(way, limit=limit), {0, 1, 3})
        self.story.clock.later(seconds=pause)

    @rule(
        changes=CHANGES,
        way=WAY,
        killed=st.integers(0, 1000),
        back=st.integers(0, 2),
        pause=PAUSE,
    )
    def sync_that_is_killed(
        self, changes: list[Change], way: Way, killed: int, back: int, pause: int
    ) -> None:
        """Sync, and be killed; what the target saved of the STATEs may be older than its rows."""
        self.change(changes, 0)
        self._run(replace(way, killed=killed, back=back), {0, 1, 3})
        self.story.clock.later(seconds=pause)

    @rule(
        way=WAY,
        moment=_of_theme(lambda theme: theme.moments),
        fault=st.sampled_from(sorted(FAULTS)),
        pause=PAUSE,
    )
    def sync_that_fails(self, way: Way, moment: tuple[str, int], fault: str, pause: int) -> None:
        """Sync, while a request goes wrong."""
        place, after = moment
        self.story.server.faults.add(Fault(place, after=after, **FAULTS[fault]))
        self._run(way, {0, 1, 3})
        self.story.clock.later(seconds=pause)

    @rule(
        way=WAY,
        limit=st.none() | LIMIT,
        events=_of_theme(lambda theme: st.lists(_event(theme), min_size=1, max_size=3)),
        pause=PAUSE,
    )
    def sync_meanwhile(self, way: Way, limit: int | None, events: list[Event], pause: int) -> None:
        """Sync, while the world goes on."""
        for event in events:
            happens = self._happens(event)
            fault = Fault(event.place, after=event.after, action="callback", callback=happens)
            self.story.server.faults.add(fault)
        self._run(replace(way, limit=limit), {0, 1, 3})
        self.story.clock.later(seconds=pause)

    def _happens(self, event: Event) -> Callable[[], None]:
        def happen() -> None:
            self.actors.all_of(event.changes)
            self.story.clock.later(seconds=event.seconds)

        return happen

    def _run(self, way: Way, codes: set[int]) -> Run:
        """Sync once; the target takes what the sync wrote, until it was killed."""
        story = self.story
        type(self).syncs += 1
        self.going = False
        settings: dict[str, Any] = {**story.settings, "concurrency": way.workers}
        if way.limit is not None:
            settings["max_requests"] = way.limit
        if way.whole:
            settings["reconcile_every"] = 0
        config = api_token_config(story.server, **settings)
        story.server.clear_requests()
        self.witness.looks()
        run = run_here(config, state=story.state, catalog=story.catalog)
        story.server.faults.clear()
        assert not self.actors.failed, self.actors.failed
        assert run.code in codes, run.log
        if way.killed is not None:
            run = Run(run.code, run.lines[: len(run.lines) * way.killed // 1000], run.log)
        states = [one["value"] for one in run.messages if one["type"] == "STATE"]
        states = states[: max(0, len(states) - way.back)]
        story.state = states[-1] if states else story.state
        merge(story.target, run)
        vanished = self.witness.misses()
        assert not vanished, "\n".join(vanished)
        self.going = True
        return run

    def _check(self, kept: set[str]) -> None:
        self.going = False
        wrong = held_wrongly(self.story, self.streams, kept, self.promises)
        assert not wrong, "\n".join(wrong)
        self.going = True

    def teardown(self) -> None:
        """Let the last clean sync make all good."""
        try:
            if self.going:
                self._settle()
        finally:
            self.open.close()

    def _settle(self) -> None:
        for repo in self.story.world.repositories():
            self.story.world.allow(repo)
        self.story.clock.later(minutes=10)
        state = self.story.state or {}
        if "resume" in state or "before_cut" in str(state):
            # What came while a chain was under way, in what it had read, comes with the run after.
            self.promises.begins(self.page)
            assert not stopped(self._run(Way(), {0}))
        self.promises.begins(self.page)
        assert not stopped(self._run(Way(whole=True), {0}))
        self._check(KEPT)
