"""NewCommits: what is reachable now and was not before, whatever its dates say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_bitbucket.http.errors import unknown_hashes
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request
from tap_bitbucket.http.session import NotFound
from tap_bitbucket.incremental.passes import Context, Pass, Row, Strategy
from tap_bitbucket.plan import Reading
from tap_bitbucket.state import State, at_or_after

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

_CHUNK = 100
"""Hashes in one request. Bitbucket documents no limit; others send this many."""

_MANY = 500
"""Known heads that are excluded beside the tips, which alone suffice as long as they exist."""

_SHORT = 12
"""Characters that are enough to know a commit again."""


@dataclass(frozen=True)
class NewCommits(Strategy):
    """Ask for the commits that the heads of now reach and the heads of the last run did not.

    A commit's date is what its author's clock said, so no date finds what was pushed today. The
    heads do: ``POST commits`` with the present ones included and the former ones excluded. Of the
    heads, the bookmark keeps in full those that no other commit has as a parent (enough to
    exclude all that is known) and of the rest twelve characters (to know them again).

    Attributes:
        replication_key: A date in the rows, for the catalog; not the bookmark.
    """

    replication_key: str = "date"

    def begin(self, stream: BitbucketStream, context: Context) -> NewCommitsPass:
        """Return a pass over one partition."""
        return NewCommitsPass(stream, context)


class NewCommitsPass(Pass):
    """See ``NewCommits``."""

    def __init__(self, stream: BitbucketStream, context: Context) -> None:
        super().__init__(stream, context)
        self._updated_on = stream.repository(context).updated_on
        self._tips = set(self.before.get("heads", []))
        self._known = set(self.before.get("known", []))
        self._first = "heads" not in self.before
        self._heads: dict[str, None] = {}
        self._parents: set[str] = set()
        self._asked = False

    def readings(self) -> Iterator[Reading]:
        """Yield one reading, or none while the repository did not change."""
        changed = self._first or self.before.get("repository_updated_on") != self._updated_on
        if changed and not self.stream.repository(self.context).empty:
            self._asked = True
            yield Reading(self._read)

    def _read(self) -> Iterator[Page]:
        # Heads first: what is pushed while the commits are read is found by the next run.
        self._heads = dict.fromkeys(self.stream.heads(self.context))
        if self._first:
            yield from self._everything()
            return
        new = [
            head
            for head in self._heads
            if head not in self._tips and head[:_SHORT] not in self._known
        ]
        # Also those heads of now that were known: should a rewritten tip be forgotten, they
        # still bound what is read.
        known = [head for head in self._heads if head[:_SHORT] in self._known][:_MANY]
        excluded = sorted(self._tips.union(known))
        for start in range(0, len(new), _CHUNK):
            included = new[start : start + _CHUNK]
            yield from self._between(included, excluded)
            excluded = [*excluded, *included]

    def _everything(self) -> Iterator[Page]:
        listing = self.stream.listing(self.context)
        old_pages = 0
        for page in self.stream.pages(listing):
            yield page
            # The list is topological, newest first; three pages that are older than start_date
            # are past it, one may be a branch of long ago.
            old = not any(
                at_or_after(row.get("date"), self.stream.start_date) for row in page.rows()
            )
            old_pages = old_pages + 1 if old else 0
            if old_pages >= 3:  # noqa: PLR2004
                return

    def _between(self, included: Sequence[str], excluded: Sequence[str]) -> Iterator[Page]:
        """Read what ``included`` reach and ``excluded`` do not, without hashes that are gone.

        After a force-push Bitbucket may have forgotten commits; it then answers 404 and names
        them in ``error.data.shas``.
        """
        listing = self.stream.listing(self.context)
        include, exclude = list(included), list(excluded)
        while include:
            form = (*(("include", sha) for sha in include), *(("exclude", sha) for sha in exclude))
            request: Request = replace(listing.request, form=form)
            try:
                yield from self.stream.pages(Listing(request, simpler=listing.simpler))
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

    def accept(self, row: Row) -> bool:
        """Write every commit, on the first pass those from ``start_date``."""
        for parent in row.get("parents") or ():
            if parent.get("hash") in self._heads:
                self._parents.add(parent["hash"])
        return not self._first or at_or_after(row.get("date"), self.stream.start_date)

    def bookmark(self) -> State | None:
        """Return the heads of now."""
        if not self._asked:
            return None
        tips = [head for head in self._heads if head not in self._parents]
        tips = [head for head in tips if head[:_SHORT] not in self._known or head in self._tips]
        tips = tips or list(self._heads)
        rest = sorted(head[:_SHORT] for head in self._heads if head not in tips)
        state: State = {"heads": sorted(tips), "repository_updated_on": self._updated_on}
        return {**state, "known": rest} if rest else state


def _named(sha: str, gone: Sequence[str]) -> bool:
    return any(sha.startswith(name) or name.startswith(sha) for name in gone)
