"""From what was found out about a sample to what a whole pass costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.estimate.cost import Cost, at_least
from tap_bitbucket.estimate.here import Spot
from tap_bitbucket.estimate.sampling import nearest
from tap_bitbucket.estimate.survey import Survey

Found = Mapping[Spot, Mapping[str, Cost]]
"""What was found out: partition → stream → its cost there."""


@dataclass
class Line:
    """What a stream costs in all its partitions.

    Attributes:
        stream: Its name.
        selected: Whether it is selected, or only read because others need it.
        lists: Lists that are read the first time.
        rows: Rows in them.
        first: Requests the first time.
        idle: Requests of the next run, if nothing changed.
        low: The least that ``first`` may well be.
        high: The most that it may well be.
        saved: Requests that a feed saves.
        proven: Whether it is known that the feed can be trusted.
        extrapolated: Whether these come from a part of the rows or of the partitions.
        least: Whether it may be any number more.
        refused: In how many of the partitions looked at it cannot be read.
        reason: Why, in one of them.
        needs: The stream whose rows it would be read below, if that one is refused.
        looked_at: In how many partitions it was looked at.
        above: Streams that it needs.
        by_workspace: ``first`` by workspace; the key is empty for what belongs to none.
    """

    stream: str
    selected: bool = True
    lists: float = 0.0
    rows: float = 0.0
    first: float = 0.0
    idle: float = 0.0
    low: float = 0.0
    high: float = 0.0
    saved: float = 0.0
    proven: bool = False
    extrapolated: bool = False
    least: bool = False
    refused: int = 0
    reason: str | None = None
    needs: str = ""
    looked_at: int = 0
    above: tuple[str, ...] = ()
    by_workspace: dict[str, float] = field(default_factory=dict)

    def add(self, cost: Cost, workspace: str) -> None:
        """Count a partition."""
        self.lists += cost.lists
        self.rows += cost.rows
        self.first += cost.first
        self.idle += cost.idle
        self.saved += cost.saved
        self.proven = self.proven or cost.proven
        self.extrapolated = self.extrapolated or cost.guess
        self.least = self.least or cost.least
        self.by_workspace[workspace] = self.by_workspace.get(workspace, 0.0) + cost.first


def line_of(
    entity: str,
    streams: Sequence[BitbucketStream],
    survey: Survey,
    found: Found,
    askers: Callable[[str], object],
) -> Line:
    """Return what a stream costs in all its partitions.

    Args:
        entity: The stream.
        streams: The streams of it that are read: one, or one for each place.
        survey: What there is.
        found: What a stream costs in the partitions that were looked at.
        askers: Workspace → those who ask about it: of a missing scope they learn once.
    """
    line = Line(entity, selected=any(stream.selected for stream in streams))
    stream = streams[0]
    line.above = stream.needs()
    known = {spot: costs[entity] for spot, costs in found.items() if entity in costs}
    line.looked_at = len(known)
    refused = [cost for cost in known.values() if cost.refused is not None]
    if refused:
        line.refused = len(refused)
        line.reason, line.needs = min((cost.refused or "", cost.above) for cost in refused)
    partitions = survey.partitions(entity)
    stand_ins = _stand_ins(survey, stream.kind, known)
    denied: set[object] = set()
    others: list[Spot] = []
    for spot in partitions:
        stand_in = stand_ins.get(spot)
        cost = known[stand_in] if stand_in else at_least(stream, empty=spot.empty)
        if cost.denied and askers(spot.workspace) in denied:
            continue
        denied |= {askers(spot.workspace)} if cost.denied else set()
        line.add(cost, spot.workspace)
        if spot not in known:
            others.append(spot)
    line.extrapolated = line.extrapolated or bool(others and known)
    sample = {spot: cost.first for spot, cost in known.items() if not spot.empty}
    line.low, line.high = span(
        line.first, sample, survey.spread, sum(not one.empty for one in others)
    )
    return line


def _stand_ins(survey: Survey, kind: str, known: Mapping[Spot, Cost]) -> Mapping[Spot, Spot]:
    """Return which partition stands for which, of those that there was time to look at."""
    if all(spot in known for spot in survey.looked_at.get(kind, ())):
        return survey.stands_for
    found: dict[Spot, Spot] = {}
    for state in (False, True):
        order = [spot for spot in survey.order.get(kind, ()) if spot.empty is state]
        found |= nearest(order, [spot for spot in order if spot in known])
    return found


def span(
    total: float, sample: Mapping[Spot, float], spread: Collection[Spot], others: int
) -> tuple[float, float]:
    """Return what a total may well be, of which a part was extrapolated.

    Args:
        total: What it is thought to be.
        sample: What was found.
        spread: Where what was found says something about the others.
        others: How many were not looked at.
    """
    if not others or not sample:
        return total, total
    like = [requests for spot, requests in sample.items() if spot in spread]
    like = like if len(like) > 1 else [*sample.values()]
    margin = max(like) if len(like) == 1 else statistics.stdev(like) / math.sqrt(len(like))
    least = sum(sample.values()) + others * min(like)
    return max(min(least, total), total - 2 * margin * others), total + 2 * margin * others


def total_of(lines: Sequence[Line], survey: Survey, found: Found) -> Line:
    """Return what all streams cost together."""
    total = Line("total")
    for line in lines:
        total.add(Cost(line.lists, line.rows, line.first, line.idle), "")
        total.extrapolated = total.extrapolated or line.extrapolated
        total.least = total.least or line.least
    total.by_workspace = {}
    for line in lines:
        for workspace, requests in line.by_workspace.items():
            total.by_workspace[workspace] = total.by_workspace.get(workspace, 0.0) + requests
    inside = {
        spot: sum(cost.first for cost in costs.values())
        for spot, costs in found.items()
        if spot.kind == "repository" and not spot.empty
    }
    full = sum(not spot.empty for spot in survey.spots.get("repository", ()))
    total.low, total.high = span(total.first, inside, survey.spread, full - len(inside))
    return total


def hours(total: float, by_workspace: Mapping[str, float], limits: Mapping[str, float]) -> float:
    """Return how long requests take at the limit.

    Args:
        total: The requests.
        by_workspace: Those about a workspace.
        limits: Requests an hour of all who ask, under the empty key; and of those who ask about a
            workspace.
    """
    each = [
        requests / limits[workspace]
        for workspace, requests in by_workspace.items()
        if limits.get(workspace)
    ]
    return max([total / limits[""], *each]) if limits.get("") else 0.0
