"""What a stream costs in one partition, by its way of reading.

How long the lists are is known from elsewhere (see ``looks``); here is what reading them takes, the
first time and while nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.directory import Parent
from tap_bitbucket.estimate.cost import LOOKS, Cost, pages
from tap_bitbucket.estimate.here import Here
from tap_bitbucket.estimate.lists import Listed
from tap_bitbucket.estimate.looks import ENTRIES
from tap_bitbucket.estimate.sampling import spread
from tap_bitbucket.incremental import (
    BelowCommits,
    ChangedParents,
    FromFeed,
    FullTable,
    NewCommits,
    NewestFirst,
    Strategy,
    UpdatedSince,
    WhenHeadMoved,
)
from tap_bitbucket.relations import GONE
from tap_bitbucket.state import at_or_after, earlier

ABSENCES = 10
"""How many absences in a partition are each worth a request (see ``relations``)."""

_PAST = 3
"""Pages of commits that are read beyond ``start_date``."""

_HEADS = 20
"""Heads that are looked below again as long as a push is recent."""


def cost(stream: BitbucketStream, here: Here) -> Cost:
    """Return what a stream costs in a partition.

    Raises:
        SkipPartition: It cannot be read there.
    """
    if stream.unrolled:
        return _unrolled(stream, here)
    return reading(stream.incremental, stream, here)


def _unrolled(stream: BitbucketStream, here: Here) -> Cost:
    """Return the rows of a stream that lie in another one's: what that one needs lists of."""
    rows, guess = 0.0, False
    for entity in stream.needs():
        above = here.stream(entity)
        if above.kind != stream.kind or above.told_by != stream.told_by:
            continue
        listed = here.above(entity)
        inner = [path[0] for path in above.needed_paths() if len(path) == 1]
        count = sum(
            len(row[name])
            for row in listed.seen
            for name in inner
            if isinstance(row.get(name), list)
        )
        rows += count * listed.share(len(listed.seen))
        guess = guess or listed.rows > len(listed.seen)
    return Cost(rows=rows, guess=guess)


@singledispatch
def reading(way: Strategy, stream: BitbucketStream, here: Here) -> Cost:  # noqa: ARG001
    """Return what a stream costs in a partition."""
    listed = here.listed(stream)
    requests = pages(stream, listed.rows)
    return Cost(1, listed.rows, requests, requests, least=listed.guess)


@reading.register(FullTable)
def _(way: FullTable, stream: BitbucketStream, here: Here) -> Cost:
    if not stream.path:
        return Cost()
    if not stream.kind and "{workspace}" in stream.path:
        count = float(len(here.workspaces)) if stream.selected else 0.0
        return Cost(count, count, count, count)
    if way.parents is not None:
        above = here.above(way.parents)
        return _below(stream, here, above.rows, above.parents, again=1.0)
    if way.unless_unchanged and here.spot.empty:
        return Cost()
    listed = here.listed(stream)
    lists = 1 if stream.kind else len(list(stream.readings(here.context)))
    requests = lists - 1 + pages(stream, listed.rows)
    requests += isinstance(way, WhenHeadMoved)  # asks which commit is the head
    idle = 0.0 if way.unless_unchanged else requests
    return Cost(lists, listed.rows, requests, idle, least=listed.guess)


@reading.register(UpdatedSince)
def _(way: UpdatedSince, stream: BitbucketStream, here: Here) -> Cost:
    listed = here.listed(stream)
    requests = pages(stream, listed.rows)
    bare, narrowed = (stream.listing(here.context) for _ in range(2))
    stream.narrow(narrowed, way.condition("2000-01-01"))
    tells = any(one.told_by == stream.entity for one in stream.below())
    if tells or bare.request == narrowed.request:
        return Cost(1, listed.rows, requests, requests, least=listed.guess)
    still = sum(row.get("state") == way.silent for row in listed.seen) if way.silent else 0
    share = listed.share(len(listed.seen)) if still == len(listed.seen) else 1.0
    return Cost(1, listed.rows, requests, pages(stream, still * share), least=listed.guess)


@reading.register(NewestFirst)
def _(way: NewestFirst, stream: BitbucketStream, here: Here) -> Cost:
    if way.gate and not here.gate(way.gate).rows:
        return Cost()
    listeners = [one for one in stream.below() if isinstance(one.incremental, FromFeed)]
    if not stream.selected and not any(from_feed(one, here) for one in listeners):
        return Cost()
    listed = here.listed(stream)
    requests = pages(stream, listed.rows)
    return Cost(1, listed.rows, requests, 0.0 if way.gate else 1.0, guess=listed.guess)


@reading.register(NewCommits)
def _(way: NewCommits, stream: BitbucketStream, here: Here) -> Cost:  # noqa: ARG001
    if here.spot.empty:
        return Cost()
    listed = here.listed(stream)
    return Cost(1, listed.rows, _walk(stream, here, listed), 0.0, guess=listed.guess)


def _walk(commits: BitbucketStream, here: Here, listed: Listed) -> float:
    """Return the requests for all commits, and for the heads that they are read from."""
    tables = [here.stream(name) for name in ("branches", "tags")]
    heads = 0.0 if all(table.selected for table in tables) else 1.0
    beyond = _PAST if here.start_date and listed.more else 0
    return heads + min(pages(commits, listed.rows) + beyond, pages(commits, listed.whole))


