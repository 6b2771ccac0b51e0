"""A world that stands still while runs with faults begin at the same place, again and again."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import backoff
import pytest

from tap_bitbucket.auth import token_endpoint
from tap_bitbucket.http import answers, identities
from tap_bitbucket.http.budget import Budget
from tests.furniture import KEPT
from tests.story import Story
from tests.support import Run, api_token_config, merge, run_here
from tests.truth import STREAMS, Key, truth

NIGHTLY = int(os.environ.get("TAP_BITBUCKET_NIGHTLY", "0"))
"""How many times as much as usual is tried; 0 by day."""

_QUICK = 60
"""How many times faster than the wall clock the clock of the rate limits goes."""

_NAMED = re.compile(r"skipped: [a-z_]+ of [^:]+: \S.{10}")

Held = set[tuple[str, Key]]


@dataclass
class Stage:
    """A world that stands still, and what a run that begins there asks for.

    Attributes:
        story: The world; its state and target are those of the last run.
        state: What each run begins from.
        target: What a target holds before each run.
        lines: The requests of a run without faults.
        truth: What a target must hold in the end.
    """

    story: Story
    folder: Path
    state: dict[str, Any] | None = None
    target: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    truth: Held = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def begin(self) -> None:
        """Go back to where each run begins."""
        self.story.server.faults.clear()
        self.story.state = self.state
        self.story.target.clear()
        self.story.target.update({name: dict(table) for name, table in self.target.items()})

    def keep(self) -> None:
        """Let runs begin here from now on, and note what one asks for."""
        self.state = self.story.state
        self.target = {name: dict(table) for name, table in self.story.target.items()}
        self.truth = {(name, key) for name in STREAMS for key in truth(self.story.world, name)}
        self.begin()
        assert self.problems(self.run(concurrency=1)) == []
        self.lines = [f"{one.method} {one.url}" for one in self.story.server.requests]

    def run(self, **settings: Any) -> Run:
        """Run once, where no other run has left anything; a target takes what it writes."""
        story, number = self.story, next(self._numbers)
        story.server.clear_requests()
        signed = {
            "email": None,
            "api_token": None,
            "client_id": "machine",
            "client_secret": "secret",
            "refresh_token": story.world.oauth.issue_refresh_token("machine", story.who("ann")),
            "token_file": str(self.folder / f"{number}.json"),
        }
        config = api_token_config(story.server, **{**signed, **story.settings, **settings})
        config = {name: value for name, value in config.items() if value is not None}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(self.folder / f"{number}"))
            run = run_here(config, state=story.state, catalog=story.catalog)
        story.state = run.state or story.state
        merge(story.target, run)
        return run

    def problems(self, run: Run) -> list[str]:
        """Return what is wrong after a run that nothing kept from reading everything."""
        found = [f"exit code {run.code}: {run.log[-500:]}"] if run.code else []
        return found + skipped(run) + differences(self.story)

    @property
    def held(self) -> Held:
        """Return what the target holds."""
        return {(name, key) for name in STREAMS for key in self.story.target[name]}

    def with_faults(self, **settings: Any) -> tuple[str, list[str]]:
        """Run with the faults that were ordered; return how it ended, and what is wrong with that.

        A run that says that it read everything must have. Any other must say why it did not, and
        the next run from its STATE makes it good. None deletes what is there.
        """
        before = self.held & self.truth
        run = self.run(**settings)
        found = [f"{one} was deleted" for one in before - self.held]
        found += self._strange_requests()
        end = "whole"
        if run.code:
            end = "failed"
            last = run.log.splitlines()[-1]
            if run.code != 1 or last.startswith(("INFO", "WARNING")) or len(last) < 20:
                found.append(f"exit code {run.code}, no clear end: {run.log[-300:]}")
        elif "Stopped: " in run.log:
            end = "stopped"
            found += ["requests without end"] if "max_requests (" in run.log else []
        elif skipped(run):
            end = "skipped"
            found += [f"not named: {one}" for one in skipped(run) if not _NAMED.match(one)]
        else:
            found += differences(self.story)
        self.story.server.faults.clear()
        if end != "whole":
            found += [f"after the next run: {one}" for one in self.problems(self.run())]
        return end, found

    def _strange_requests(self) -> list[str]:
        """Return whether requests went elsewhere, or were too many."""
        server, most = self.story.server, 6 * len(self.lines) + 50
        hosts = {one.headers["host"] for one in server.requests}
        found = [f"asked at {host}" for host in hosts - {f"127.0.0.1:{server.port}"}]
        sent = len(server.requests)
        return [*found, f"{sent} requests"] if sent > most else found


def differences(story: Story) -> list[str]:
    """Return how the target differs from the world, but for what targets keep.

    A comment that was deleted before anybody read it is of no row's worth: nothing leads to it.
    """
    found = [one for name in STREAMS for one in story.differences(name, kept=name in KEPT)]
    unseen = {
        f"pull_request_comments {key} is missing"
        for key, row in truth(story.world, "pull_request_comments").items()
        if row["deleted"]
    }
    return [one for one in found if one not in unseen]


def skipped(run: Run) -> list[str]:
    """Return the lines that name what a run had to skip."""
    return [line for line in run.log.splitlines() if line.startswith("skipped: ")]


@contextmanager
def quick() -> Iterator[pytest.MonkeyPatch]:
    """Make waits short, and the longest and largest answer smaller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backoff, "full_jitter", lambda _: 0.001)
        patch.setattr(token_endpoint, "full_jitter", lambda _: 0.001)
        clock = Budget.__init__.__kwdefaults__
        assert clock is not None
        patch.setitem(clock, "clock", lambda: time.monotonic() * _QUICK)
        patch.setattr(identities, "_SLICE", 0.005)
        patch.setattr(answers, "LONGEST", 0.5)
        patch.setattr(answers, "LARGEST", 2**21)
        yield patch
