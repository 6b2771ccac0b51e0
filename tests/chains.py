"""What tests of chains share: runs that a limit ends, one after the other, and one target."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tap_bitbucket.demo import BitbucketServer
from tests.support import Row, Run, api_token_config, content, merge, run_here, tables

Target = dict[str, dict[tuple[Any, ...], Row]]

START = 15
"""Requests for what each run must know before it goes on: workspaces, projects, repositories."""

PARENTS = 32
"""Requests for the lists of one repository whose rows other streams are read below.

A dozen lists of comments are among them, that are read to be sure of the feed.
"""


@dataclass
class Chain:
    """Runs of one configuration, each from the state of the one before, into one target.

    Attributes:
        requests: How many requests each run sent.
    """

    server: BitbucketServer
    catalog: Mapping[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] | None = None
    target: Target = field(default_factory=tables)
    runs: list[Run] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def run(self, **settings: Any) -> Run:
        """Run once; a limit is no failure."""
        self.server.clear_requests()
        config = api_token_config(self.server, **{**self.settings, **settings})
        run = run_here(config, state=self.state, catalog=self.catalog)
        assert run.code == 0, run.log
        self.requests.append(len(self.server.requests))
        self.runs.append(run)
        self.state = run.state or self.state
        merge(self.target, run)
        return run

    def until_done(
        self, most: int, between: Callable[[], object] = lambda: None, **settings: Any
    ) -> None:
        """Run until one ends by itself, which must be one of the next ``most``."""
        for _ in range(most):
            if not stopped(self.run(**settings)):
                return
            between()
        message = f"no end after {most} runs with {settings}: {self.requests[-5:]} requests"
        raise AssertionError(message)

    @property
    def rows(self) -> int:
        """Return how many rows all runs wrote."""
        return sum(run.counts.total() for run in self.runs)


def stopped(run: Run) -> bool:
    """Whether a limit ended a run."""
    return "Stopped:" in run.log


def again(workers: int = 8) -> int:
    """Return how many requests a run may spend on what the one before had asked already.

    That is its start, the lists of the parents in one repository, and what was being read while
    the limit was met: a page of each worker, twice, since the order of output is not that of
    the answers.
    """
    return START + PARENTS + 2 * workers


def most_runs(total: int, limit: int, overhead: int) -> int:
    """Return how many runs of ``limit`` requests a chain may take for ``total`` requests."""
    return round(-(-total // max(1, limit - overhead)) * 1.5) + 2


def differences(expected: Target, held: Target, most: int = 4) -> list[str]:
    """Return how one target differs from another, not more than a few sentences."""
    wanted, found = content(expected), content(held)
    told: list[str] = []
    for stream in sorted(wanted.keys() | found.keys()):
        ours, theirs = wanted.get(stream, {}), found.get(stream, {})
        told += [f"{stream} {key} is missing" for key in ours.keys() - theirs.keys()]
        told += [f"{stream} {key} should be gone" for key in theirs.keys() - ours.keys()]
        told += [
            f"{stream} {key} is not the same"
            for key in ours.keys() & theirs.keys()
            if ours[key] != theirs[key]
        ]
    return told[:most]


def size(state: Mapping[str, Any]) -> int:
    """Return the length of a STATE as text."""
    return len(json.dumps(state, separators=(",", ":")))


def leftovers(state: Mapping[str, Any] | None, usual: Mapping[str, Any] | None) -> list[str]:
    """Return what a state has beside what one has after a whole run."""
    ours, theirs = _names(state or {}), _names(usual or {})
    return [
        f"{place}: {sorted(more)}"
        for place, names in ours.items()
        if (more := names - theirs.get(place, set()))
    ]


def _names(state: Mapping[str, Any]) -> dict[str, set[str]]:
    found = {"state": set(state)}
    for stream, bookmark in state.get("bookmarks", {}).items():
        found[stream] = set(bookmark) - {"partitions"}
        for one in bookmark.get("partitions", []):
            found[f"{stream} {json.dumps(one['context'], sort_keys=True)}"] = set(one)
    return found


def streams_of(runs: Iterable[Run]) -> set[str]:
    """Return the streams of which runs announced whole tables."""
    return set().union(*(run.activated for run in runs))
