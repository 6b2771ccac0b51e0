"""What tests of the whole tap share: running the real command against the stand-in."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from singer_sdk.exceptions import ConfigValidationError

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.tap import Refusal, TapBitbucket
from tests.catalogs import slim

PROJECT = Path(__file__).resolve().parents[1]

Row = dict[str, Any]


@dataclass
class Run:
    """One run of the command: what it wrote and how it ended."""

    code: int
    lines: list[str]
    log: str

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """Return the messages; a line that is not whole fails here."""
        return [msgspec.json.decode(line) for line in self.lines]

    def rows(self, stream: str) -> list[Row]:
        """Return a stream's rows in the order of writing."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    @property
    def counts(self) -> Counter[str]:
        """Return the number of rows by stream."""
        return Counter(
            message["stream"] for message in self.messages if message["type"] == "RECORD"
        )

    @property
    def state(self) -> dict[str, Any]:
        """Return the last state."""
        return next((m["value"] for m in reversed(self.messages) if m["type"] == "STATE"), {})

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Return the SCHEMA messages by stream."""
        return {m["stream"]: m for m in self.messages if m["type"] == "SCHEMA"}

    @property
    def activated(self) -> set[str]:
        """Return the streams of which a whole table was announced."""
        return {m["stream"] for m in self.messages if m["type"] == "ACTIVATE_VERSION"}

    def bookmark(self, stream: str, **context: str) -> dict[str, Any]:
        """Return a partition's bookmark, empty if there is none."""
        partitions = self.state.get("bookmarks", {}).get(stream, {}).get("partitions", [])
        return next((p for p in partitions if p["context"] == context), {})


def lines_of(output: str) -> list[str]:
    """Return the lines of an output as a target reads them: only a line feed ends one."""
    return output.removesuffix("\n").split("\n") if output else []


def api_token_config(server: BitbucketServer, **settings: Any) -> dict[str, Any]:
    """Return a config that signs in to a stand-in of the example world by API token."""
    keys = server.world.credentials
    assert keys is not None
    return {
        "api_url": server.api_url,
        "oauth_token_url": server.oauth_token_url,
        "oauth_authorize_url": server.oauth_authorize_url,
        "email": keys.email,
        "api_token": keys.api_token,
        "workspaces": [EXAMPLE_WORKSPACE],
        "max_retries": 2,
        **settings,
    }


def command(
    config: Mapping[str, Any] | None,
    folder: Path,
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    arguments: Iterable[str] = (),
) -> list[str]:
    """Return the command line of a run, writing its files into ``folder``."""
    line = [sys.executable, "-m", "tap_bitbucket"]
    for name, content in (("config", config), ("state", state), ("catalog", catalog)):
        if content is not None:
            file = folder / f"{name}.json"
            file.write_text(json.dumps(content), encoding="utf-8")
            file.chmod(0o600)
            line += [f"--{name}", str(file)]
    return [*line, *arguments]


def run_tap(
    config: Mapping[str, Any] | None,
    folder: Path,
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    arguments: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run the real command in a process of its own."""
    result = subprocess.run(
        command(config, folder, state=state, catalog=catalog, arguments=arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **(environment or {})},
    )
    return Run(result.returncode, lines_of(result.stdout), result.stderr)


_MOMENTS = itertools.count(int(time.time() - 86_400))
"""Each run begins in a second of its own, as runs of the command do."""


def run_here(
    config: Mapping[str, Any],
    *,
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
) -> Run:
    """Run a sync in this process: the command without its second of start-up.

    What of the catalog is not selected, the tap does not look at.
    """
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    code = 1
    with _logged() as lines, contextlib.redirect_stdout(out):
        try:
            tap = TapBitbucket(
                config=dict(config),
                state=json.loads(json.dumps(state)) if state is not None else None,
                catalog=slim(catalog) if catalog is not None else None,
            )
            setattr(tap, "_PluginBase__initialized_at", next(_MOMENTS) * 1000)  # noqa: B010 - private
            try:
                tap.sync_all()
                code = tap.exit_code
            finally:
                tap.session.transport.close()
        except (Refusal, AuthenticationError, ConfigValidationError, ReadError) as error:
            lines.append(str(error))
        finally:
            for number, handler in signals.items():
                signal.signal(number, handler)
    out.flush()
    text = out.buffer.getvalue().decode()
    return Run(code, lines_of(text), "\n".join(lines))


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


@contextlib.contextmanager
def _logged() -> Iterator[list[str]]:
    handler, logger = _Lines(), logging.getLogger("tap-bitbucket")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def select(catalog: Mapping[str, Any], *streams: str) -> dict[str, Any]:
    """Return a catalog in which only these streams are selected."""
    chosen: dict[str, Any] = json.loads(json.dumps(catalog))
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in streams
    return chosen


def select_all(catalog: Mapping[str, Any], *streams: str) -> dict[str, Any]:
    """Return a catalog with every property of these streams selected (of all, if none is named)."""
    chosen: dict[str, Any] = json.loads(json.dumps(catalog))
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = not streams or stream["tap_stream_id"] in streams
    return chosen


def merge(target: dict[str, dict[tuple[Any, ...], Row]], run: Run) -> None:
    """Apply a run to a target that upserts by key and deletes what a new version lacks."""
    versions: dict[str, int] = {}
    schemas = run.schemas
    for message in run.messages:
        stream = message.get("stream", "")
        if message["type"] == "RECORD":
            keys = schemas[stream]["key_properties"]
            row = {**message["record"], "_version": message.get("version")}
            target.setdefault(stream, {})[tuple(row[key] for key in keys)] = row
        elif message["type"] == "ACTIVATE_VERSION":
            versions[stream] = message["version"]
            table = target.get(stream, {})
            for key in [k for k, row in table.items() if (row["_version"] or 0) < versions[stream]]:
                del table[key]


def tables() -> dict[str, dict[tuple[Any, ...], Row]]:
    """Return an empty target for ``merge``."""
    return defaultdict(dict)


def content(target: Mapping[str, Mapping[tuple[Any, ...], Row]]) -> dict[str, Any]:
    """Return the tables that have rows, without what differs from run to run."""
    return {
        stream: {
            key: {name: value for name, value in row.items() if name != "_version"}
            for key, row in table.items()
        }
        for stream, table in target.items()
        if table
    }


def refusal(run: Run) -> str:
    """Return the one line in which a failed run says why; more or a traceback fails here."""
    assert run.code == 1, f"exit {run.code}: {run.log}"
    assert "Traceback" not in run.log, run.log
    errors = [line for line in run.log.splitlines() if "| ERROR" in line or "| CRITICAL" in line]
    assert len(errors) == 1, run.log
    return errors[0].split("|", 3)[-1].strip()
