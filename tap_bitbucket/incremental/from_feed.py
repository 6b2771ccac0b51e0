"""FromFeed: children of new parents from a feed that holds them, the others parent by parent.

The activity of a repository brings fifty entries a request, with each new comment whole in its
entry; a list per pull request brings a handful. The feed cannot show what happened to older
comments, so a pull request that was known before and changed is asked for its list. Of a new one
all comments are in the feed, and their number must be the one that the pull request tells.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental.changed_parents import ChangedParents, ChangedParentsPass
from tap_bitbucket.incremental.feed_cut import FeedCut
from tap_bitbucket.incremental.feed_told import FeedTold, fingerprint
from tap_bitbucket.incremental.feed_trust import ODD_SAMPLES, FeedTrust
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.plan import Parts, Reading, Step, Until
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_ENTRIES = 3
"""Entries of a pull request beside its comments, as a rule: opened, approved, merged."""

_FEED_PAGE, _LIST_PAGE = 50, 100

_SPARE = 12
"""Parents in a state beside those that are to be compared: some may change before they are."""


@dataclass(frozen=True)
class FromFeed(ChangedParents):
    """Take what is new from a feed, where that is cheaper.

    Attributes:
        feed: The stream whose rows hold this one's.
    """

    feed: str = ""

    def begin(self, stream: BitbucketStream, context: Context) -> FromFeedPass:
        """Return the pass over one partition: the stream of the feed looks at the same one."""
        if not stream.directory.read_ahead:
            return FromFeedPass(self, stream, context)

        def make() -> FromFeedPass:
            return FromFeedPass(self, stream, context)

        return stream.directory.once(f"pass of {stream.name}", context, make)[0]


class FromFeedPass(ChangedParentsPass):
    """See ``FromFeed``.

    Attributes:
        listening: Whether the pass over the feed will tell this one about it.
        feeds: Whether what the feed tells, or told an earlier run, is used.
        feed_floor: How far down it is needed; None if it need not be read.

    State beside that of ``ChangedParents``, where a run was cut: ``cut``, see ``FeedCut``.
    """

    _strategy: FromFeed

    def __init__(self, strategy: FromFeed, stream: BitbucketStream, context: Context) -> None:
        super().__init__(strategy, stream, context)
        self.feeds = False
        self.feed_floor: str | None = None
        self._cut = FeedCut(self.before.get("cut", {}))
        self._parents: dict[str, Parent] = {}
        self._told = FeedTold(self._cut.until, self._cut.shows)
        self._queued = False
        self.listening = False
        self._ready: Feed[None] = Feed()
        self._to_ask: dict[str, None] | None = None
        self._asked: dict[str, str] = {}
        self._heard: Feed[None] = Feed()
        self._decided: Feed[None] = Feed()
        self._decided_before: Feed[None] | None = None
        self._results: Feed[bool] = Feed()
        self._compared = 0
        self._prints: dict[str, int] = {}
        self._agrees: dict[str, bool] = {}
        self._lock = threading.Lock()
        self._trust: FeedTrust = stream.feed_trust

    def opened(self) -> None:
        """Take a place among the passes, which decide one after the other."""
        if not self._queued and self.stream.selected:
            self._queued = True
            self._decided_before = self._trust.queue(self._decided)

    def undecided(self) -> Iterator[Until]:
        """Yield what must be complete before it is known whether the feed is trusted."""
        if self._trust.whole is None and self._decided_before is not None:
            yield Until(self._decided_before)

    # -- before the feed is read, in a worker -----------------------------------------------------

    def prepare(self, *, reads: bool, floor: str | None) -> None:
        """Decide whether the feed is used; the parents are known by now.

        Args:
            reads: Whether the feed is read in any case.
            floor: How far down it is then read.
        """
        if not self._ready.finished:
            self._prepare(reads=reads, floor=floor)
            self._ready.finish()

    def _prepare(self, *, reads: bool, floor: str | None) -> None:
        counter = self._strategy.unless_zero or ""
        self._parents = {parent.key: parent for parent in self._feed}
        new = [one for one in self._parents.values() if self._is_fed(one)]
        partial = self.before.get("partial") or self._feed.narrowed
        if self._trust.whole is False or partial:
            return
        # What is left of an earlier run goes by what the feed told then, read again or not.
        self.feeds = bool(self._cut) and (self._trust.whole is True or self._cut.is_to_compare)
        if not new:
            return
        lists = sum(-(-one.counts[counter] // _LIST_PAGE) for one in new)
        lowest = min(one.created for one in new)
        entries = sum(
            _ENTRIES + one.counts.get(counter, 0)
            for one in self._parents.values()
            if at_or_after(one.changed, lowest)
        )
        free = reads and at_or_after(lowest, floor)
        if free or 1 + entries // _FEED_PAGE < lists:
            self.feeds, self.feed_floor = True, lowest
            for one in new:
                children, print_ = self._cut.open.get(one.key, (0, "0"))
                self._told.expect(one.key, one.counts[counter], children, int(print_, 16))

    def _is_fed(self, parent: Parent) -> bool:
        """Whether all children of a parent are in the part of the feed that is read."""
        counted = self._strategy.unless_zero in parent.counts
        return counted and self._is_left(parent) and self._is_new(parent)

    def _is_new(self, parent: Parent) -> bool:
        """Whether no run before can have seen a parent, one that was cut neither."""
        return super()._is_new(parent) and not self._cut.has_seen(parent)

    def _is_left(self, parent: Parent) -> bool:
        """Whether a parent is due, and was not dealt with before the run was cut."""
        return self._wants(parent) and self._cut.leaves(parent)

    # -- while the feed is written, in the main thread --------------------------------------------

    def hears(self, key: str, when: str | None) -> None:
        """Take note of an entry of the feed."""
        self._told.entry(key, when)

    def hears_child(self, key: str, child: Row) -> bool:
        """Take note of a child in the feed; whether it is to be written."""
        return self._told.child(key, child)

    def heard_page(self, page: Page, oldest: str | None) -> None:
        """Note that a page of the feed is written, and how far down that is."""
        self._told.page(page, oldest)

    def heard_all(self, *, failed: bool) -> None:
        """Note that the feed is written to its end, or cannot be read."""
        if not self._heard.finished:
            self._told.failed = failed
            self._heard.finish()
            self._ready.finish()

    # -- after it ---------------------------------------------------------------------------------

    def readings(self) -> Iterator[Step]:
        """Yield a list per parent that the feed does not tell about."""
        try:
            yield Until(self._feed)
            if self.listening:
                yield Until(self._ready)
            if not self.feeds:
                self._decided.finish()
                yield from super().readings()
                return
            yield Until(self._heard)
            if self._decided_before is not None:
                yield Until(self._decided_before)
            self._prints = sampled = {} if self._trust.whole is not None else self._samples()
            self._compared = len(sampled)
            for key in sampled:
                yield from self._below(self._parents[key])
            if sampled:
                yield Until(self._results)
                self._trust.compared(self._results)
            if self._told.proves:
                self._trust.proven()
            self._decided.finish()
            for parent in self._feed:
                self._seen.note(parent.key, parent.changed, since=self._feed.as_of)
            self._to_ask = dict.fromkeys(key for key in self._asks() if key not in sampled)
            for key in list(self._to_ask):
                yield from self._below(self._parents.get(key) or self.stream.parent_of(key))
        finally:
            self._decided.finish()

    def _asks(self) -> list[str]:
        """Return the parents whose own lists must be read, in the order of their cursor."""
        trusted = self._trust.whole is True
        asks = [
            one
            for one in self._parents.values()
            if (self._is_left(one) and not self._told.covers(one) if trusted else self._wants(one))
        ]
        asks.sort(key=lambda one: (self._cursor(one), one.key))
        left = [key for key in self._cut.ask if key not in self._parents]
        return [*left, *(one.key for one in asks)]

    def _samples(self, spare: int = 0) -> dict[str, int]:
        """Return the parents that the feed is compared by, as long as nothing is known of it.

        First those that changed later than the feed tells: it may not show them as they are.

        Args:
            spare: How many more, since some may change until they are compared.
        """
        found = {
            key: int(print_, 16)
            for key, print_ in self._cut.sample.items()
            if key in self._parents and not self._cut.leaves(self._parents[key])
        }
        covered = [one for one in self._parents.values() if self._told.covers(one)]
        counter = self._strategy.unless_zero or ""
        covered.sort(key=lambda one: (-one.counts.get(counter, 0), one.key))
        covered.sort(key=self._told.is_behind, reverse=True)
        most = spare + (ODD_SAMPLES if self._told.proves else self._trust.samples)
        for one in covered[:most]:
            if self._told.is_behind(one) or not self._told.proves:
                found[one.key] = self._told.fingerprint_of(one)
        return dict(list(found.items())[:most])

    def _below(self, parent: Parent, since: str | None = None) -> Iterator[Reading]:
        for reading in super()._below(parent, since):
            if self.feeds and self._to_ask is None:
                reading.source = self._comparing(parent.key, reading.source)
            yield reading

    def _comparing(
        self, key: str, source: Callable[[], Iterator[Page | Parts]]
    ) -> Callable[[], Iterator[Page | Parts]]:
        """Return a list that says whether the feed told the same."""

        def compare() -> Iterator[Page | Parts]:
            total = 0
            pages: list[Page] = []
            try:
                for page in source():
                    if isinstance(page, Page):
                        rows = (row for row in page.rows() if not row.get("pending"))
                        total += sum(map(fingerprint, rows))
                        pages.append(page)
                same = (total - self._prints[key]) % 2**64 == 0
                self._agrees[key] = same
                self._results.add(same)
                # What the feed told is written already.
                yield from () if same else pages
            finally:
                with self._lock:
                    self._compared -= 1
                    if self._compared == 0:
                        self._results.finish()

        return compare

    def done(self, reading: Reading) -> None:
        """Note that all rows below a parent are out."""
        if not self.feeds:
            super().done(reading)
            return
        parent = self._under_way.pop(reading, None)
        if parent is not None and self._to_ask is not None:
            self._to_ask.pop(parent.key, None)
            self._asked[parent.key] = parent.changed

    def checkpoint(self) -> State | None:
        """Return a state from which the next run goes on."""
        self._keep_trust()
        if not self.feeds:
            return super().checkpoint()
        if self._told.until is None or self._told.failed:
            return None
        state = {key: value for key, value in self.before.items() if key != "context"}
        cut: State = {"until": self._told.until}
        if self._to_ask is not None:
            cut |= {"ask": list(self._to_ask), "until": ""}
        else:
            heard = self._heard.finished
            cut["ask"] = [
                one.key
                for one in self._parents.values()
                if self._is_left(one)
                and not self._told.covers(one)
                and (heard or not self._told.goes_on_about(one))
            ]
            cut |= self._comparison()
            if heard:
                cut["until"] = ""
            else:
                cut["open"] = self._told.so_far(self._parents.values())
        covered = {key: one.changed for key, one in self._parents.items() if self._told.covers(one)}
        read = {**covered, **self._asked}
        return {**state, "cut": self._cut.moved_on(cut, read, self._feed.as_of)}

    def _comparison(self) -> State:
        """Return by what the feed is still to be compared, and keep what agreed."""
        agrees = dict(self._agrees)
        if self._trust.whole is None and not all(agrees.values()):
            self._trust.whole = False
            self._keep_trust()
        if self._trust.whole is not None:
            return {}
        self._keep_trust(len(agrees))
        sample = (self._prints or self._samples(_SPARE)).items()
        left = {key: f"{told % 2**64:x}" for key, told in sample if key not in agrees}
        return {"sample": left, "shows": self._told.shows}

    def bookmark(self) -> State | None:
        """Return the moment that the list of the parents describes."""
        self._keep_trust()
        return super().bookmark()

    def _keep_trust(self, more: int = 0) -> None:
        """Leave in the state what is known of the feed, with so many more that agreed."""
        state = self.stream.stream_state
        state.pop("feed_agrees", None)
        state |= self._trust.state(more)
