"""What many streams ask for, read once per run: workspaces, repositories, and who changed.

The streams that read these lists anyway write what they see into feeds; the streams below them
take it from there. A feed may be read while it grows: comments of the first pull requests are
asked for while later pages of the list of pull requests are still on their way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Key = tuple[str, tuple[tuple[str, Any], ...]]


@dataclass(frozen=True)
class Workspace:
    """A workspace that this run reads.

    Attributes:
        uuid: If the settings name it so; its row is then known already.
    """

    slug: str
    uuid: str | None = None


@dataclass(frozen=True)
class Project:
    """A project that this run reads."""

    uuid: str
    key: str
    workspace: str


@dataclass(frozen=True)
class Repository:
    """A repository that this run reads.

    Attributes:
        workspace: The workspace's slug.
        updated_on: Moves with every push, not with pull requests.
        mainbranch: Name of the main branch; None before the first push.
    """

    uuid: str
    slug: str
    full_name: str
    workspace: str
    updated_on: str | None
    mainbranch: str | None

    @property
    def empty(self) -> bool:
        """Whether nothing was ever pushed."""
        return self.mainbranch is None


@dataclass(frozen=True, slots=True)
class Parent:
    """A row that other rows hang below.

    Attributes:
        key: What identifies it in a bookmark.
        columns: What its children's rows carry of it, also used to fill their path.
        created: When it was created (ISO 8601).
        changed: When it last changed, as far as Bitbucket tells.
        unfinished: Whether it will go on changing without saying so.
        quiet: Whether what lies below it changes without a trace in it.
        counts: What it says about the number of its children.
        link: Where it says that its children are, if that saves a redirect.
        builds_on: The keys of those that come before it, as a commit's parents.
    """

    key: str
    columns: Mapping[str, Any]
    created: str
    changed: str
    unfinished: bool = False
    quiet: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    link: str | None = None
    builds_on: tuple[str, ...] = ()


class Feed(Generic[T]):
    """A list that one thread fills and others read, from its beginning, while it grows.

    Attributes:
        as_of: The moment that the list describes, as the filling stream's bookmark has it.
        mark: A digest of what may change without a trace in the list's cursor.
        narrowed: Whether it ends at ``as_of``, and later items are left to the next run.
    """

    def __init__(self, pump: Callable[[], Iterator[object]] | None = None) -> None:
        self.as_of: str | None = None
        self.mark: str | None = None
        self.narrowed = False
        self._items: list[T] = []
        self._changed = threading.Condition()
        self._finished = False
        self._error: BaseException | None = None
        self._pump = pump
        self._source: Iterator[object] | None = None

    def add(self, item: T) -> None:
        """Append an item."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def finish(self, error: BaseException | None = None) -> None:
        """Say that the list is complete, or why it never will be."""
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether nothing more will be added."""
        return self._finished

    @property
    def failed(self) -> bool:
        """Whether it ended before the list did."""
        return self._error is not None

    def complete(self) -> None:
        """Wait until the list is complete; raise what prevented it."""
        for _ in self:
            pass

    def __iter__(self) -> Iterator[T]:
        position = 0
        while True:
            with self._changed:
                while position >= len(self._items) and not self._finished:
                    if self._pump is None:
                        self._changed.wait()
                    else:
                        self._source = self._source or self._pump()
                        if next(self._source, self) is self:
                            self._finished = True
                if position >= len(self._items):
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items[position]
            position += 1
            yield item


class Directory:
    """The feeds of a run, by stream and partition.

    Args:
        read_now: Reads a stream's partition in the calling thread, filling its feed; used when
            nothing is read ahead.
    """

    def __init__(
        self, read_now: Callable[[str, Mapping[str, Any] | None], Iterator[object]]
    ) -> None:
        self.read_ahead = False
        self.projects: dict[str, Project] = {}
        self.repositories: dict[str, Repository] = {}
        self._read_now = read_now
        self._feeds: dict[Key, Feed[Any]] = {}
        self._lock = threading.RLock()
        self._asked_for: set[Key] = set()
        self._made: dict[Key, Any] = {}

    def add_project(self, uuid: str, key: str, workspace: str) -> None:
        """Note a project that this run reads."""
        self.projects[uuid] = Project(uuid, key, workspace)

    def feed(self, stream: str, context: Mapping[str, Any] | None = None) -> Feed[Any]:
        """Return a feed for reading, whether it is already being filled or not."""
        key = _key(stream, context)
        with self._lock:
            if key not in self._feeds:
                if self.read_ahead:
                    self._feeds[key] = Feed()
                else:
                    self._asked_for.add(key)
                    self._feeds[key] = Feed(lambda: self._read_now(stream, context))
            return self._feeds[key]

    def known(self, stream: str, context: Mapping[str, Any] | None = None) -> Feed[Any] | None:
        """Return a feed that this run fills, None if nothing does."""
        with self._lock:
            return self._feeds.get(_key(stream, context)) if self.read_ahead else None

    def once(
        self, kind: str, context: Mapping[str, Any] | None, make: Callable[[], T]
    ) -> tuple[T, bool]:
        """Return what is made once per run and shared, and whether it was made just now.

        ``make`` must not ask Bitbucket.
        """
        key = _key(kind, context)
        with self._lock:
            fresh = key not in self._made
            if fresh:
                self._made[key] = make()
            return self._made[key], fresh

    def forget(self, context: Mapping[str, Any]) -> None:
        """Let go of what was told about a partition, and below it: all of it is written."""
        gone = set(context.items())
        with self._lock:
            for kept in (self._feeds, self._made):
                for key in [key for key in kept if gone.issubset(key[1])]:
                    del kept[key]

    def filling(self, stream: str, context: Mapping[str, Any] | None = None) -> Feed[Any]:
        """Return a feed for filling.

        Without read-ahead a stream may be read more than once, and not to its end: only the
        reading that a feed asked for itself fills it.
        """
        key = _key(stream, context)
        with self._lock:
            if self.read_ahead:
                return self.feed(stream, context)
            if key in self._asked_for:
                self._asked_for.discard(key)
                return self._feeds[key]
            return Feed()


def _key(stream: str, context: Mapping[str, Any] | None) -> Key:
    return stream, tuple(sorted((context or {}).items()))
