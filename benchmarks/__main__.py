"""All measurements, in less than ten minutes.

python -m benchmarks                   # all tables
python -m benchmarks --small           # the same with fewer rows, in two minutes
python -m benchmarks wall growth       # some of them
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]

PARTS = ("requests", "wall", "processor", "memory", "growth")


COUNTING = ("requests", "memory")
"""Parts that measure no time, so that they may run at the same time."""


def measure(parts: Sequence[str], *options: str) -> dict[str, tuple[float, int]]:
    """Run parts beside each other, printing their tables; return their seconds and exit codes.

    Each has a process of its own, so that none is measured with what another left behind.
    """
    began = time.monotonic()

    def run(part: str) -> tuple[str, float, int]:
        command = [sys.executable, "-m", f"benchmarks.{part}", *options]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command line
        return done.stdout, time.monotonic() - began, done.returncode

    found = {}
    with ThreadPoolExecutor() as pool:
        for part, (tables, seconds, code) in zip(parts, pool.map(run, parts), strict=True):
            print(tables, flush=True)  # noqa: T201 - it talks to a person
            found[part] = (seconds, code)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print all tables; return 1 if a part is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="with fewer rows")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; else all")
    chosen = parser.parse_args(arguments)
    for part in set(chosen.parts) - set(PARTS):
        parser.error(f"there is no {part}; there are {', '.join(PARTS)}")
    found: dict[str, tuple[float, int]] = {}
    options = ["--small"] if chosen.small else []
    parts = chosen.parts or PARTS
    beside = [part for part in parts if part in COUNTING]
    for group in ([beside] if beside else []) + [[part] for part in parts if part not in beside]:
        found |= measure(group, *options)
    for part, (seconds, code) in found.items():
        print(f"{part:<12}{seconds:>6.0f} s  {'beyond its limit' if code else 'ok'}")  # noqa: T201
    return int(any(code for _, code in found.values()))


if __name__ == "__main__":
    sys.exit(main())
