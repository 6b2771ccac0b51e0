"""The command in this process, given what a machine made up, and what it promises then."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import random
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings

from tap_bitbucket.cli import main
from tap_bitbucket.demo import BitbucketServer, Credentials
from tap_bitbucket.tap import TapBitbucket
from tests.catalogs import only, slim
from tests.story import Clock, Story, open_request, small_world
from tests.support import Row, Run, api_token_config, lines_of, select
from tests.truth import KEYS, key_of

NIGHTLY = int(os.environ.get("TAP_BITBUCKET_NIGHTLY", "1"))
"""How many times as many inputs as usual; more than once, they are others each time."""

Test = TypeVar("Test", bound=Callable[..., None])


def inputs(number: int) -> Callable[[Test], Test]:
    """Let a test be tried with so many inputs: the same ones, unless it is the nightly form."""
    varied = NIGHTLY > 1 or "TAP_BITBUCKET_SEED" in os.environ
    chosen = int(os.environ.get("TAP_BITBUCKET_SEED", random.SystemRandom().getrandbits(32)))

    def decorate(test: Test) -> Test:
        made = settings(
            max_examples=number * NIGHTLY,
            deadline=None,
            database=None,
            derandomize=not varied,
            print_blob=True,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(test)
        return seed(chosen)(made) if varied else made

    return decorate


class Command:
    """The command, run by its own ``main`` in a folder of its own.

    Attributes:
        folder: Where it runs.
        secrets: What must not appear in anything that it puts out.
    """

    def __init__(self, folder: Path, secrets: Sequence[str] = ()) -> None:
        self.folder = folder
        self.secrets = list(secrets)
        self._runs = 0

    def file(self, name: str, content: object) -> str:
        """Write a file, as it is or as JSON, and return its name."""
        path = self.folder / name
        if path.is_dir():
            path.rmdir()
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogatepass")
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        path.chmod(0o600)
        return name

    def __call__(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run it; an exception that nobody caught is in the log as Python would show it."""
        with self._apart(environment or {}) as (out, err):
            code = 0
            try:
                main(list(arguments))
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception:  # noqa: BLE001 - as the interpreter would
                traceback.print_exc(file=err)
                code = 1
            out.flush()
            err.flush()
            shown = _all_of(out), _all_of(err)
        for secret in self.secrets:
            assert secret not in shown[0] + shown[1], f"{secret} in {shown}"
        return Run(code, lines_of(shown[0]), shown[1])

    def _tidy(self) -> None:
        """Let go of what runs left: each looks through all that is there, and then keeps it."""
        self._runs += 1
        if self._runs % 20 == 1:
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    @contextmanager
    def _apart(
        self, environment: Mapping[str, str]
    ) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
        """Keep what a run does to its process from the next one."""
        handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
        logged = logging.root.handlers[:], logging.root.level
        outside = Path.cwd()
        with (
            tempfile.TemporaryFile() as out_file,
            tempfile.TemporaryFile() as err_file,
            io.TextIOWrapper(out_file, encoding="utf-8", write_through=True) as out,
            io.TextIOWrapper(err_file, encoding="utf-8", errors="backslashreplace") as err,
            patch.dict(os.environ, environment),
            patch.object(sys, "stdout", out),
            patch.object(sys, "stderr", err),
            patch.object(TapBitbucket, "config_files", ()),
            warnings.catch_warnings(),
        ):
            # What a command that fails leaves open is closed by its end.
            warnings.simplefilter("ignore", ResourceWarning)
            os.chdir(self.folder)
            try:
                yield out, err
            finally:
                os.chdir(outside)
                logging.root.handlers[:], logging.root.level = logged
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                self._tidy()


