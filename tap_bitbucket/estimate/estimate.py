"""The estimate: a survey, a sample of requests, and what follows from them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_bitbucket.estimate.cost import Cost
from tap_bitbucket.estimate.here import Here, NothingAbove, Spot
from tap_bitbucket.estimate.lists import Listed
from tap_bitbucket.estimate.rules import cost
from tap_bitbucket.estimate.survey import Survey, bound, streams_of, survey
from tap_bitbucket.estimate.totals import Line, hours, line_of, total_of
from tap_bitbucket.http.errors import MissingScope, SkipPartition, StopReading
from tap_bitbucket.http.identities import Identity
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.incremental.feed_trust import SAMPLES

if TYPE_CHECKING:
    from tap_bitbucket.tap import TapBitbucket

HOURLY = 1000
"""Requests an hour, unless an answer tells otherwise."""

DISCOVERY = "(discovery)"
"""What it takes to know what there is, where no stream is read for that."""


@dataclass
class Estimate:
    """What a pass of the selected streams costs.

    Attributes:
        lines: Stream by stream.
        total: All together.
        repositories: How many are read.
        looked_at: How many of them were asked about.
        asked: Requests that the estimate took.
        stopped: Why not all was asked that was to be.
        hourly: Requests an hour that there are, of all who ask together.
        identities: How many allowances that are.
        hours: What the first run takes at that rate.
        idle_hours: What a run takes while nothing changes.
    """

    lines: list[Line]
    total: Line
    repositories: int = 0
    looked_at: int = 0
    asked: int = 0
    stopped: str | None = None
    hourly: int = HOURLY
    identities: int = 1
    hours: float = 0.0
    idle_hours: float = 0.0
    workspaces: list[str] = field(default_factory=list)


def estimate(tap: TapBitbucket, sample: int, announce: Callable[[int], None]) -> Estimate:
    """Ask a few times, and return what a pass of the tap's selected streams costs.

    Args:
        tap: With settings and catalog; it is used for nothing else.
        sample: How many repositories are looked at.
        announce: Told how many requests it takes at most, beside the lists of what there is.

    Raises:
        ReadError, AuthenticationError: If nothing can be learned.
    """
    identities = tap.session.identities
    read = streams_of(tap)
    most = bound(tap, [streams[0] for streams in read.values()], sample)
    announce(most)
    tap.preflight.begin(tap.streams_read())
    tap.session.sign_in()
    there = survey(tap, sample)
    before = identities.limits.sent
    identities.limits = Limits(max_requests=most, stopping=tap.stopping)
    looking = _Looking(tap, there)
    looking.all()
    lines = [
        line_of(entity, streams, there, looking.found, lambda slug: identities.of(slug.casefold()))
        for entity, streams in read.items()
    ]
    _complete(tap, lines, there)
    total = total_of(lines, there, looking.found)
    limits = {"": _hourly(one for one in identities.members)}
    for slug in tap.partitions.workspaces():
        limits[slug] = _hourly(identities.of(slug.casefold()))
    repositories = there.spots.get("repository", [])
    return Estimate(
        lines=lines,
        total=total,
        repositories=len(repositories),
        looked_at=sum(spot in looking.found for spot in repositories),
        asked=before + identities.limits.sent,
        stopped=looking.stopped,
        hourly=limits[""],
        identities=len(identities.budgets),
        hours=hours(total.first, total.by_workspace, limits),
        idle_hours=total.idle / limits[""],
        workspaces=tap.partitions.workspaces(),
    )


class _Looking:
    """Looks at the sample, several partitions at the same time.

    Attributes:
        found: What was found out: partition → stream → its cost there.
        stopped: Why not all was asked.
    """

    def __init__(self, tap: TapBitbucket, there: Survey) -> None:
        self.found: dict[Spot, dict[str, Cost]] = {}
        self.stopped: str | None = None
        self._tap = tap
        self._there = there
        self._lock = threading.Lock()

    def all(self) -> None:
        """Look at all of the sample."""
        kinds = {entity: streams[0].kind for entity, streams in self._there.read.items()}
        spots = [
            (spot, [entity for entity, kind in kinds.items() if kind == spot.kind])
            for kind in ("", "workspace", "project", "repository")
            for spot in self._there.looked_at.get(kind, ())
        ]
        with ThreadPoolExecutor(int(self._tap.config["concurrency"])) as pool:
            for done in [pool.submit(self._look, spot, names) for spot, names in spots if names]:
                done.result()

    def _look(self, spot: Spot, entities: Iterable[str]) -> None:
        here = Here(self._tap, spot, self._there.read)
        if spot.key in self._there.listed:
            here.know("repositories", Listed(float(self._there.listed[spot.key])))
        costs: dict[str, Cost] = {}
        try:
            for entity in entities:
                costs[entity] = self._cost(here, entity)
        except StopReading:
            spent = any(one.spent for one in self._tap.session.identities.budgets)
            self.stopped = "the rate limit is spent" if spent else "it took more than was announced"
        with self._lock:
            self.found[spot] = costs

    @staticmethod
    def _cost(here: Here, entity: str) -> Cost:
        try:
            return cost(here.stream(entity), here)
        except NothingAbove as error:
            return Cost(refused=str(error), above=error.entity)
        except SkipPartition as error:
            missing = isinstance(error, MissingScope)
            return Cost(1, 0.0, 1.0, 1.0, refused=str(error), denied=missing)


def _hourly(identities: Iterable[Identity]) -> int:
    """Return the requests an hour of those who ask, each allowance once."""
    budgets = {id(one.budget): one.budget for one in identities if one.refused is None}
    return sum(one.last.limit or HOURLY for one in budgets.values())


def _complete(tap: TapBitbucket, lines: list[Line], there: Survey) -> None:
    """Add what no partition tells: what it takes to know them, and rows that are not asked for."""
    by_name = {line.stream: line for line in lines}
    if "repositories" in by_name:
        by_name["repositories"].rows = len(there.spots["repository"])
    for line in lines:
        stream = there.read[line.stream][0]
        if not stream.path and not stream.unrolled:
            line.rows = sum(by_name[name].rows for name in stream.needs()[-1:] if name in by_name)
        # So many lists are compared with what a feed tells, before that is trusted.
        compared = 0.0 if line.proven else min(float(SAMPLES), line.saved)
        line.add(Cost(compared, 0.0, compared), "")
    telling = by_name.get("workspaces") if tap.places is None else None
    if telling is None:
        telling = Line(DISCOVERY, selected=tap.places is not None)
        lines.insert(0, telling)
    telling.add(Cost(0.0, 0.0, there.told, there.told), "")
    telling.low, telling.high = telling.first, telling.first
    if not telling.first and telling.stream == DISCOVERY:
        lines.remove(telling)
