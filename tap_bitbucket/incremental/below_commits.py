"""BelowCommits: one list per commit that is new, and for a while after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.commit_walk import (
    SHORT,
    WALKED,
    between,
    oldest_first,
    since,
    telling,
)
from tap_bitbucket.incremental.new_commits import shared_walk
from tap_bitbucket.incremental.passes import OVERLAP, Context, Pass, Row, Strategy, floor_of
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.state import State, at_or_after, earlier

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

DAY = 86_400.0

_NEWEST = 20
"""Heads that are asked about by themselves while their commits' dates decide about the rest."""

_MOST = 5000
"""Commits asked about again that a state lists. Where there are more, the rest waits for a run."""


@dataclass(frozen=True)
class BelowCommits(Strategy):
    """Read the lists below the commits that are new since this stream's own bookmark.

    What is said about a commit (a build, a report, a comment) comes after it and moves nothing in
    it. So the commits that were new within the last day, or within ``lookback`` if that is more,
    are read again, of which the rows that were updated count; and so are those with a row that
    was unfinished. When a commit was new is known from heads, not from its date: the bookmark
    keeps the heads of about a day ago, too.

    Attributes:
        replication_key: A date in the rows, for the catalog; the bookmark is the commits'.
        window: Seconds for which a commit is read again after it was new; None for what never
            changes.
    """

    replication_key: str = "updated_on"
    window: float | None = DAY

    def begin(self, stream: BitbucketStream, context: Context) -> BelowCommitsPass:
        """Return a pass over one partition."""
        return BelowCommitsPass(self, stream, context)


