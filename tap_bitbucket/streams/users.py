"""Accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tap_bitbucket.directory import Feed
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.plan import Reading, Step, Until
from tap_bitbucket.scopes import GlobalStream


class Users(GlobalStream):
    """The accounts of all members of all workspaces, once each.

    Bitbucket has no list of accounts; these come from the lists of members, without a request.
    """

    name = "users"
    primary_keys = ("uuid",)
    incremental = FullTable()
    scope = "account"

    def needs(self) -> tuple[str, ...]:
        """Return what tells the accounts."""
        return ("workspaces", "workspace_members")

    def readings(self, context: Context) -> Iterable[Step]:  # noqa: ARG002
        """Yield what the lists of members told."""
        yield Until(self.directory.feed("workspaces"))
        for slug in self._tap.partitions.own_workspaces():
            feed = self.directory.feed("workspace_members", {"workspace": slug})
            yield Until(feed)
            yield self._of(feed)

    def _of(self, feed: Feed[msgspec.Raw]) -> Reading:
        return Reading(lambda: self._accounts(feed))

    def _accounts(self, feed: Feed[msgspec.Raw]) -> Iterator[Page]:
        """Yield the accounts of one workspace as a page."""
        try:
            yield Page(list(feed))
        except SkipPartition as error:
            message = f"the members are not known ({error})"
            raise SkipPartition(message, error.status) from None

    def rows(self, partition: Any, context: Context) -> Iterator[Row]:
        """Yield each account once."""
        seen: set[str] = set()
        for row in super().rows(partition, context):
            if row.get("uuid") and row["uuid"] not in seen:
                seen.add(row["uuid"])
                yield row
