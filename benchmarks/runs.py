"""What the benchmarks share: the stand-in in a process of its own, and a run that is measured."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import child
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, World
from tap_bitbucket.demo.application import Application, Incoming, Outgoing
from tap_bitbucket.tap import TapBitbucket


@dataclass(frozen=True)
class Asked:
    """A request that was served, and when it came, by the clock `time.monotonic`."""

    method: str
    url: str
    status: int
    at: float


class Served:
    """The stand-in in a process of its own; use it as a context manager.

    Args:
        make: Makes the world, in that process: a function of a module.
        options: What it is called with.
        replay: Whether an answer is made once and sent again to who asks the same, so that a run
            is not measured against the time in which the stand-in makes pages. The world must
            not change then.
    """

    def __init__(
        self, make: Callable[..., World], options: Mapping[str, Any], *, replay: bool = True
    ) -> None:
        # A process started afresh: this one may hold threads and a lot of memory.
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, make, options, replay), daemon=True
        )
        self._process.start()
        other.close()
        self._settings: dict[str, Any] = self._line.recv()

    def __enter__(self) -> Served:  # noqa: PYI034  (Self is not in 3.10)
        """It serves already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._line.send(("stop", ()))
        self._process.join(10)
        self._process.kill()

    def config(self, **settings: Any) -> dict[str, Any]:
        """Return a config that reads everything by API token."""
        return {**self._settings, **settings}

    def turn(self, switch: str, value: Any) -> None:
        """Turn a switch, e.g. ``latency``."""
        self._ask("turn", switch, value)

    def clear(self) -> None:
        """Forget the requests so far."""
        self._ask("clear")

    def asked(self) -> list[Asked]:
        """Return the requests to the API since the last ``clear``, in the order of answering."""
        return [Asked(*one) for one in self._ask("asked")]

    def processor(self) -> float:
        """Return how much processor time it has taken since it began."""
        seconds: float = self._ask("processor")
        return seconds

    def _ask(self, what: str, *arguments: Any) -> Any:
        self._line.send((what, arguments))
        return self._line.recv()


def _serve(line: Any, make: Callable[..., World], options: Mapping[str, Any], replay: bool) -> None:
    """Serve, and do what comes over the line, until it ends."""
    world = make(**options)
    gc.collect()
    gc.freeze()
    with BitbucketServer(world) as server:
        if replay:
            server.application = _Replaying(world, server.settings)
        keys = world.credentials
        assert keys is not None  # noqa: S101 - for the type checker
        line.send(
            {
                "api_url": server.api_url,
                "oauth_token_url": server.oauth_token_url,
                "email": keys.email,
                "api_token": keys.api_token,
                "workspaces": [EXAMPLE_WORKSPACE],
            }
        )
        with contextlib.suppress(EOFError):
            while True:
                what, arguments = line.recv()
                if what == "stop":
                    return
                line.send(_answer(server, what, arguments))


def _answer(server: BitbucketServer, what: str, arguments: tuple[Any, ...]) -> Any:
    if what == "turn":
        setattr(server, *arguments)
    elif what == "clear":
        server.clear_requests()
    elif what == "processor":
        return time.process_time()
    else:
        served = [one for one in server.requests if one.path.startswith("/2.0/")]
        return [(one.method, one.url, one.status, one.at) for one in served]
    return None


class _Replaying(Application):
    """Makes an answer once, compressed."""

    def handle(self, incoming: Incoming, origin: str) -> Outgoing:
        """Answer what was answered before with the same."""
        if not hasattr(self, "_made"):
            self._made: dict[tuple[object, ...], Outgoing] = {}
        packed = "gzip" in incoming.headers.pop("accept-encoding", "")
        who = incoming.headers.get("authorization")
        key = (incoming.method, incoming.target, incoming.body, who, packed)
        if key not in self._made:
            outgoing = super().handle(incoming, origin)
            if packed and outgoing.body:
                outgoing.body = gzip.compress(outgoing.body, 1)
                outgoing.headers["Content-Encoding"] = "gzip"
            if outgoing.status != 200:  # noqa: PLR2004
                return outgoing
            self._made[key] = outgoing
        return self._made[key]


@dataclass
class Measured:
    """One run of the command.

    Attributes:
        began: When it was started, by the clock `time.monotonic`.
        ended: When it ended.
        processor: Seconds of processor time, in user and in kernel mode.
        memory: The most that it held at a time, in bytes.
        output: The file that holds what it wrote.
    """

    began: float
    ended: float
    processor: float
    memory: int
    output: Path

    @property
    def seconds(self) -> float:
        """Return how long it took, its start included."""
        return self.ended - self.began

    def lines(self) -> Iterator[bytes]:
        """Yield what it wrote, line by line."""
        with self.output.open("rb") as file:
            yield from file

    def sizes(self) -> dict[str, int]:
        """Return the bytes that it wrote by type of message, and under ``records`` the rows."""
        found = {"RECORD": 0, "STATE": 0, "SCHEMA": 0, "ACTIVATE_VERSION": 0, "records": 0}
        for line in self.lines():
            kind = line[9 : line.index(b'"', 9)].decode()
            found[kind] += len(line)
            found["records"] += kind == "RECORD"
        return found

    def last_state(self) -> bytes:
        """Return the last STATE message."""
        last = b""
        for line in self.lines():
            if line.startswith(b'{"type":"STATE"'):
                last = line
        return last

    def state(self) -> dict[str, Any]:
        """Return the last state."""
        found: dict[str, Any] = json.loads(self.last_state())["value"]
        return found


def run(
    config: Mapping[str, Any],
    folder: Path,
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    name: str = "run",
) -> Measured:
    """Run the command in a process of its own, its output going into a file of ``folder``.

    Raises:
        RuntimeError: If it fails.
    """
    line = [sys.executable, "-m", "tap_bitbucket"]
    for option, content in (("config", config), ("state", state), ("catalog", catalog)):
        if content is not None:
            file = folder / f"{name}.{option}.json"
            file.write_text(json.dumps(content), encoding="utf-8")
            file.chmod(0o600)
            line += [f"--{option}", str(file)]
    output, log = folder / f"{name}.jsonl", folder / f"{name}.log"
    began = time.monotonic()
    with output.open("wb") as out, log.open("wb") as err:
        spent = child.run(line, out, err)
    ended = time.monotonic()
    if spent.code:
        said = log.read_text(encoding="utf-8")
        message = f"the run ended with {spent.code}:\n{said[-2000:]}"
        raise RuntimeError(message)
    return Measured(began, ended, spent.seconds, int(spent.mebibytes * 2**20), output)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for the files of runs."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        yield Path(name)


@cache
def _discovered() -> str:
    tap = TapBitbucket(config={}, setup_mapper=False, validate_config=False)
    return json.dumps(tap.catalog_dict)


def catalog_of(*streams: str) -> dict[str, Any]:
    """Return a catalog of these streams as they are by default; of all, if none is named."""
    catalog: dict[str, Any] = json.loads(_discovered())
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                chosen = not streams or stream["tap_stream_id"] in streams
                entry["metadata"]["selected"] = chosen
    return catalog


def show(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())  # noqa: T201 - it talks to a person


__all__ = ["Asked", "Measured", "Served", "catalog_of", "folder", "run", "show"]