@reading.register(ChangedParents)
def _(way: ChangedParents, stream: BitbucketStream, here: Here) -> Cost:
    above = here.above(way.parents)
    again = [one for one in above.parents if one.unfinished or (way.quietly and one.quiet)]
    part = len(again) / max(1, len(above.parents))
    if part < 1:
        part /= max(1.0, above.share(len(above.parents)))  # those are among the newest
    if way.unless_zero is None:
        return _below(stream, here, above.rows, above.parents, again=part)
    counts = [one.counts.get(way.unless_zero) for one in above.parents]
    share = above.share(len(counts))
    there = [count for count in counts if count != 0]
    return Cost(
        lists=len(there) * share,
        rows=sum(filter(None, there)) * share,
        first=sum(pages(stream, count or 0) for count in there) * share,
        idle=part * len(there) * share,
        guess=above.rows > len(counts),
    )


@reading.register(FromFeed)
def _(way: FromFeed, stream: BitbucketStream, here: Here) -> Cost:
    below = reading.dispatch(ChangedParents)(way, stream, here)
    if not from_feed(stream, here):
        return below
    seen = here.gate(way.feed).seen
    proven = any(
        isinstance(one, dict) and one.get("deleted") for row in seen for one in row.values()
    )
    return replace(below, lists=0.0, first=0.0, saved=below.first, proven=proven)


def from_feed(stream: BitbucketStream, here: Here) -> bool:
    """Whether a stream that may be taken from a feed is, as that is cheaper."""
    way = stream.incremental
    if not isinstance(way, FromFeed) or not stream.selected:
        return False
    below = reading.dispatch(ChangedParents)(way, stream, here)
    feed = here.stream(way.feed)
    entries = ENTRIES * here.above(way.parents).rows + below.rows
    return below.first > (0 if feed.selected else 1 + entries // feed.pagelen)


@reading.register(BelowCommits)
def _(way: BelowCommits, stream: BitbucketStream, here: Here) -> Cost:
    """Below each commit; again below those of the last day, and the heads if a push is recent."""
    if here.spot.empty:
        return Cost()
    commits = here.stream("commits")
    listed = here.above("commits")
    hashes = [str(row["hash"]) for row in listed.seen if row.get("hash")]
    found = _below(stream, here, listed.rows, [stream.parent_of(one) for one in hashes], again=0)
    siblings = [one for one in here.read if _is_below_commits(here.stream(one))]
    if "commits" not in here.read and stream.entity == siblings[0]:
        found.first += _walk(commits, here, listed)
    window = max(way.window or 0.0, stream.lookback)
    edge = earlier(stream.now, window)
    if way.window is None or not at_or_after(here.spot.updated_on, edge):
        return found
    recent = sum(at_or_after(commits.cursor_of(row), edge) for row in listed.seen)
    heads = min(_HEADS, here.listed(here.stream("branches")).rows) if "branches" in here.read else 1
    found.idle = max(recent, heads) * found.first / max(1.0, found.lists)
    found.idle += stream.entity == siblings[0]
    return found


def _is_below_commits(stream: BitbucketStream) -> bool:
    return isinstance(stream.incremental, BelowCommits)


def _below(
    stream: BitbucketStream, here: Here, count: float, parents: Sequence[Parent], *, again: float
) -> Cost:
    """Return what a list below each parent takes, or below what lies between.

    Args:
        stream: Reads them.
        here: The partition.
        count: How many parents there are.
        parents: Some of them.
        again: The part of them that is read while nothing changes.
    """
    if not count:
        return Cost()
    extra = 0.0
    if stream.through:
        between = _between(stream, here)
        steps = cost(between, here)
        count, extra = steps.rows, 0.0 if between.entity in here.read else steps.first
    looked = [listed for _, listed in here.below(stream, _sample(stream, here, parents))]
    there = [one.rows for one in looked if one is not None]
    share = 1 / max(1, len(looked))
    absent = (len(looked) - len(there)) * share * count
    requests = count + extra + sum(pages(stream, rows) - 1 for rows in there) * share * count
    if stream.home and stream.nothing_if & GONE:
        requests += min(ABSENCES, absent) + (absent > ABSENCES)
    rows = sum(there) * share * count
    return Cost(count, rows, requests, again * requests, guess=len(looked) < count)


def _between(stream: BitbucketStream, here: Here) -> BitbucketStream:
    """Return the stream between this one and the parents."""
    read = [name for name in stream.through if name in here.read]
    return here.stream((read or stream.through[-1:])[0])


def _sample(stream: BitbucketStream, here: Here, parents: Sequence[Parent]) -> list[Parent]:
    """Return some rows to look below, which are those of the stream between if there is one."""
    if not stream.through:
        return spread(parents, LOOKS)
    between = _between(stream, here)
    found = []
    for parent, listed in here.below(between, _sample(between, here, parents)):
        for child in listed.parents if listed is not None else ():
            columns = {**parent.columns, **child.columns}
            found.append(Parent(child.key, columns, child.created, child.changed))
    return spread(found, LOOKS)