def _all_of(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def says_why(run: Run) -> str | None:
    """Return the one line in which a run refuses, None if it ran; anything else fails here."""
    assert "Traceback" not in run.log, run.log
    errors = [line for line in run.log.splitlines() if "| ERROR" in line or "| CRITICAL" in line]
    if run.code == 0:
        assert errors == [], run.log
        return None
    assert run.code == 1, f"exit {run.code}: {run.log}"
    assert len(errors) == 1, run.log
    last = run.log.splitlines()[-1]
    assert errors == [last], f"the reason is not the last line: {run.log}"
    sentence = last.split("|", 3)[-1].strip()

    assert len(sentence) < 700, sentence
    return sentence


SECRET = "MadeUp-T0ken-that-nobody-may-see"
"""What signs in; and what is put where it does not belong."""

WORD = "made-up-word-that-looks-like-none"
"""A secret that only its place tells to be one."""

FEW = ("workspaces", "repositories", "commits", "pull_requests", "pipelines")
"""Streams with which a run takes a quarter of a second."""

VARIOUS = (
    "repositories", "branches", "commits", "commit_statuses", "pull_requests",
    "pull_request_activity", "pull_request_comments", "pull_request_tasks", "pipelines",
    "pipeline_steps",
)  # fmt: skip
"""Streams of every way of reading that has bookmarks."""


def busy_story(
    server: BitbucketServer, clock: Clock, catalog: dict[str, Any], *streams: str
) -> Story:
    """Let something happen of each kind: a month ago, yesterday, and an hour ago."""
    world = server.world
    person = world.user("ann")
    world.credentials = Credentials("id", "secret", person.email, SECRET, "access")
    world.identities.add_api_token(person.email, SECRET, user=person)
    chosen = slim(only(select(catalog, *streams), *streams))
    story = Story(server, clock, chosen, max_retries=0)
    world.add_repository(story.api.workspace, "docs", project="TWO")
    for days in (-30, -1):
        clock.later(days=days)
        for repo in (story.api, story.web):
            made = world.push(repo, "main", 2)
            world.add_status(repo, made[-1], "build")
            request = open_request(story, repo)
            world.comment(request, story.who("bob"), "Why?")
            world.add_task(request, story.who("bob"), "Do it.")
            world.merge(request, story.who("bob"))
            world.finish_pipeline(world.start_pipeline(repo, steps=("Build",)), "SUCCESSFUL")
        clock.later(days=-days)
    clock.later(hours=-1)
    world.start_pipeline(story.api, steps=("Build",))
    open_request(story)
    clock.later(hours=1)
    return story


class Small:
    """A small world that does not change, and the command that reads it.

    Attributes:
        story: The world.
        run: The command; the files ``config.json`` and ``catalog.json`` are there.
        settings: What is in the config file.
        whole: What a run writes.
    """

    def __init__(self, story: Story, folder: Path) -> None:
        self.story = story
        self.run = Command(folder, [SECRET, WORD])
        self.settings = api_token_config(story.server, max_retries=0, request_timeout=5)
        self.catalog = story.catalog
        self.run.file("config.json", self.settings)
        self.run.file("catalog.json", self.catalog)
        whole = self.run("--config", "config.json", "--catalog", "catalog.json")
        assert whole.code == 0, whole.log
        self.whole = rows_of(whole)
        self.state = whole.state
        assert {one["stream"] for one in self.catalog["streams"]} == set(self.whole)


def rows_of(run: Run) -> dict[str, dict[tuple[Any, ...], Row]]:
    """Return the rows that a run wrote, by stream and key."""
    found: dict[str, dict[tuple[Any, ...], Row]] = {}
    for message in run.messages:
        if message["type"] == "RECORD" and message["stream"] in KEYS:
            stream, row = message["stream"], message["record"]
            found.setdefault(stream, {})[key_of(stream, row)] = row
    return found


@contextmanager
def small(catalog: dict[str, Any], folder: Path, *streams: str) -> Iterator[Small]:
    """Serve a small world, for runs that read some streams."""
    clock = Clock()
    with BitbucketServer(small_world(clock)) as server:
        yield Small(busy_story(server, clock, catalog, *streams), folder)
