"""What the processor spends per record: a plain singer-sdk tap, this one, and a bare loop.

    python -m benchmarks.processor              # about a minute on an idle machine
    python -m benchmarks.processor --small      # fewer records and rounds

All read the same pages from a server on this machine, in turns, round after round. Counted is the
time in the program and in the system for it, less that of the same program on an empty list.
Ends with 1 if this tap, everything selected, spends more than a third of the plain one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import child
from benchmarks.pages import Sizes, serving
from benchmarks.runs import catalog_of, show
from benchmarks.shapes import FIRST, WORKSPACE

PLAIN, ALL, DEFAULT, FLOOR = "plain tap", "all selected", "as by default", "bare loop"
PROGRAMS = (PLAIN, ALL, DEFAULT, FLOOR)

LISTS = {
    "pull_requests": "pullrequests?pagelen=50"
    "&fields=%2Bvalues.reviewers,%2Bvalues.participants,%2Bvalues.rendered",
    "commits": "commits?pagelen=100",
}

LIMIT = 1 / 3

Commands = dict[tuple[str, str], list[str]]


def _commands(url: str, folder: Path) -> Commands:
    """Return the command lines of all programs for each list."""
    repository = f"{url}/repositories/{WORKSPACE}/repository-{FIRST}"
    made: Commands = {}
    for name, target in LISTS.items():
        by_default = catalog_of(name)
        whole = catalog_of(name)
        for stream in whole["streams"]:
            for entry in stream["metadata"]:
                if entry["breadcrumb"]:
                    entry["metadata"]["selected"] = True
        access = {"email": "ann@example.com", "api_token": "token", "workspaces": [WORKSPACE]}
        ours = {"api_url": url, **access}
        files = {
            "plain": {"url": repository, "stream": name},
            "ours": ours,
            "whole": whole,
            "default": by_default,
        }
        paths = {kind: str(folder / f"{name}-{kind}.json") for kind in files}
        for kind, content in files.items():
            Path(paths[kind]).write_text(json.dumps(content), encoding="utf-8")
        tap = [sys.executable, "-m", "tap_bitbucket", "--config", paths["ours"], "--catalog"]
        plain = [sys.executable, "-m", "benchmarks.plain_tap", "--config", paths["plain"]]
        floor = [sys.executable, "-m", "benchmarks.floor", f"{repository}/{target}", name]
        made[name, PLAIN] = plain
        made[name, ALL] = [*tap, paths["whole"]]
        made[name, DEFAULT] = [*tap, paths["default"]]
        made[name, FLOOR] = floor
    return made


def _serving(stack: contextlib.ExitStack, rows: int) -> Commands:
    """Return the command lines on lists of so many rows."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    return _commands(stack.enter_context(serving(Sizes(pull_requests=rows, commits=rows))), folder)


def _spent(command: Sequence[str]) -> float:
    with tempfile.TemporaryFile() as log:
        spent = child.run(command, subprocess.DEVNULL, log)
        if spent.code:
            log.seek(0)
            message = f"{command} ended with {spent.code}: {log.read()[-2000:]!r}"
            raise RuntimeError(message)
    return spent.seconds


def check(commands: Commands) -> None:
    """Make sure that all write the same rows, this tap with columns more.

    Raises:
        RuntimeError: If they do not.
    """
    for name in LISTS:
        found = {}
        for program in (PLAIN, ALL, FLOOR):
            ran = subprocess.run(  # noqa: S603 - our own command line
                commands[name, program], capture_output=True, check=True, cwd=child.ROOT
            )
            messages = map(json.loads, ran.stdout.splitlines())
            found[program] = [one["record"] for one in messages if one["type"] == "RECORD"]
        same = len(found[PLAIN]) == len(found[ALL]) == len(found[FLOOR])
        for plain, ours, bare in zip(found[PLAIN], found[ALL], found[FLOOR], strict=False):
            same &= bare == plain and _as_sent(ours, plain) == plain
        if not same:
            message = f"the programs do not write the same {name}"
            raise RuntimeError(message)


def _as_sent(row: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of this tap without its own columns."""
    named = {**row, "repository": row["repository_object"]} if "repository" in plain else row
    return {key: value for key, value in named.items() if key in plain}


def measure(*, rows: int, plain_rows: int, rounds: int) -> dict[tuple[str, str], float]:
    """Return processor seconds per record, by list and program."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    starts: dict[str, list[float]] = defaultdict(list)
    numbers = {program: plain_rows if program == PLAIN else rows for program in PROGRAMS}
    with contextlib.ExitStack() as stack:
        check(_serving(stack, 100))
        empty, few, many = (_serving(stack, number) for number in (0, plain_rows, rows))
        for _ in range(rounds):
            for program in PROGRAMS:
                starts[program].append(_spent(empty["commits", program]))
                for name in LISTS:
                    command = (few if program == PLAIN else many)[name, program]
                    found[name, program].append(_spent(command))
    # Whatever disturbs a process adds to its time.
    return {
        (name, program): (min(spent) - min(starts[program])) / numbers[program]
        for (name, program), spent in found.items()
    }


def main() -> int:
    """Print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="fewer records and rounds")
    small = parser.parse_args().small
    found = (
        measure(rows=3000, plain_rows=1000, rounds=1)
        if small
        else measure(rows=9000, plain_rows=3000, rounds=2)
    )
    heads = ("µs of processor time per record", *LISTS)
    show(
        heads,
        [
            (program, *(f"{found[name, program] * 1e6:.0f}" for name in LISTS))
            for program in PROGRAMS
        ],
    )
    shares = {name: found[name, ALL] / found[name, PLAIN] for name in LISTS}
    for name, share in shares.items():
        above = found[name, ALL] / found[name, FLOOR]
        print(  # noqa: T201 - it talks to a person
            f"{name}: {share:.0%} of the plain tap's, {above:.1f} times the bare loop's"
        )
    return int(max(shares.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
