"""A host for processes that sign in, at once or killed half-way; one JSON line each way.

It imports once and forks, so that a process costs milliseconds. A process can be killed at any of
its steps: each file system call, each sync to disk, the request and its answer count as one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import requests

from tap_bitbucket.auth import AuthenticationError, authenticators_from

STEPS = {"os.mkdir", "os.rename", "os.remove", "os.chmod", "fcntl.flock", "test.step"}


def kill_at(number: int) -> list[str]:
    """Let this process die at its step `number`; return the list of the steps it took."""
    steps: list[str] = []

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if event in STEPS or opened:
            steps.append(f"{event} {arguments[0] if arguments else ''}")
            if len(steps) == number:
                os.kill(os.getpid(), signal.SIGKILL)

    fsync, post = os.fsync, requests.Session.post

    def counted_fsync(fd: Any) -> None:
        fsync(fd)
        sys.audit("test.step", "synced")

    def counted_post(*args: Any, **more: Any) -> requests.Response:
        sys.audit("test.step", "about to ask")
        response = post(*args, **more)
        sys.audit("test.step", "answered")
        return response

    os.fsync = counted_fsync
    requests.Session.post = counted_post  # type: ignore[method-assign]
    sys.addaudithook(count)
    return steps


def sign(order: dict[str, Any]) -> dict[str, Any]:
    """Sign in as a run does."""
    steps = kill_at(order["kill_at"] or -1)
    if order["file_limit"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], order["file_limit"]))
    config_file = order["config_file"] and Path(order["config_file"])
    try:
        (made,) = authenticators_from(order["settings"], config_file=config_file)
        if order["replace"]:
            made.rejected(made.authorization())
        return {"authorization": made.authorization(), "steps": steps}
    except AuthenticationError as error:
        return {"error": str(error), "steps": steps}


def main() -> None:
    """Serve orders until there are no more."""
    for line in sys.stdin:
        order, waiting = json.loads(line), []
        for _ in range(order["at_once"]):
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                result = sign(order)
                os.write(writing, json.dumps(result).encode())
                os._exit(0)
            os.close(writing)
            waiting.append((pid, reading))
        results = []
        for pid, reading in waiting:
            with os.fdopen(reading) as pipe:
                text = pipe.read()
            killed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
            results.append({"killed": True} if killed else {"killed": False} | json.loads(text))
        sys.stdout.write(json.dumps(results) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
