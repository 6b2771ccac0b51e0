"""How much memory a run holds at its peak, and how much of its output is STATE.

    python -m benchmarks.memory              # up to a million records, in two minutes
    python -m benchmarks.memory --small      # a hundredth of it

The pages come from a server on this machine, faster than Bitbucket could send them. Ends with 1 if
a run holds more than 150 MiB, if more records take more memory, or if STATE is 5% of an output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import child
from benchmarks.pages import Sizes, serving
from benchmarks.runs import catalog_of, show
from benchmarks.shapes import WORKSPACE

MOST = 150.0
"""Mebibytes that a run may hold."""

FLAT = 20.0
"""Mebibytes by which the largest run of a kind may exceed the smallest."""

SHARE = 0.05
"""STATE of all that is written."""

MIXED = ("repositories", "pull_requests", "pull_request_activity", "commits", "pipelines")
ALL = (*MIXED, "branches", "tags", "pull_request_comments")


@dataclass
class Written:
    """What a run wrote, and what it held.

    Attributes:
        records: RECORD messages.
        size: Bytes of all messages.
        state: Bytes of STATE messages.
        states: STATE messages.
        mebibytes: The most memory that it held at a time.
    """

    records: int = 0
    size: int = 0
    state: int = 0
    states: int = 0
    mebibytes: float = 0.0

    @property
    def share(self) -> float:
        """Return how much of the output is STATE."""
        return self.state / max(1, self.size)


def written(sizes: Sizes, streams: Sequence[str]) -> Written:
    """Read streams from pages of these sizes.

    Raises:
        RuntimeError: If the run fails.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serving(sizes) as url:
        access = {"email": "ann@example.com", "api_token": "token", "workspaces": [WORKSPACE]}
        line = [sys.executable, "-m", "tap_bitbucket"]
        files = {"config": {"api_url": url, **access}, "catalog": catalog_of(*streams)}
        for option, content in files.items():
            file = Path(folder) / f"{option}.json"
            file.write_text(json.dumps(content), encoding="utf-8")
            line += [f"--{option}", str(file)]
        found = Written()
        reading, writing = os.pipe()
        reader = threading.Thread(target=_count, args=(reading, found))
        reader.start()
        log = Path(folder) / "log"
        with log.open("wb") as err, os.fdopen(writing, "wb") as out:
            spent = child.run(line, out, err)
        reader.join()
        if spent.code:
            message = f"the run ended with {spent.code}: {log.read_text()[-2000:]}"
            raise RuntimeError(message)
        found.mebibytes = spent.mebibytes
        return found


def _count(reading: int, found: Written) -> None:
    with os.fdopen(reading, "rb", buffering=2**20) as lines:
        for line in lines:
            found.size += len(line)
            if line.startswith(b'{"type":"RECORD"'):
                found.records += 1
            elif line.startswith(b'{"type":"STATE"'):
                found.states += 1
                found.state += len(line)


def _kinds(largest: int) -> dict[str, list[tuple[Sizes, Sequence[str]]]]:
    """Return the runs by kind, each list from small to large."""
    steps = [largest // 100, largest // 10, largest]
    mixed = [
        Sizes(
            repositories=count // 1000,
            pull_requests=250,
            activity=300,
            commits=400,
            pipelines=49,
        )
        for count in steps[:2]
    ]
    return {
        "commits": [(Sizes(commits=count), ["commits"]) for count in steps],
        "pull requests": [(Sizes(pull_requests=count), ["pull_requests"]) for count in steps[:2]],
        "activity": [
            (Sizes(pull_requests=50, activity=count), ["pull_request_activity"])
            for count in steps[:2]
        ],
        "of all, in many repositories": [(sizes, MIXED) for sizes in mixed],
    }


def main() -> int:
    """Print two tables; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="a hundredth of the records")
    small = parser.parse_args().small
    repositories = 300 if small else 2000
    sizes = Sizes(repositories, pull_requests=2, comments=2, activity=6, commits=10, pipelines=2)
    with ThreadPoolExecutor(2) as pool:  # each run is a process, and none of them is timed
        all_ = pool.submit(written, sizes, ALL)
        # The longest first, or the other processor waits for it in the end.
        kinds = {
            kind: [pool.submit(written, *run) for run in reversed(runs)][::-1]
            for kind, runs in _kinds(100_000 if small else 1_000_000).items()
        }
    table, broken = [], False
    for kind, runs in kinds.items():
        found = [run.result() for run in runs]
        peaks = [one.mebibytes for one in found]
        broken |= max(peaks) > MOST or max(peaks) - peaks[0] > FLAT
        table += [(kind, f"{one.records:,}", f"{one.mebibytes:.0f} MiB") for one in found]
    show(("records", "number", "memory"), table)
    found_all = all_.result()
    broken |= found_all.share >= SHARE
    print()  # noqa: T201 - it talks to a person
    show(
        ("repositories", "records", "output", "STATE messages", "of the output", "memory"),
        [
            (
                f"{repositories:,}",
                f"{found_all.records:,}",
                f"{found_all.size / 1e6:.0f} MB",
                f"{found_all.states}",
                f"{found_all.share:.1%}",
                f"{found_all.mebibytes:.0f} MiB",
            )
        ],
    )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
