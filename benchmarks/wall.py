"""How long a sync takes where every request takes 100 ms, beside the least that it can take.

    python -m benchmarks.wall            # four shapes of a workspace, about two minutes
    python -m benchmarks.wall --small    # the same with fewer rows

With eight requests under way, n requests of 100 ms take n * 100 ms / 8 at least. Some lists cannot
be asked for in parallel: where a page goes on is told by an opaque link in the page before it
(commits, the activity of a repository, the commits of a pull request). The longest such list, with
the lists above it that tell of it, is the other bound; the higher of the two is the limit.

The time is counted from the first request to the end of the process, since the start of Python is
no matter of Bitbucket's. Of each shape there are three runs: one request at a time and eight, with
no latency (which tells the processor time of the same work), and eight with latency. All must
write the same.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.runs import Asked, Measured, Served, catalog_of, folder, run, show
from tap_bitbucket.demo import World, large_world

LATENCY = 0.1
CONCURRENCY = 8
LIMIT = 1.15
ALLOWANCE = 0.4
"""Seconds for the end of the process and for the first three requests, of which each tells what
the next asks for: the workspace, its repositories, and what is in a repository."""

_ABOVE = 3
"""Requests, one after the other, until a list in a repository is asked for."""


@dataclass(frozen=True)
class Shape:
    """A workspace, and what is read of it.

    Attributes:
        name: What it stands for.
        world: Arguments of `make`.
        streams: What is selected; nothing stands for the default, ``*`` for all.
    """

    name: str
    world: dict[str, int]
    streams: tuple[str, ...] = ()

    def catalog(self) -> dict[str, Any] | None:
        """Return the catalog that selects the streams."""
        if not self.streams:
            return None
        return catalog_of() if self.streams == ("*",) else catalog_of(*self.streams)

    def divided(self, by: int) -> Shape:
        """Return the same shape with fewer of everything."""
        world = {name: max(1, count // by) for name, count in self.world.items()}
        return Shape(self.name, world, self.streams)


CHILDREN = (
    "pull_requests",
    "pull_request_comments",
    "pull_request_tasks",
    "pull_request_commits",
    "pull_request_diffstat",
    "pull_request_statuses",
)

SHAPES = (
    Shape(
        "many small repositories",
        {"repositories": 120, "pull_requests": 240, "comments": 240, "pipelines": 120},
    ),
    Shape(
        "one giant repository",
        {
            "repositories": 1,
            "pull_requests": 480,
            "comments": 1200,
            "pipelines": 720,
            "commits": 1600,
        },
    ),
    Shape(
        "one repository, all streams",
        {
            "repositories": 1,
            "pull_requests": 40,
            "comments": 80,
            "pipelines": 40,
            "commits": 80,
            "tasks": 24,
        },
        ("*",),
    ),
    Shape(
        "below pull requests",
        {"repositories": 1, "pull_requests": 240, "comments": 480, "tasks": 120},
        CHILDREN,
    ),
)


def make(**counts: int) -> World:
    """Make a world of repositories of one size; some commits of the first have builds."""
    world = large_world(**{**_NOTHING_ELSE, **counts}, skew=0)
    first, *_ = world.repositories()
    world.now = max(commit.date for commit in first.objects.values())
    for name in list(first.objects)[::10]:
        world.add_status(first, name)
    world.now = None
    return world


_NOTHING_ELSE: dict[str, Any] = dict.fromkeys(
    ("commits", "tasks", "pipelines", "deployments", "idle", "empty"), 0
)


@dataclass
class Found:
    """What came of a shape.

    Attributes:
        requests: How many there were.
        chain: The most that had to be asked one after the other.
        seconds: From the first request to the end of the process.
        processor: Seconds of processor time that the run without latency took.
        server: Seconds of processor time that the stand-in took.
        same: Whether it wrote the same as one request at a time does.
        bare: From the first request to the end without latency.
    """

    shape: Shape
    requests: int
    chain: int
    seconds: float
    processor: float
    server: float
    same: bool
    bare: float = 0.0

    @property
    def bound(self) -> float:
        """Return the least number of seconds."""
        return LATENCY * max(self.requests / CONCURRENCY, self.chain)

    @property
    def ratio(self) -> float:
        """Return the time beside the least."""
        return self.seconds / self.bound

    @property
    def failed(self) -> bool:
        """Whether it took too long, or wrote something else."""
        return not self.same or self.seconds > self.bound * LIMIT + ALLOWANCE


_PAGE = re.compile(r"[?&](page|ctx)=([^&]*)")


def longest_chain(asked: Iterable[Asked]) -> int:
    """Return the most requests of which each is known from the answer to the one before."""
    pages: dict[str, int] = defaultdict(int)
    opaque = set()
    for one in asked:
        name = f"{one.method} {_PAGE.sub('', one.url)}"
        pages[name] += 1
        for key, value in _PAGE.findall(one.url):
            if key == "ctx" or not value.isdigit():
                opaque.add(name)
    return _ABOVE + max((pages[name] for name in opaque), default=0)


_CLOCK = re.compile(r'"reconciled_at": [\d.]+|"(\d{4}-\d\d-\d\dT[\d:.]+\+00:00)"')
_HOUR = timedelta(hours=1)


def essence(lines: Iterable[bytes]) -> str:
    """Return a digest of what a run wrote, of STATE the last, without what the clock puts in."""
    digest, state = sha256(), ""
    for line in lines:
        message = json.loads(line)
        if message["type"] == "STATE":
            state = json.dumps(message["value"])
            continue
        kept = {k: v for k, v in message.items() if k not in {"time_extracted", "version"}}
        digest.update(json.dumps(kept).encode())
    recent = (datetime.now(timezone.utc) - _HOUR / 2).isoformat()
    state = _CLOCK.sub(lambda m: m[0] if m[1] and m[1] < recent else "", state)
    digest.update(state.encode())
    return digest.hexdigest()


def measure(shape: Shape, place: Path) -> Found:
    """Run a shape three times; a fourth time, should something else have kept the machine busy."""
    catalog = shape.catalog()
    with Served(make, shape.world) as served:

        def once(name: str, concurrency: int) -> tuple[Measured, float, list[Asked]]:
            served.clear()
            config = served.config(concurrency=concurrency)
            measured = run(config, place, catalog=catalog, name=name)
            asked = served.asked()
            return measured, measured.ended - min(one.at for one in asked), asked

        alone, _, _ = once("alone", 1)
        told = essence(alone.lines())
        found = []
        for name, latency in (("bare", 0.0), ("slow", LATENCY), ("slow again", LATENCY)):
            served.turn("latency", latency)
            before = served.processor()
            measured, seconds, asked = once(name, CONCURRENCY)
            one = Found(
                shape=shape,
                requests=len(asked),
                chain=longest_chain(asked),
                seconds=seconds,
                processor=measured.processor,
                server=served.processor() - before,
                same=essence(measured.lines()) == told,
            )
            found.append(one)
            if latency and not one.failed:
                break
    bare, *slow = found
    best = min(slow, key=lambda one: one.seconds)
    best.bare, best.processor = bare.seconds, bare.processor
    best.same = all(one.same for one in found)
    return best


def main(arguments: list[str] | None = None) -> int:
    """Print a table; return 1 if a shape took too long."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="with a fifth of the rows")
    parser.add_argument("--only", type=int, help="the number of a shape, from 0")
    chosen = parser.parse_args(arguments)
    shapes = SHAPES if chosen.only is None else SHAPES[chosen.only : chosen.only + 1]
    with folder() as place:
        found = [measure(one.divided(5) if chosen.small else one, place) for one in shapes]
    print(f"Wall time at {LATENCY * 1000:.0f} ms a request and concurrency {CONCURRENCY}")  # noqa: T201
    heads = ("", "requests", "chain", "least", "took", "ratio", "no latency", "processor", "server")
    rows = [
        (
            one.shape.name,
            f"{one.requests:,}",
            f"{one.chain:,}",
            f"{one.bound:.2f} s",
            f"{one.seconds:.2f} s",
            f"{one.ratio:.2f}",
            f"{one.bare:.1f} s",
            f"{one.processor:.1f} s",
            f"{one.server:.1f} s",
        )
        for one in found
    ]
    show(heads, rows)
    print(  # noqa: T201
        f"The limit is {LIMIT} times the least, and {ALLOWANCE} s for the first three requests "
        "and the end of the process."
    )
    for one in found:
        if not one.same:
            print(f"{one.shape.name}: not the same as with one request at a time")  # noqa: T201
        elif one.failed:
            print(f"{one.shape.name}: over the limit")  # noqa: T201
    return int(any(one.failed for one in found))


if __name__ == "__main__":
    sys.exit(main())
