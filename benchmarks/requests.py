"""How many requests the tap asks, stream by stream, beside the least that the API allows.

The real command reads from the stand-in, first everything and then, with the state of that, once
more though nothing happened. `python -m benchmarks.requests` reads the example world and one of
24 repositories with all streams, and one of 200 repositories as the tap is set up by default;
with `--small` the example world alone. It ends with exit code 1 if a total is more than 2% and
two requests over the least.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.least import RULES, assurance, least
from benchmarks.requests_asked import asked
from benchmarks.runs import catalog_of, folder, run, show
from benchmarks.worlds import WORLDS
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, World

MARGIN = 1.02
SLACK = 2


@dataclass(frozen=True)
class Case:
    """A world, and whether all streams are read from it."""

    world: str
    everything: bool

    @property
    def title(self) -> str:
        """Name it for people."""
        return f"{self.world} world, {'all streams' if self.everything else 'default selection'}"


SMALL = (Case("example", everything=True),)
CASES = (*SMALL, Case("middle", everything=True), Case("large", everything=False))


@dataclass(frozen=True)
class Result:
    """What one pass asked, and what it had to.

    Attributes:
        name: Which pass of what it was.
        least: The least that the API allows, by stream.
        sure: What may be asked beyond it to be sure, by stream.
        asked: What was asked, by stream.
    """

    name: str
    least: Counter[str]
    sure: Counter[str]
    asked: Counter[str]

    @property
    def allowed(self) -> float:
        """Return how many requests are still near the least."""
        return MARGIN * (self.least.total() + self.sure.total()) + SLACK

    @property
    def passes(self) -> bool:
        """Whether it asked no more than that."""
        return self.asked.total() <= self.allowed

    def streams(self) -> list[str]:
        """Return the streams that anything is counted with, in the order of the rules."""
        names = {*self.least, *self.asked, *self.sure}
        known = [name for name in RULES if name in names]
        return known + sorted(names.difference(known))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield a line per stream, and the total."""
        for name in self.streams():
            counts = (self.least[name], self.sure[name], self.asked[name])
            if any(counts):
                yield (name, *_line(*counts))
        yield ("total", *_line(self.least.total(), self.sure.total(), self.asked.total()))


def _line(least: int, sure: int, asked: int) -> tuple[str, ...]:
    ratio = f"{asked / least:.2f}" if least else "-"
    return str(least), f"+{sure}" if sure else "", str(asked), ratio


def default_streams() -> frozenset[str]:
    """Return the streams that are selected by default."""
    return frozenset(_selected(everything=False))


def _selected(*, everything: bool) -> Iterator[str]:
    for stream in catalog_of()["streams"]:
        by_default = any(
            not entry["breadcrumb"] and entry["metadata"].get("selected-by-default", True)
            for entry in stream["metadata"]
        )
        if everything or by_default:
            yield stream["tap_stream_id"]


def config_of(server: BitbucketServer) -> dict[str, object]:
    """Return a config that reads all of a world by API token."""
    keys = server.world.credentials
    assert keys is not None  # noqa: S101 - for the type checker
    return {
        "api_url": server.api_url,
        "oauth_token_url": server.oauth_token_url,
        "email": keys.email,
        "api_token": keys.api_token,
        "workspaces": [EXAMPLE_WORKSPACE],
    }


def compare(world: World, streams: frozenset[str], place: Path, title: str) -> Iterator[Result]:
    """Read a world twice, and yield what each pass asked."""
    with BitbucketServer(world) as server:
        state = None
        for idle in (False, True):
            server.clear_requests()
            made = run(
                config_of(server), place, state=state, catalog=catalog_of(*streams), name="pass"
            )
            state = made.state()
            served = [one for one in server.requests if one.path.startswith("/2.0/")]
            yield Result(
                f"{title}: {'nothing happened since' if idle else 'full pass'}",
                least(world, streams, idle=idle),
                assurance(world, streams, idle=idle),
                asked(served, streams),
            )


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.requests", description=__doc__)
    parser.add_argument("--small", action="store_true", help="the example world alone")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    with folder() as place:
        for case in SMALL if options.small else CASES:
            streams = frozenset(_selected(everything=case.everything))
            for result in compare(WORLDS[case.world](), streams, place, case.title):
                print(f"\n{result.name}")  # noqa: T201 - it talks to a person
                show(("stream", "least", "to be sure", "asked", "ratio"), list(result.rows()))
                results.append(result)
    print()  # noqa: T201
    heads = ("totals", "least", "to be sure", "asked", "over the least")
    show(heads, [_total(result) for result in results])
    return 0 if all(result.passes for result in results) else 1


def _total(result: Result) -> tuple[str, ...]:
    least, sure, asked = result.least.total(), result.sure.total(), result.asked.total()
    verdict = "" if result.passes else " !"
    return (
        result.name,
        str(least),
        f"+{sure}" if sure else "",
        str(asked),
        f"{100 * (asked - least) / max(1, least):+.1f}%{verdict}",
    )


if __name__ == "__main__":
    sys.exit(main())
