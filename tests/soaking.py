"""A company that works and does not grow, and what a process holds that reads it for long."""

from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.model import Pipeline, PullRequest, Repository
from tests.faulting import KINDS, Place
from tests.story import Story, open_request

_OURS = ("tap_bitbucket", "singer_sdk", "requests", "urllib3", "msgspec", "backoff", "filelock")
_OF_THE_STAND_IN = ("tap_bitbucket.demo",)
_SERVING = ("process_request_thread", "serve_forever")
_PATIENCE = 10.0
_SLOW = {"no answer in time", "a byte now and then", "bytes without end", "refused for a while"}


@dataclass
class Life:
    """What people do from one sync to the next: as much ends as begins."""

    story: Story
    random: Random
    open: list[PullRequest] = field(default_factory=list)
    running: list[Pipeline] = field(default_factory=list)
    made: list[tuple[Repository, str]] = field(default_factory=list)
    number: int = 0

    def day(self) -> None:
        """Let a day pass, or some hours."""
        self.work()
        self.story.clock.later(hours=self.random.choice((1, 5, 24)))

    def work(self) -> None:
        """Let all kinds of things happen once, and end those of some days ago."""
        self.number += 1
        world, repo, bob = self.story.world, self._repo, self.story.who("bob")
        (commit,) = world.push(repo, "main", 1)
        world.add_status(repo, commit, "build", "SUCCESSFUL")
        self.open.append(open_request(self.story, repo))
        comment = world.comment(self.random.choice(self.open), bob, f"Day {self.number}")
        world.edit_comment(comment, f"Day {self.number}, again")
        world.approve(self.open[-1], bob)
        self.running.append(world.start_pipeline(repo))
        self.made.append((repo, f"made-{self.number}"))
        world.add_branch(*self.made[-1])
        self._end()

    @property
    def _repo(self) -> Repository:
        return self.random.choice((self.story.api, self.story.web))

    def _end(self) -> None:
        world, bob = self.story.world, self.story.who("bob")
        while len(self.open) > 3:
            request = self.open.pop(0)
            world.decline(request, bob, "No.")
            world.delete_branch(request.repository, request.source_branch)
        while len(self.running) > 1:
            pipeline = self.running.pop(0)
            world.finish_pipeline(pipeline)
            place = pipeline.repository
            world.deploy(place, place.environments[0], "COMPLETED", pipeline=pipeline)
        while len(self.made) > 3:
            world.delete_branch(*self.made.pop(0))

    def trouble(self, lines: list[str]) -> None:
        """Order some faults at requests of the last sync; those that take seconds are left out."""
        server = self.story.server
        server.faults.clear()
        kinds = [kind for kind in KINDS if kind.name not in _SLOW]
        for line in self.random.sample(lines, min(4, len(lines))):
            self.random.choice(kinds).order(Place(server, line))
        during = self.random.choice(("/pullrequests", "/refs", "/commits", "/pipelines"))
        server.faults.add(Fault(during, action="callback", callback=self.work))


@dataclass(frozen=True)
class Held:
    """What a process holds after a sync.

    Attributes:
        threads: Besides those of the stand-in.
        files: File descriptors, sockets among them.
        objects: Of the tap and of the libraries it uses.
        traced: Bytes that these have allocated.
        mebibytes: Resident, with the stand-in, the target and the tests.
    """

    threads: int
    files: int
    objects: int
    traced: int
    mebibytes: float


def settled(most: Held | None) -> Held:
    """Measure; where there is more than there was, wait for what ends on the server's side."""
    ends = time.monotonic() + _PATIENCE
    while True:
        gc.collect()
        found = Held(_threads(), _files(), objects().total(), traced(), resident())
        grown = most and (
            found.threads > most.threads or found.files > most.files or found.objects > most.objects
        )
        if not grown or time.monotonic() > ends:
            return found
        time.sleep(0.02)


def _threads() -> int:
    serving = tuple(f"({name})" for name in _SERVING)
    return sum(not thread.name.endswith(serving) for thread in threading.enumerate())


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def objects() -> Counter[str]:
    """Count what there is of each class of the tap and of its libraries."""
    kinds = Counter(type(one) for one in gc.get_objects())
    found: Counter[str] = Counter()
    for kind, count in kinds.items():
        module = str(kind.__module__)
        if module.startswith(_OURS) and not module.startswith(_OF_THE_STAND_IN):
            found[f"{module}.{kind.__qualname__}"] += count
    return found


def traced() -> int:
    """Return how many bytes the tap and its libraries hold, if memory is traced."""
    if not tracemalloc.is_tracing():
        return 0
    include = [tracemalloc.Filter(inclusive=True, filename_pattern=f"*/{one}/*") for one in _OURS]
    exclude = [tracemalloc.Filter(inclusive=False, filename_pattern="*/tap_bitbucket/demo/*")]
    return sum(
        one.size
        for one in tracemalloc.take_snapshot()
        .filter_traces([*include, *exclude])
        .statistics("filename")
    )


def resident() -> float:
    """Return the resident memory of this process in mebibytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
