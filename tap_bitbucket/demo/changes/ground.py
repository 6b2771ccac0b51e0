"""What every part of a world stands on: lock, clock, names, and looking things up."""

from __future__ import annotations

import hashlib
import threading
import uuid as uuids
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast

from tap_bitbucket.demo.model import Repository, User, Workspace
from tap_bitbucket.demo.times import Clock

_F = TypeVar("_F", bound=Callable[..., Any])


def change(method: _F) -> _F:
    """Make a method a change: under the world's lock, and noticed by every cache."""

    @wraps(method)
    def locked(self: Ground, *args: Any, **kwargs: Any) -> Any:
        with self.lock:
            self.version += 1
            return method(self, *args, **kwargs)

    return cast("_F", locked)


class Ground:
    """The world's people and places, and what all other parts need: lock, clock, names."""

    def __init__(self, seed: str = "world") -> None:
        """Start empty; `seed` decides all uuids and hashes."""
        self.lock = threading.RLock()
        self.version = 0
        self.seed = seed
        self.users: dict[str, User] = {}
        self.workspaces: dict[str, Workspace] = {}
        self.secrets: set[str] = set()
        self._clock = Clock()
        self._counter = 0
        self._beside = 1_000_000

    @property
    def now(self) -> Clock:
        """The clock: call it for the time, assign a datetime (or a callable, None) to set it."""
        return self._clock

    @now.setter
    def now(self, to: datetime | Callable[[], datetime] | None) -> None:
        self._clock.set(to)

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    def _uuid(self, kind: str) -> str:
        text = f"{self.seed}:{kind}:{self._next()}"
        digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
        return "{" + str(uuids.UUID(bytes=digest, version=4)) + "}"

    @contextmanager
    def aside(self, at: datetime) -> Iterator[None]:
        """Let things happen at `at` that take no number and no instant from other things.

        So what is added to a world inside leaves the ids and hashes of all the rest as they are.
        """
        with self.lock, self._clock.aside(at):
            self._counter, self._beside = self._beside, self._counter
            try:
                yield
            finally:
                self._counter, self._beside = self._beside, self._counter

    def plant(self, secret: str) -> str:
        """Note a string that no client may give away, and return it to put it somewhere."""
        self.secrets.add(secret)
        return secret

    # -- looking up ------------------------------------------------------------------------

    def workspace(self, name: str) -> Workspace:
        """Find a workspace by slug or uuid."""
        for workspace in self.workspaces.values():
            if name in (workspace.slug, workspace.uuid):
                return workspace
        raise KeyError(name)

    def repository(self, full_name: str | Repository) -> Repository:
        """Find a repository by `workspace/slug` (or uuids)."""
        if isinstance(full_name, Repository):
            return full_name
        where, _, name = full_name.partition("/")
        repositories = self.workspace(where).repositories
        if name in repositories:
            return repositories[name]
        for repository in repositories.values():
            if repository.uuid == name:
                return repository
        raise KeyError(full_name)

    def repositories(self) -> list[Repository]:
        """List all repositories of all workspaces."""
        return [one for where in self.workspaces.values() for one in where.repositories.values()]

    def user(self, name: str) -> User:
        """Find somebody by uuid, account id, nickname or display name."""
        for user in self.users.values():
            if name in (user.uuid, user.account_id, user.nickname, user.display_name):
                return user
        raise KeyError(name)

    def _workspace(self, workspace: str | Workspace) -> Workspace:
        return workspace if isinstance(workspace, Workspace) else self.workspace(workspace)
