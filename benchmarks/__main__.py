"""All measurements, one after the other, in less than ten minutes.

python -m benchmarks                   # all tables
python -m benchmarks --small           # the same with fewer rows, in two minutes
python -m benchmarks wall growth       # some of them
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]

PARTS = ("requests", "wall", "processor", "memory", "growth")


def measure(part: str, *options: str) -> tuple[float, int]:
    """Run a part, which prints its tables; return its seconds and its exit code.

    Each has a process of its own, so that none is measured with what another left behind.
    """
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{part}", *options]
    code = subprocess.call(command, cwd=ROOT)  # noqa: S603 - our own command line
    return time.monotonic() - began, code


def main(arguments: list[str] | None = None) -> int:
    """Print all tables; return 1 if a part is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="with fewer rows")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; else all")
    chosen = parser.parse_args(arguments)
    for part in set(chosen.parts) - set(PARTS):
        parser.error(f"there is no {part}; there are {', '.join(PARTS)}")
    found = {}
    for part in chosen.parts or PARTS:
        found[part] = measure(part, *(["--small"] if chosen.small else []))
        print(flush=True)  # noqa: T201 - it talks to a person
    for part, (seconds, code) in found.items():
        print(f"{part:<12}{seconds:>6.0f} s  {'beyond its limit' if code else 'ok'}")  # noqa: T201
    return int(any(code for _, code in found.values()))


if __name__ == "__main__":
    sys.exit(main())
