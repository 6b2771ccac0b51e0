"""What may happen at Bitbucket: each change by name, with two numbers that say to what and how."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TypeVar

from tap_bitbucket.demo.model import Comment, PullRequest, Repository, Workspace
from tests.model.promises import Promises
from tests.story import Story

T = TypeVar("T")

LONG_AGO = datetime(2009, 3, 1, 12, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Change:
    """Something that happens: ``way`` to the thing with the number ``which``, as ``how`` says."""

    way: str
    which: int = 0
    how: int = 0


class Actors:
    """What all people have in common: the world, and ways to find something in it.

    Attributes:
        promises: What was done that the tap need not notice.
        failed: What went wrong in a change that was made while a list was read.
    """

    def __init__(self, story: Story, promises: Promises) -> None:
        self.story, self.world, self.promises = story, story.world, promises
        self.failed: list[Exception] = []
        self._number = 0
        self._lock = threading.Lock()

    def do(self, change: Change) -> None:
        """Let a change happen; one for which there is nothing it could happen to does not."""
        way: Callable[[int, int], object] = getattr(self, change.way)
        with self.world.lock:
            way(change.which, change.how)

    def all_of(self, changes: Sequence[Change]) -> None:
        """Let changes happen while a list is read, by a thread whose errors nobody sees."""
        try:
            for change in changes:
                self.do(change)
        except Exception as error:  # noqa: BLE001 - told by the thread of the test
            self.failed.append(error)

    def name(self, kind: str) -> str:
        """Return a name that nothing has."""
        with self._lock:
            self._number += 1
            return f"{kind}-{self._number}"

    @property
    def workspace(self) -> Workspace:
        """Return the workspace in which all begins."""
        return next(iter(self.world.workspaces.values()))

    @property
    def repositories(self) -> list[Repository]:
        """Return the repositories."""
        return self.world.repositories()

    @property
    def filled(self) -> list[Repository]:
        """Return the repositories that are not empty."""
        return [one for one in self.repositories if one.mainbranch in one.branches]

    def requests(self, *states: str) -> list[PullRequest]:
        """Return the pull requests in these states, or in any."""
        every = [one for repo in self.repositories for one in repo.pull_requests.values()]
        return [one for one in every if not states or one.state in states]

    def comments(self) -> list[Comment]:
        """Return the comments on pull requests that can be changed."""
        every = [one for request in self.requests() for one in request.comments]
        return [one for one in every if not one.deleted and not one.pending]


def any_of(things: Sequence[T], which: int) -> T | None:
    """Return one of some things, if there is one."""
    return things[which % len(things)] if things else None
