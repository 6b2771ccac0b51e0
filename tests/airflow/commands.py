"""Commands of Airflow, each in a fork of a process that has done the long imports already.

Run by Airflow's Python. A line of stdin is a command as JSON: its arguments, and what the
environment is to have more. A line that begins with `END` tells its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

END = "== end of the command, code "


def main() -> None:
    """Run what stdin says; what a command starts reads nothing of that."""
    orders = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    import airflow.__main__  # type: ignore[import-not-found]  # noqa: PLC0415
    import airflow.api_fastapi.execution_api.app  # type: ignore[import-not-found]  # noqa: PLC0415
    import airflow.cli.commands.dag_command  # type: ignore[import-not-found]  # noqa: PLC0415

    for line in orders:
        child = os.fork()
        if not child:
            os._exit(_code_of(airflow.__main__.main, *json.loads(line)))
        _pass_on_to(child)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"\n{END}{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _code_of(command: Any, arguments: list[str], environment: dict[str, str]) -> int:
    os.environ.update(environment)
    sys.argv = ["airflow", *arguments]
    try:
        command()
    except SystemExit as end:
        return int(bool(end.code))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _pass_on_to(child: int) -> None:
    """End a command when this process is told to."""

    def end(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    signal.signal(signal.SIGTERM, end)


if __name__ == "__main__":
    main()