class BelowCommitsPass(Pass):
    """See ``BelowCommits``.

    State beside that of ``NewCommits``: ``window_heads`` as of ``window_from``, which is longer
    ago than the window; ``later_heads`` as of ``later_from``, which take their place in time;
    ``heads_as_of``; and, where a run was cut, in a ``first_pass`` or a later one, ``before_cut``:
    the ``heads`` that the last whole run knew, when the first one that was cut began (``as_of``),
    and which known commits were ``asked`` about since, that the runs after it go on behind them.
    """

    def __init__(self, strategy: BelowCommits, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._strategy = strategy
        self._commits: BitbucketStream = stream.related("commits")
        self._walk, self._to_read = shared_walk(self._commits, context, self.before)
        self.floor = floor_of(stream, self.before)
        self._window = max(strategy.window or 0.0, stream.lookback)
        self._edge = earlier(stream.now, self._window)
        self._as_of: str | None = self.before.get("replication_key_value")
        self._unfinished: set[str] = set()
        self._taken: dict[str, Parent] = {}
        self._done: dict[str, Parent] = {}
        self._cut: State = self.before.get("before_cut", {})
        self._asked: set[str] = set(self._cut.get("asked", ()))
        self._asked_of_all = len(self._asked) < _MOST

    def readings(self) -> Iterator[Step]:
        """Yield a list per commit, and before them those that tell the commits."""
        # Before anything is asked: a list below may be read long before the last one.
        self._as_of = earlier(self.stream.now, OVERLAP)
        taken: set[str] = set()
        for step in self._new():
            if not isinstance(step, Parent):
                yield step
            elif step.key not in taken and self._wanted(step):
                taken.add(step.key)
                self._taken[step.key] = step
                yield self._below(step)
        if self._walk.first or not self._asked_of_all or self._strategy.window is None:
            return
        for step in self._known_before():
            if not isinstance(step, Parent):
                yield step
            elif step.key not in taken and step.key[:SHORT] not in self._asked:
                taken.add(step.key)
                yield self._below(step, self.floor)

    def _known_before(self) -> Iterator[Step | Parent]:
        """Yield the commits of which more may have been said."""
        yield from map(self.stream.parent_of, self.before.get("unfinished", []))
        yield from self._recent()

    def _below(self, commit: Parent, since: str | None = None) -> Reading:
        reading = self.stream.reading_below(self.context, commit, since)
        if reading.feed is not None:
            reading.feed.as_of = self._as_of
        told = self.stream.told_as_of(self.context, commit)
        if told is not None and at_or_after(self._as_of, told):
            self._as_of = told  # what another stream was told before counts as of then
        return reading

    @property
    def _known_heads(self) -> Sequence[str]:
        """Return the heads that the last run knew that was not cut."""
        heads: Sequence[str] = (self._cut or self.before).get("heads", ())
        return heads

    @property
    def _first_pass(self) -> bool:
        return self._walk.first or bool(self.before.get("first_pass"))

    def _wanted(self, commit: Parent) -> bool:
        return not self._first_pass or at_or_after(commit.created, self.stream.start_date)

    def _new(self) -> Iterator[Step | Parent]:
        """Yield the walk, unless another stream takes it, and then its commits."""
        if not self._walk.due:
            return
        if not self.stream.directory.read_ahead:
            yield from self._walk.feed
            return
        if self._to_read:
            yield Reading(lambda: _silently(self._walk.read()), feed=self._walk.feed)
        yield Until(self._walk.feed)
        yield from oldest_first(self._walk.feed)

    def done(self, reading: Reading) -> None:
        """Note that what lies below a commit is out."""
        key = reading.columns.get("commit_hash")
        if key in self._taken:
            self._done[key] = self._taken.pop(key)
        elif key is not None:
            self._asked.add(key[:SHORT])

    def checkpoint(self) -> State | None:
        """Return a state from which the next run goes on after the commits that are done.

        They are all that their newest ones reach, so these are heads like any others. The
        bookmark stays: not all that was known before was asked about.
        """
        if not self._done and not self._asked:
            return None
        below = {up for commit in self._done.values() for up in commit.builds_on}
        heads = {*self.before.get("heads", ()), *self._done} - below
        told = self._unfinished & self._done.keys()
        if self._known_heads and "window_from" not in self.before:  # dates may decide: _recent
            told = set(self._done)
        asked = {*self._asked, *(key[:SHORT] for key in told)}
        cut = {"heads": self._known_heads, "as_of": self._began, "asked": sorted(asked)[:_MOST]}
        state = {**self.before, "heads": sorted(heads), "before_cut": cut}
        state |= {"first_pass": True} if self._first_pass else {}
        for name in ("context", "repository_updated_on"):
            state.pop(name, None)
        return {**state, **self._read_as_of(whole=False)}

    @property
    def _began(self) -> str | None:
        """Return as of when all is read, once all is: since a run was cut, as of its beginning."""
        return self._cut.get("as_of") or self._as_of

    def _recent(self) -> Iterator[Step | Parent]:
        """Yield the commits that the last run knew and that were new within the window."""
        if not self._known_heads or not self._since_edge(self.before.get("heads_as_of")):
            return  # all that the last run knew was known for longer than the window
        commits, context = self._commits, self.context
        tips = self._known_heads
        edge: Sequence[str] = self.before.get("window_heads") or self.before.get("later_heads", [])
        if not set(tips) <= set(edge):
            yield from self._told([tips, edge], lambda: between(commits, context, tips, edge))
        pushed = self._since_edge(self.stream.repository(context).updated_on)
        if pushed and self._since_edge(self.before.get("window_from")):
            # The heads of so long ago are not known: only on the first day, or where lookback was
            # made longer. The newest of each branch, and the commits' own dates, have to do.
            yield from map(self.stream.parent_of, tips[:_NEWEST])
            for step in self._told(self._window, lambda: since(commits, context, self._edge)):
                if not isinstance(step, Parent) or at_or_after(step.created, self._edge):
                    yield step

    def _since_edge(self, when: str | None) -> bool:
        """Whether a moment lies within the window; one that is not known may."""
        return when is None or at_or_after(when, self._edge)

    def _told(self, what: object, ask: Callable[[], Iterator[Page]]) -> Iterator[Step | Parent]:
        """Yield a reading that tells commits, unless another stream had it, and then these."""
        directory = self.stream.directory
        if not directory.read_ahead:
            now: Feed[Parent] = Feed(lambda: telling(now, ask()))
            yield from now
            return
        place = {**(self.context or {}), "what": msgspec.json.encode(what).decode()}
        feed, fresh = directory.once("recent commits", place, Feed[Parent])
        if fresh:
            yield Reading(lambda: _silently(telling(feed, ask())), feed=feed)
        yield Until(feed)
        yield from feed

    def accept(self, row: Row) -> bool:
        """Write every row."""
        self.known(row)
        return True

    def known(self, row: Row) -> None:
        """Remember the commit of a row that will go on changing."""
        if self.stream.unfinished(row):
            self._unfinished.add(self.stream.parent_key(row))

    def bookmark(self) -> State | None:
        """Return the heads of now, and those of about a window ago."""
        state = {name: self.before[name] for name in WALKED if name in self.before}
        if self._walk.due:
            state = self._walk.state()
        if "heads" not in state:
            return None
        state |= self._read_as_of(whole=self._asked_of_all)
        if self._strategy.window is None:
            return state
        return {**state, **self._generations([*state["heads"], *state.get("anchors", ())])}

    def _read_as_of(self, *, whole: bool) -> State:
        """Return the bookmark, and the commits that will go on changing.

        Args:
            whole: Whether the commits that were known before were asked about, too.
        """
        state: State = {}
        as_of = self._began if whole else self.before.get("replication_key_value") or self._as_of
        if as_of:
            state["replication_key"] = self._strategy.replication_key
            state["replication_key_value"] = as_of
        known: Iterable[str] = self.before.get("unfinished", ())
        if whole:
            former = self._cut.get("asked", ())  # by a run before this one, so not by this one
            known = [key for key in known if key[:SHORT] in former]
        unfinished = sorted({*known, *self._unfinished})
        return {**state, "unfinished": unfinished} if unfinished else state

    def _generations(self, heads: Sequence[str]) -> State:
        """Return the heads and anchors of two moments: a window ago or longer, and since then."""
        names = ("window_heads", "window_from", "later_heads", "later_from")
        known = {name: self.before[name] for name in names if name in self.before}
        stamp = {"heads_as_of": self.stream.now}
        now = {"later_heads": heads, "later_from": self.stream.now, **stamp}
        last = self.before.get("heads_as_of")
        if "later_from" not in known:
            return now
        if last and not self._since_edge(last):
            former = [*self._known_heads, *self.before.get("anchors", ())]
            return {"window_heads": former, "window_from": last, **now}
        if self._since_edge(known["later_from"]):
            return {**known, **stamp}
        aged = {"window_heads": known["later_heads"], "window_from": known["later_from"]}
        return {**aged, **now}


def _silently(pages: Iterator[Page]) -> Iterator[Page]:
    """Read for those who are told, not for rows."""
    for _ in pages:
        pass
    yield from ()
