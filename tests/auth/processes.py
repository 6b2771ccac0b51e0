"""A host for processes that sign in, at once or killed half-way; one JSON line each way.

It imports once and forks, so that a process costs milliseconds. A process can be killed at any of
its steps: each file system call, each sync to disk, each statement and commit of a database, the
request and its answer count as one.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import requests

from tap_bitbucket.access import identities_of
from tap_bitbucket.auth import AuthenticationError, credentials_from
from tap_bitbucket.auth.sign_in import SignIn
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.http.identities import Identities
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import Session

STEPS = {"os.mkdir", "os.rename", "os.remove", "os.chmod", "fcntl.flock", "test.step"}
# The driver's own questions to a new connection are no steps of the tap's.
OWN_STATEMENTS = ("tap_bitbucket_tokens", "set_config", "clock_timestamp")


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
    if "psycopg" in sys.modules:
        count_statements()
    sys.addaudithook(count)
    return steps


def count_statements() -> None:
    """Let each statement and each commit that was answered be a step."""
    import psycopg  # noqa: PLC0415 - few processes have a database

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **more: Any) -> Any:
            result = real(self, *args, **more)
            if not args or any(own in str(args[0]) for own in OWN_STATEMENTS):
                said = " ".join(str(args[0]).split()[:3]) if args else name
                sys.audit("test.step", said)
            return result

        return call

    for kind, name in ((psycopg.Cursor, "execute"), (psycopg.Connection, "commit")):
        setattr(kind, name, counted(name, getattr(kind, name)))


def act(order: dict[str, Any], number: int) -> dict[str, Any]:
    """Do what is ordered, as process `number` of those at once; tell what it came to."""
    killed: list[int | None] = order["kill_at"]
    steps = kill_at(killed[number % len(killed)] or -1)
    if order["file_limit"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], order["file_limit"]))
    around: dict[str, Any] = {}
    around["config_file"] = order["config_file"] and Path(order["config_file"])
    ahead = order.get("ahead") or [0.0]
    around["clock"] = lambda: time.time() + ahead[number % len(ahead)]
    job = {"refresh": refresh, "exchange": exchange, "forget": forget, "work": work}
    try:
        told = job[order.get("do", "refresh")](order, around)
    except (AuthenticationError, ReadError) as error:
        told = {"error": str(error)}
    return told | {"steps": steps}


def refresh(order: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Sign in as a run does."""
    patient = order.get("patient", True)
    (credential,) = credentials_from(order["settings"], patient=patient, **around)
    made = credential.authenticator
    if order["replace"] and not made.rejected(made.authorization()):
        return {"error": made.explain_rejection()}
    authorization = made.authorization()
    sys.audit("test.step", "about to use")
    return {"authorization": authorization}


def exchange(order: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Exchange a code, as a login does."""
    tokens = SignIn.of(order["settings"], **around).exchange(order["code"])
    sys.audit("test.step", "about to use")
    return {"authorization": tokens.access.header}


def forget(order: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Forget the tokens, as a logout does."""
    SignIn.of(order["settings"], **around).forget()
    return {}


def work(order: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """Ask for a page again and again, as a run of the tap does."""
    found = credentials_from(order["settings"], **around)
    session = Session(
        order["settings"]["api_url"],
        Identities(identities_of(found, "wait")),
        timeout=20,
        max_retries=2,
        connections=1,
        user_agent="tests",
    )
    ends, read = time.monotonic() + order["seconds"], 0
    while time.monotonic() < ends:
        session.read(Request("/user"), lambda answer: answer.body)
        read += 1
    return {"read": read}


def prepare(settings: dict[str, Any]) -> None:
    """Import what an order takes, once for all processes."""
    needed = ["psycopg", "sqlalchemy.dialects.postgresql.psycopg"]
    for name in needed if settings.get("token_store") else []:
        importlib.import_module(name)
    if settings.get("token_encryption_key"):
        importlib.import_module("cryptography.fernet")


def main() -> None:
    """Serve orders until there are no more."""
    for line in sys.stdin:
        order, waiting = json.loads(line), []
        prepare(order["settings"])
        for number in range(order["at_once"]):
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                result = act(order, number)
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
