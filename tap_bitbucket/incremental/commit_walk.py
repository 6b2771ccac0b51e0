"""The walk over the commits that the heads of now reach and the heads of the last run did not.

A commit's date is what its author's clock said, so no date finds what was pushed today. The heads
do: ``POST commits`` with the present ones included and the former ones excluded. Of the heads, a
bookmark keeps in full those that no other commit has as a parent (enough to exclude all that is
known) and of the rest twelve characters (to know them again). Branches are rewritten and their
former heads forgotten, so it also keeps a few anchors: older commits, ever further apart, that
still exclude nearly all that is known.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.errors import unknown_hashes
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.refusals import NotFound
from tap_bitbucket.http.request import Request
from tap_bitbucket.incremental.passes import Context, fill, raw_rows
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

WALKED = ("heads", "known", "anchors", "repository_updated_on", "walk")
"""What a walk leaves in the state, and the next one begins from.

``walk`` is there where a run was cut amid one: its ``heads``, and the commits ``left`` to read,
which with all that they build on are the rest of it.
"""

_CHUNK = 100
"""Hashes in one request. Bitbucket documents no limit; others send this many."""

_MANY = 500
"""Known heads that are excluded beside the tips, which alone suffice as long as they exist."""

SHORT = 12
"""Characters that are enough to know a commit again."""

_ANCHORS = 12
"""Older commits in a bookmark: 40 bytes each."""

_PAST = 300
"""Commits older than a date in a row that are past it: some may be a branch of long ago."""


@decodable
class _Ref(msgspec.Struct):
    hash: str


@decodable
class Commit(msgspec.Struct):
    """What a walk looks at."""

    hash: str
    date: str = ""
    parents: list[_Ref] | None = None


class CommitWalk:
    """The commits of a repository that are new since a state; read once, told to many.

    Args:
        commits: The stream of commits, which knows how to ask for them.
        context: The repository.
        before: The state that the last walk left.

    Attributes:
        feed: Every commit of the walk, as a parent.
        first: Whether there was no walk before; ``start_date`` then bounds this one.
        due: Whether anything can have changed.
    """

    def __init__(self, commits: BitbucketStream, context: Context, before: State) -> None:
        repository = commits.repository(context)
        self._commits = commits
        self._context = context
        self._updated_on = repository.updated_on
        self.cut: State = before.get("walk", {})
        self._updated_on = self.cut.get("updated_on", self._updated_on)
        self.tips = set(before.get("heads", []))
        self._known = set(before.get("known", []))
        self.first = "heads" not in before
        self._heads: dict[str, None] = {}
        self._parents: set[str] = set()
        self._count = 0
        self._passed: list[str] = []
        self.anchors: list[str] = before.get("anchors", [])
        changed = self.first or before.get("repository_updated_on") != self._updated_on
        self.due = bool(self.cut) or (changed and not repository.empty)
        self.feed: Feed[Parent] = Feed(None if commits.directory.read_ahead else self.read)

    def read(self) -> Iterator[Page]:
        """Yield the pages of the walk, telling the feed."""

        def note(commit: Commit) -> None:
            self._count += 1
            if self._count > 1 and self._count - 1 & self._count - 2 == 0:  # 2nd, 3rd, 5th, 9th, …
                self._passed.append(commit.hash)
            for parent in commit.parents or ():
                if parent.hash in self._heads:
                    self._parents.add(parent.hash)

        return telling(self.feed, self._read(), note, heard=self._commits.heard)

    def _read(self) -> Iterator[Page]:
        if self.cut:
            self._heads = dict.fromkeys(self.cut["heads"])
            excluded = self.tips.union(self.anchors)
            rest = between(self._commits, self._context, self.cut["left"], excluded)
            yield from _down_to(self._commits.start_date if self.first else None, rest)
            return
        # Heads first: what is pushed while the commits are read is found by the next run.
        self._heads = dict.fromkeys(self._commits.heads(self._context))
        if self.first:
            yield from since(self._commits, self._context, self._commits.start_date)
            return
        new = [
            head
            for head in self._heads
            if head not in self.tips and head[:SHORT] not in self._known
        ]
        # Also those heads of now that were known: should a rewritten tip be forgotten, they
        # still bound what is read.
        known = [head for head in self._heads if head[:SHORT] in self._known][:_MANY]
        excluded = self.tips.union(known, self.anchors)
        yield from between(self._commits, self._context, new, excluded)

    def state_amid(self, left: Iterable[str]) -> State:
        """Return from what to go on when a run is cut."""
        return {"heads": list(self._heads), "left": list(left), "updated_on": self._updated_on}

    @property
    def begins_with(self) -> Iterable[str]:
        """Return the commits that with all that they build on are the walk."""
        return self.cut["left"] if self.cut else self._heads

    def state(self) -> State:
        """Return the heads of now, once the walk is done."""
        tips = [head for head in self._heads if head not in self._parents]
        tips = [head for head in tips if head[:SHORT] not in self._known or head in self.tips]
        tips = tips or list(self._heads)
        rest = sorted(head[:SHORT] for head in self._heads if head not in tips)
        state: State = {"heads": sorted(tips), "repository_updated_on": self._updated_on}
        optional = {"known": rest, "anchors": self._thinned(tips)}
        return state | {name: value for name, value in optional.items() if value}

    def _thinned(self, tips: Sequence[str]) -> list[str]:
        """Return the anchors, newest first: those of this walk, and of the older ones some."""
        found = [one for one in dict.fromkeys([*self._passed, *self.anchors]) if one not in tips]
        while len(found) > _ANCHORS:
            half = _ANCHORS // 2
            found = [*found[:half], *found[half::2]]
        return found


def telling(
    feed: Feed[Parent],
    source: Iterator[Page],
    note: Callable[[Commit], None] = lambda _: None,
    *,
    heard: bool = True,
) -> Iterator[Page]:
    """Pass pages of commits on, telling a feed of each commit.

    Args:
        feed: Holds a commit for as long as the run lasts: only where somebody listens.
        source: The pages.
        note: Is shown each commit.
        heard: Whether somebody listens.
    """

    def tell(page: Page | None) -> None:
        if page is None:
            return
        for _, commit in raw_rows(page, Commit):
            note(commit)
            if not heard:
                continue
            columns = {"commit_hash": commit.hash, "commit_date": commit.date or None}
            above = tuple(parent.hash for parent in commit.parents or ())
            feed.add(Parent(commit.hash, columns, commit.date, commit.date, builds_on=above))

    return fill(feed, source, tell)


def oldest_first(commits: Iterable[Parent]) -> Iterator[Parent]:
    """Yield commits so that each comes after all that it builds on.

    The first so many of them are then all that their newest ones reach: a walk goes on from there.
    """
    known = {commit.key: commit for commit in commits}
    order = {key: -number for number, key in enumerate(known)}  # Bitbucket lists the newest first
    waits = {key: sum(up in known for up in one.builds_on) for key, one in known.items()}
    below: dict[str, list[str]] = {}
    for key, one in known.items():
        for up in one.builds_on:
            below.setdefault(up, []).append(key)
    ready = [(order[key], key) for key, count in waits.items() if count == 0]
    heapq.heapify(ready)
    while ready:
        _, key = heapq.heappop(ready)
        yield known[key]
        for child in below.get(key, ()):
            waits[child] -= 1
            if waits[child] == 0:
                heapq.heappush(ready, (order[child], child))


def since(commits: BitbucketStream, context: Context, floor: str | None) -> Iterator[Page]:
    """Yield the pages of all commits, down to a date and a little further."""
    yield from _down_to(floor, commits.pages(commits.listing(context)))


def _down_to(floor: str | None, pages: Iterator[Page]) -> Iterator[Page]:
    past = 0
    for page in pages:
        yield page
        # The list is topological, newest first.
        old = not any(at_or_after(row.get("date"), floor) for row in page.rows())
        past = past + len(page.values) if old else 0
        if past >= _PAST:
            return


def between(
    commits: BitbucketStream, context: Context, included: Sequence[str], excluded: Iterable[str]
) -> Iterator[Page]:
    """Yield the pages of what ``included`` reach and ``excluded`` do not."""
    known = sorted(excluded)
    for start in range(0, len(included), _CHUNK):
        chunk = included[start : start + _CHUNK]
        yield from _chunk(commits, context, chunk, known)
        known = [*known, *chunk]


def _chunk(
    commits: BitbucketStream, context: Context, included: Sequence[str], excluded: Sequence[str]
) -> Iterator[Page]:
    """Read without hashes that are gone.

    After a force-push Bitbucket may have forgotten commits; it then answers 404 and names them in
    ``error.data.shas``.
    """
    listing = commits.listing(context)
    include, exclude = list(included), list(excluded)
    while include:
        form = (*(("include", sha) for sha in include), *(("exclude", sha) for sha in exclude))
        request: Request = replace(listing.request, form=form)
        try:
            yield from commits.pages(Listing(request, simpler=listing.simpler))
        except NotFound as error:
            gone = unknown_hashes(error.body)
            kept = [sha for sha in exclude if not _named(sha, gone)]
            left = [sha for sha in include if not _named(sha, gone)]
            if (len(kept), len(left)) == (len(exclude), len(include)):
                if not exclude:
                    raise
                # It does not say which: all of them then, which reads more but misses nothing.
                kept = []
            include, exclude = left, kept
        else:
            return


def _named(sha: str, gone: Sequence[str]) -> bool:
    return any(sha.startswith(name) or name.startswith(sha) for name in gone)
