"""What a run did, for people: one table at its end, and what had to be skipped."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.http.session import Session

logger = logging.getLogger("tap-bitbucket")


@dataclass
class Skip:
    """A partition that was not read."""

    stream: str
    partition: str
    reason: str
    status: int | None


@dataclass(frozen=True)
class Line:
    """One stream: its rows so far, and its partitions that were read and skipped."""

    stream: str
    rows: int
    read: int
    skipped: int


@dataclass
class Summary:
    """Counts of a run.

    Attributes:
        skips: Partitions that were left out; their bookmarks are untouched.
        read: Partitions that were read, by stream.
    """

    skips: list[Skip] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)

    def skipped(self, stream: str, partition: str, error: ReadError) -> None:
        """Note a partition that cannot be read, and say so once per stream."""
        first = all(skip.stream != stream for skip in self.skips)
        self.skips.append(Skip(stream, partition, str(error), getattr(error, "status", None)))
        logger.log(
            logging.WARNING if first else logging.INFO,
            "Skipped %s of %s: %s. Its bookmark stays; the next run tries again.",
            stream,
            partition,
            error,
        )

    def partition_read(self, stream: str) -> None:
        """Note a partition that was read to its end."""
        self.read[stream] += 1

    def table(self, lines: Iterable[Line], totals: str) -> str:
        """Return the run as text."""
        head = f"{'stream':<28}{'rows':>10}{'read':>8}{'skipped':>9}"
        body = [f"{one.stream:<28}{one.rows:>10}{one.read:>8}{one.skipped:>9}" for one in lines]
        return "\n".join([head, *body, totals, *self.reasons()])

    def reasons(self) -> Iterator[str]:
        """Yield a sentence for each reason for which something was skipped."""
        reasons = Counter((skip.stream, skip.reason) for skip in self.skips)
        places = {(skip.stream, skip.reason): skip.partition for skip in self.skips}
        for (stream, reason), count in reasons.items():
            where = places[stream, reason] if count == 1 else f"{count} partitions"
            yield f"skipped: {stream} of {where}: {reason}"


def totals_of(session: Session | None) -> str:
    """Return what a run cost."""
    if session is None:
        return "nothing was asked"
    budgets = session.identities.budgets
    return (
        f"{session.identities.limits.sent} requests, {session.retries} retries, "
        f"{sum(one.waits for one in budgets)} waits for the rate limit "
        f"({sum(one.waited for one in budgets):.0f} s)"
    )
