"""Many processes on one rotating token whose access tokens end every second.

    python -m benchmarks.tokens                      # sixteen processes, a minute, a token file
    python -m benchmarks.tokens --store database     # the same over an embedded PostgreSQL

Each process asks the bundled stand-in for one small page after the other, through the tap's own
session. The stand-in takes a refresh token once: who presents one a second time is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tap_bitbucket.access import identities_of
from tap_bitbucket.auth import AuthenticationError, credentials_from
from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.postgres import embedded_postgres
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.http.identities import Identities
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import Session

ROOT = Path(__file__).parents[1]
STORES = ("file", "database")


_SILENT = {"failures": ["it ended without a word"], "began": 0.0, "ended": 0.0, "longest": 0.0}


@dataclass
class Result:
    """What the processes came to.

    Attributes:
        seconds: From the first request to the last.
        longest: Seconds that a request took at most, waiting for a new token included.
        requests: Requests to the API that were answered with 200.
        expired: Requests that met an access token past its end, and were repeated.
        refreshes: Exchanges of a refresh token.
        dead: Refresh tokens presented after their one use.
        failures: What processes failed with.
    """

    seconds: float
    longest: float
    requests: int
    expired: int
    refreshes: int
    dead: int
    failures: list[str]


def measure(
    store: str, *, processes: int = 16, seconds: float = 60, lifetime: float = 1.0, lie: int = 0
) -> Result:
    """Let processes share a token.

    Args:
        store: ``file`` or ``database``.
        processes: How many.
        seconds: For how long.
        lifetime: Seconds that an access token is good for.
        lie: What `expires_in` says instead, if anything.
    """
    world = World()
    workspace = world.add_workspace("acme", "Acme")
    ann = world.add_user("Ann")
    world.add_member(workspace, ann, "owner")
    world.identities.add_oauth_consumer("bench-tap", "bench-secret", workspace=workspace)
    world.oauth.access_token_lifetime = lifetime
    world.oauth.expires_in_reported = lie or None
    world.oauth.grace = 0
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-tokens-")))
        server = stack.enter_context(BitbucketServer(world))
        settings = {
            "client_id": "bench-tap",
            "client_secret": "bench-secret",
            "refresh_token": world.oauth.issue_refresh_token("bench-tap", ann),
            "api_url": server.api_url,
            "oauth_token_url": server.oauth_token_url,
            "token_file": str(folder / "token.json"),
        }
        if store == "database":
            settings["token_store"] = stack.enter_context(embedded_postgres(folder / "postgres"))
        told = list(_run(settings, processes, seconds))
        status = Counter(one.status for one in server.requests if one.path.startswith("/2.0/"))
        return Result(
            seconds=max(one["ended"] for one in told) - min(one["began"] for one in told),
            longest=max(one["longest"] for one in told),
            requests=status[200],
            expired=status[401],
            refreshes=world.oauth.refreshes,
            dead=world.oauth.dead_presented,
            failures=[failure for one in told for failure in one["failures"]],
        )


def _run(settings: dict[str, str], processes: int, seconds: float) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.tokens", "--worker", str(seconds)]
    running = [
        subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(processes)
    ]
    try:
        for one in running:
            assert one.stdin is not None  # noqa: S101 - for the type checker
            one.stdin.write(json.dumps(settings) + "\n")
            one.stdin.flush()
        for one in running:
            out, _ = one.communicate(timeout=seconds + 120)
            yield json.loads(out) if out else _SILENT
    finally:
        for one in running:
            if one.poll() is None:
                one.kill()
                one.wait()


def work(settings: dict[str, str], seconds: float) -> dict[str, Any]:
    """Ask for a page again and again, as a run of the tap does."""
    (credential,) = credentials_from(settings)
    session = Session(
        settings["api_url"],
        Identities(identities_of([credential], "wait")),
        timeout=60,
        max_retries=8,
        connections=1,
        user_agent="benchmarks/tokens",
    )
    began, failures, longest = time.time(), [], 0.0
    try:
        while (before := time.time()) < began + seconds:
            session.read(Request("/user"), lambda answer: answer.body)
            longest = max(longest, time.time() - before)
    except (AuthenticationError, ReadError) as error:
        failures.append(str(error))
    return {"failures": failures, "began": began, "ended": time.time(), "longest": longest}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=STORES, action="append", help="default: both")
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--lifetime", type=float, default=1.0, help="of an access token")
    parser.add_argument("--lie", type=int, default=0, help="what expires_in says instead")
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker is not None:
        json.dump(work(json.loads(sys.stdin.readline()), chosen.worker), sys.stdout)
        return
    heads = ("store", "seconds", "requests", "refreshes", "met an end", "dead", "failed", "longest")
    print("".join(f"{head:>12}" for head in heads))  # noqa: T201 - it talks to a person
    for store in chosen.store or STORES:
        found = measure(
            store,
            processes=chosen.processes,
            seconds=chosen.seconds,
            lifetime=chosen.lifetime,
            lie=chosen.lie,
        )
        cells = [store, f"{found.seconds:.0f}", found.requests, found.refreshes, found.expired]
        cells += [found.dead, len(found.failures), f"{found.longest:.1f} s"]
        print("".join(f"{cell!s:>12}" for cell in cells))  # noqa: T201
        for failure in sorted(set(found.failures)):
            print(f"  {failure}")  # noqa: T201


if __name__ == "__main__":
    main()
