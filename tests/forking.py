"""A host for runs that are killed: it imports once and forks, one JSON line each way.

A run is a process of its own with the command's own `main`. Only its clocks are the test's: STATE
is written often, as in a run of hours, and each run begins in a second of its own.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]


@dataclass
class Forked:
    """A run under way.

    Attributes:
        out: What it writes to: a file, or a pipe that the test reads.
        log: What it says.
    """

    host: Host
    pid: int
    out: Path
    log: Path

    def kill(self, signum: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, signum)

    def over(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        code: int | None = self.host.tell({"over": self.pid})
        return code

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(encoding="utf-8")

    def lines(self) -> list[str]:
        """Return the lines that it wrote whole, as a target reads them."""
        *whole, _ = self.out.read_bytes().split(b"\n")
        return [line.decode() for line in whole]


class Host:
    """Starts runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
        )

    def tell(self, order: Mapping[str, Any]) -> Any:
        """Give an order, and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        config: Mapping[str, Any],
        *,
        state: Mapping[str, Any] | None = None,
        catalog: Mapping[str, Any] | None = None,
        out: Path | None = None,
        file_limit: int = 0,
    ) -> Forked:
        """Start a run; ``file_limit`` is how many bytes fit on its disk."""
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        for name in ("out", "log"):
            (folder / name).touch()
        arguments = []
        for name, content in (("config", config), ("state", state), ("catalog", catalog)):
            if content is not None:
                file = folder / f"{name}.json"
                file.write_text(json.dumps(content), encoding="utf-8")
                arguments += [f"--{name}", str(file)]
        out, log = out or folder / "out", folder / "log"
        order = {"arguments": arguments, "folder": str(folder), "out": str(out), "log": str(log)}
        pid = self.tell({**order, "number": self._number, "file_limit": file_limit})
        return Forked(self, pid, out, log)

    def close(self) -> None:
        """End the host; its runs have ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def host(folder: Path) -> Iterator[Host]:
    """Have a host for a while."""
    made = Host(folder)
    try:
        yield made
    finally:
        made.close()


def _run(order: Mapping[str, Any]) -> None:
    """Be a run, in a process that was forked for it."""
    for descriptor, name in ((1, "out"), (2, "log")):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order["file_limit"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = order["file_limit"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    os.chdir(order["folder"])

    from tap_bitbucket import cli, state  # noqa: PLC0415 - what the host has imported
    from tap_bitbucket.tap import TapBitbucket  # noqa: PLC0415

    state.SECONDS_BETWEEN_STATES, state._SHARE = 0.03, 0
    moment = 1_790_000_000_000 + order["number"] * 1000
    TapBitbucket.initialized_at = moment  # type: ignore[method-assign]
    code: Any = 1
    try:
        cli.main(order["arguments"])
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - what Python would do
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    try:
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"Exception ignored in stdout: {error}\n")
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _serve(orders: Iterable[str]) -> Iterator[Any]:
    """Follow orders, and yield the answers."""
    ended: dict[int, int] = {}
    for line in orders:
        order = json.loads(line)
        if "over" in order:
            pid = order["over"]
            found, status = (0, 0) if pid in ended else os.waitpid(pid, os.WNOHANG)
            if found:
                ended[pid] = os.waitstatus_to_exitcode(status)
            yield ended.get(pid)
            continue
        pid = os.fork()
        if pid == 0:
            _run(order)
        yield pid


def main() -> None:
    """Serve until there are no more orders."""
    import tap_bitbucket.cli  # noqa: F401, PLC0415 - once, for all runs

    for answer in _serve(sys.stdin):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
