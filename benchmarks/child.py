"""What a program spends: its processor time and the most memory it held.

A process inherits the peak of the one that starts it, so a small one stands in between.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Spent:
    """What a program came to.

    Attributes:
        code: Its exit code.
        seconds: Of the processor, in the program and in the system for it.
        mebibytes: Of memory that it held at its peak.
    """

    code: int
    seconds: float
    mebibytes: float


def run(command: Sequence[str], stdout: IO[bytes] | int, stderr: IO[bytes] | int) -> Spent:
    """Run a program to its end."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".json") as told:
        line = [sys.executable, "-IS", __file__, told.name, *command]
        subprocess.run(line, stdout=stdout, stderr=stderr, cwd=ROOT, check=True)  # noqa: S603 - ours
        return Spent(**json.loads(Path(told.name).read_text(encoding="utf-8")))


def main() -> None:
    """Run a command line and write down what it spent."""
    told, *command = sys.argv[1:]
    code = subprocess.call(command)  # noqa: S603 - our own command line
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    spent = {
        "code": code,
        "seconds": usage.ru_utime + usage.ru_stime,
        "mebibytes": usage.ru_maxrss / unit,
    }
    Path(told).write_text(json.dumps(spent), encoding="utf-8")


if __name__ == "__main__":
    main()
