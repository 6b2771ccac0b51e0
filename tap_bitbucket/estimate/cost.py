"""What a stream costs in one partition: the figures, and the least that they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental import BelowCommits, NewCommits

LOOKS = 3
"""Parents in a partition that are looked below."""


@dataclass
class Cost:
    """What a stream costs.

    Attributes:
        lists: How many lists are read the first time.
        rows: How many rows they have.
        first: Requests the first time.
        idle: Requests of the next run, if nothing changed.
        saved: Requests that a feed saves, as far as it is trusted.
        proven: Whether something in the feed shows that it can be trusted.
        guess: Whether this is extrapolated from some of the rows.
        least: Whether it may well be more.
        refused: Why it cannot be read.
        above: The stream that is refused where this one is read below it.
        denied: Whether that is for want of a scope, which one answer tells for all partitions.
    """

    lists: float = 0.0
    rows: float = 0.0
    first: float = 0.0
    idle: float = 0.0
    saved: float = 0.0
    proven: bool = False
    guess: bool = False
    least: bool = False
    refused: str | None = None
    above: str = ""
    denied: bool = False


def pages(stream: BitbucketStream, rows: float) -> float:
    """Return the requests for a list of so many rows."""
    if stream.paging in {Paging.ENTITY, Paging.NONE} or not stream.pagelen:
        return 1.0
    return float(max(1, math.ceil(rows / stream.pagelen)))


def looks(stream: BitbucketStream) -> int:
    """Return how many lists of a stream are looked at in a partition."""
    way = stream.incremental
    below = isinstance(way, BelowCommits) or getattr(way, "parents", None)
    return LOOKS if below and not getattr(way, "unless_zero", None) else 1


def at_least(stream: BitbucketStream, *, empty: bool) -> Cost:
    """Return what a stream costs in a partition that nobody looked at."""
    way = stream.incremental
    gated = isinstance(way, NewCommits) or getattr(way, "unless_unchanged", False)
    below = isinstance(way, BelowCommits) or getattr(way, "parents", None)
    if stream.unrolled or not stream.path or (gated and empty):
        return Cost()
    if below or getattr(way, "gate", None):
        return Cost(least=True)
    return Cost(1, 0.0, 1.0, 0.0 if gated else 1.0, least=True)
