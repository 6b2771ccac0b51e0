"""How the costs of a sync grow with the number of repositories.

    python -m benchmarks.growth            # from 10 to 2,000 repositories, about three minutes
    python -m benchmarks.growth --small    # from 10 to 50

The rows grow in step: five pull requests and ten comments for each repository, most of them in
a few repositories. After the first pass nothing changes, so the second finds that all is idle.
There is no latency, so the seconds are those of the processor of the tap and of the stand-in.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import Measured, Served, folder, run, show
from tap_bitbucket.demo import World, large_world

SIZES = (10, 50, 500, 2000)

STATE_SHARE = 0.05
"""What STATE may be of the output of a first pass."""


def make(repositories: int) -> World:
    """Make a workspace of some size."""
    return large_world(repositories, 5 * repositories, 10 * repositories)


@dataclass
class Pass:
    """What a pass came to.

    Attributes:
        requests: To the API.
        records: Rows written.
        seconds: Without the start of the process.
        processor: Seconds of processor time, the start included.
        memory: The most at a time, in bytes.
        state: Bytes of the last state.
        states: Bytes of all STATE messages.
        written: Bytes of all messages.
    """

    requests: int
    records: int
    seconds: float
    processor: float
    memory: int
    state: int
    states: int
    written: int


def measure(repositories: int, place: Path) -> tuple[Pass, Pass]:
    """Run twice: the second time nothing has changed."""
    # Two passes ask little that is the same: an answer that is kept would only take memory.
    with Served(make, {"repositories": repositories}, replay=False) as served:
        config = served.config()
        first = run(config, place, name="first")
        found = _pass(served, first)
        served.clear()
        again = run(config, place, state=first.state(), name="again")
        return found, _pass(served, again)


def _pass(served: Served, measured: Measured) -> Pass:
    asked = served.asked()
    sizes = measured.sizes()
    last = measured.last_state()
    return Pass(
        requests=len(asked),
        records=sizes.pop("records"),
        seconds=measured.ended - min(one.at for one in asked),
        processor=measured.processor,
        memory=measured.memory,
        state=len(last),
        states=sizes["STATE"],
        written=sum(sizes.values()),
    )


def main(arguments: list[str] | None = None) -> int:
    """Print a table; return 1 if STATE is too large a part of the output."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="up to 50 repositories")
    parser.add_argument("--sizes", type=int, nargs="+", help="other numbers of repositories")
    chosen = parser.parse_args(arguments)
    sizes = chosen.sizes or (SIZES[:2] if chosen.small else SIZES)
    with folder() as place:
        found = {size: measure(size, place) for size in sizes}
    print("Growth with the number of repositories")  # noqa: T201 - it talks to a person
    heads = ("pass", "repositories", "requests", "records", "seconds", "processor", "memory")
    rows = [
        (
            name,
            f"{size:,}",
            f"{one.requests:,}",
            f"{one.records:,}",
            f"{one.seconds:.1f}",
            f"{one.processor:.1f} s",
            f"{one.memory / 2**20:.0f} MiB",
            f"{one.state / 1000:,.1f} kB",
            f"{one.states / one.written:.1%}",
        )
        for number, name in enumerate(("first", "idle"))
        for size, passes in found.items()
        for one in [passes[number]]
    ]
    show((*heads, "state", "of output"), rows)
    first = [passes[0] for passes in found.values()]
    over = [one for one in first if one.states > STATE_SHARE * one.written]
    if over:
        print(f"STATE is over {STATE_SHARE:.0%} of the output of a first pass.")  # noqa: T201
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
