"""What tests of `tap-bitbucket estimate` share: running it, and counting what a run really asks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import BitbucketServer
from tests.support import Run, run_here

Estimating = Callable[..., "Told"]


@dataclass
class Told:
    """What the command said.

    Attributes:
        code: Its exit code.
        out: What it wrote to stdout.
        log: What it wrote to stderr.
    """

    code: int
    out: str
    log: str

    @cached_property
    def json(self) -> dict[str, Any]:
        """Return the figures."""
        assert self.code == 0, self.log
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def streams(self) -> dict[str, dict[str, Any]]:
        """Return the figures by stream."""
        return {one["stream"]: one for one in self.json["streams"]}

    @property
    def bound(self) -> int:
        """Return how often it said that it would ask at most."""
        match = re.search(r"Asking at most ([\d,]+) times", self.log)
        assert match is not None, self.log
        return int(match[1].replace(",", ""))


def asked(server: BitbucketServer) -> Counter[str]:
    """Return how often each stream's lists were asked for since the last look."""
    paths = [one.path.removeprefix("/2.0") for one in server.requests if "/2.0/" in one.path]
    server.clear_requests()
    return Counter(map(_stream_of, paths))


def _stream_of(path: str) -> str:
    """Return the stream that has this path; of several the one with the fewest placeholders."""
    fits = [
        (template.count("{"), name)
        for name, template in ((name, stream.path) for name, stream in REGISTRY.items())
        if template
        and not REGISTRY[name].unrolled
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    return min(fits)[1] if fits else path


@dataclass
class Real:
    """What runs really took.

    Attributes:
        first: Requests of a first run by stream.
        idle: Of one after it, when nothing changed.
        run: The first run.
    """

    first: Counter[str]
    idle: Counter[str]
    run: Run


def really(
    server: BitbucketServer, config: Mapping[str, Any], catalog: Mapping[str, Any] | None = None
) -> Real:
    """Run the tap twice, and count."""
    asked(server)
    run = run_here(config, catalog=catalog)
    assert run.code == 0, run.log
    first = asked(server)
    again = run_here(config, catalog=catalog, state=run.state)
    assert again.code == 0, again.log
    return Real(first, asked(server), run)


def near(told: float, real: float, part: float, at_least: float = 0.0) -> bool:
    """Whether a figure is as near to the real one as is promised."""
    return abs(told - real) <= max(at_least, part * real)


def write(content: object, name: str = "config.json") -> str:
    """Write a file into the present folder and return its name."""
    Path(name).write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    Path(name).chmod(0o600)
    return name
