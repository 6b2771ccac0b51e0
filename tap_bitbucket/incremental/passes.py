"""What all strategies have in common: a pass over one partition."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page
from tap_bitbucket.plan import Reading, Step
from tap_bitbucket.state import State, at_or_after, earlier

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

logger = logging.getLogger("tap-bitbucket")

Row = dict[str, Any]
Context = Mapping[str, Any] | None

OVERLAP = 300.0
"""Seconds that are read twice, against clocks and indexes that lag behind."""


class Strategy:
    """A way to read a stream.

    Attributes:
        replication_key: The cursor, a property of the rows; None for a full table.
    """

    replication_key: str | None = None

    @property
    def versioned(self) -> bool:
        """Whether a whole pass tells what was deleted."""
        return False

    @property
    def skips(self) -> bool:
        """Whether a normal pass leaves out what did not change, so that not each is whole."""
        return False

    def begin(self, stream: BitbucketStream, context: Context) -> Pass:
        """Return a pass over one partition."""
        raise NotImplementedError


class Pass:
    """One partition, read once.

    ``readings`` runs ahead in the planning thread; ``accept``, ``leftovers`` and ``bookmark`` run
    in the main thread, in the order of the rows.
    """

    def __init__(self, stream: BitbucketStream, context: Context) -> None:
        self.stream = stream
        self.context = context
        self.before: State = stream.bookmark_of(context)
        self.floor: str | None = None

    def opened(self) -> None:
        """Note that the pass has its place in the plan now."""

    def readings(self) -> Iterator[Step]:
        """Yield the lists to read, and what must be complete before the next one is known."""
        raise NotImplementedError

    def accept(self, row: Row) -> bool:  # noqa: ARG002 - for those that select
        """Whether to write a row now."""
        return True

    def wrote(self, page: Page) -> None:
        """Note that all rows of a page are out."""

    def done(self, reading: Reading) -> None:
        """Note that all rows of a list are out."""

    def checkpoint(self) -> State | None:
        """Return what the state may be after the lists that are done; None leaves it."""
        return None

    def known(self, row: Row) -> None:
        """Look at a row that is not written, since it did not change."""

    def leftovers(self) -> Iterable[Row]:
        """Return rows that only the end of the list decided about."""
        return ()

    def bookmark(self) -> State | None:
        """Return what the partition's state becomes when all rows are out; None leaves it."""
        return None


def raw_rows(page: Page, shape: type[Any]) -> Iterator[tuple[msgspec.Raw, Any]]:
    """Yield each row of a page with the few values that a worker looks at; name what has none."""
    for raw in page.values:
        try:
            row = msgspec.json.decode(raw, type=shape)
        except msgspec.ValidationError:
            try:
                row = _without_odd_values(raw, shape)
            except msgspec.ValidationError as error:
                logger.warning("A row tells nothing about what lies below it: %s.", error)
                continue
        yield raw, row


def _without_odd_values(raw: msgspec.Raw, shape: type[Any]) -> Any:
    """Decode a row of which only what is required has to be as expected."""
    sent = msgspec.json.decode(raw, type=dict[str, Any])
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        if field.encode_name in sent and field.type is not msgspec.Raw:
            try:
                found[field.encode_name] = msgspec.convert(sent[field.encode_name], field.type)
            except msgspec.ValidationError:
                if field.required:
                    raise
    return msgspec.convert(found, shape)


def digest(value: object) -> int:
    """Return 64 bits of a value; bits of several may be added in any order."""
    data = value if isinstance(value, (bytes, msgspec.Raw)) else msgspec.json.encode(value)
    return int.from_bytes(hashlib.blake2b(bytes(data), digest_size=8).digest(), "big")


def mark(sum_of_digests: int) -> str:
    """Return a sum of digests as text."""
    return f"{sum_of_digests % 2**64:016x}"


class Seen:
    """What the last run already read inside the overlap, so that it is not written again.

    Args:
        before: Key → cursor of the rows at or after the last bookmark.
        again: Whether the user asked for them to be read again (``lookback``).
        brief: Whether to keep digests of the keys, where these are long.
    """

    def __init__(self, before: Mapping[str, str], *, again: bool, brief: bool = False) -> None:
        self._before = {} if again else before
        self._brief = brief
        self._now: dict[str, str] = {}

    def known(self, key: str, cursor: str) -> bool:
        """Whether the row was read before as it is now."""
        return bool(self._before) and self._before.get(self._name(key)) == cursor

    def note(self, key: str, cursor: str | None, since: str | None = None) -> None:
        """Remember a row, unless it is older than what the next bookmark will be."""
        if cursor and at_or_after(cursor, since):
            self._now[self._name(key)] = cursor

    def _name(self, key: str) -> str:
        return mark(digest(key)) if self._brief else key

    def since(self, floor: str | None) -> dict[str, str]:
        """Return what the next run must know: the rows at or after its bookmark."""
        return {key: cursor for key, cursor in self._now.items() if at_or_after(cursor, floor)}


def floor_of(stream: BitbucketStream, before: State, overlap: float = 0.0) -> str | None:
    """Return the moment from which a partition is read: its bookmark, else ``start_date``."""
    value = before.get("replication_key_value")
    if value is None:
        return stream.start_date
    return earlier(value, overlap + stream.lookback)


def lowest(floors: Iterable[str | None]) -> str | None:
    """Return the earliest of several moments; None, which is the beginning, comes first."""
    result: str | None = None
    for index, floor in enumerate(floors):
        if floor is None:
            return None
        if index == 0 or at_or_after(result, floor):
            result = floor
    return result


def fill(
    feed: Feed[Any], source: Iterator[Page], note: Callable[[Page | None], None]
) -> Iterator[Page]:
    """Pass pages on, letting ``note`` see each first, and None at the end; then end the feed."""
    try:
        for page in source:
            note(page)
            yield page
    except GeneratorExit:
        feed.finish(SkipPartition("the list was not read to its end"))
        raise
    except BaseException as error:
        feed.finish(error)
        raise
    note(None)
    feed.finish()
