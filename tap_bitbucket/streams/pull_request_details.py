"""What a pull request consists of, and what builds say about it: one request per pull request.

See https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from tap_bitbucket.directory import Parent
from tap_bitbucket.http.paging import Page, below_api
from tap_bitbucket.http.request import Request
from tap_bitbucket.incremental import ChangedParents
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import PullRequestStream
from tap_bitbucket.streams.commit_details import BuildStatuses, Diffstat

_DIFFSTAT = re.compile(r"^/repositories/[^/]+/[^/]+/diffstat/")
_PULL_REQUEST = "/repositories/{workspace}/{repository}/pullrequests/{pull_request_id}"


class PullRequestCommits(PullRequestStream):
    """The commits of a pull request, newest first.

    Bitbucket answers 404 once the fork that they came from is gone.
    """

    name = "pull_request_commits"
    path = f"{_PULL_REQUEST}/commits"
    primary_keys = ("repository_uuid", "pull_request_id", "hash")
    incremental = ChangedParents("pull_requests", replication_key="pull_request_updated_on")
    nothing_if = GONE
    derived = ("pull_request_id", "pull_request_updated_on")
    selected_by_default = False


class PullRequestDiffstat(Diffstat, PullRequestStream):
    """What a pull request changes, file by file.

    The list below the pull request redirects to one of the repository, which the pull request
    also links to: following that link saves a request each.
    """

    name = "pull_request_diffstat"
    path = f"{_PULL_REQUEST}/diffstat"
    primary_keys = ("repository_uuid", "pull_request_id", "path", "status")
    incremental = ChangedParents("pull_requests", replication_key="pull_request_updated_on")
    derived = ("pull_request_id", "pull_request_updated_on", "path")
    selected_by_default = False

    def pages_of(self, context: Context, parent: Parent) -> Iterator[Page]:
        """Read what lies behind the pull request's own link, if that leads to the diffstat."""
        listing = self.listing(context, parent.columns)
        request = listing.request
        linked = below_api(self._tap.session.api_url, request, parent.link) if parent.link else None
        if linked is not None and _DIFFSTAT.search(linked[0]):
            place, query = linked
            listing.request = Request(place, (*parse_qsl(query), *request.params))
        yield from self.pages_below(listing, context)


class PullRequestStatuses(BuildStatuses, PullRequestStream):
    """What builds and checks say about the commits of a pull request.

    They move nothing in the pull request, so the open ones are read every time.
    """

    name = "pull_request_statuses"
    path = f"{_PULL_REQUEST}/statuses"
    primary_keys = ("repository_uuid", "pull_request_id", "commit_hash", "key")
    incremental = ChangedParents("pull_requests", quietly=True)
    nothing_if = GONE
    derived = ("pull_request_id", "commit_hash")
    needed = ("state", "created_on", "commit.hash", "links.commit.href")
    selected_by_default = False

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the commit's hash, which old rows have in a link only."""
        commit = row.get("commit") or {}
        link = ((row.get("links") or {}).get("commit") or {}).get("href") or ""
        return {**row, "commit_hash": commit.get("hash") or link.rpartition("/")[2]}

    def parent_of(self, key: str) -> Parent:
        """Return a pull request of which only the number is known."""
        return Parent(key, {"pull_request_id": int(key)}, created="", changed="")

    def parent_key(self, row: Mapping[str, Any]) -> str:
        """Return the number of a row's pull request."""
        return str(row["pull_request_id"])
