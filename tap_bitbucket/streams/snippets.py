"""Snippets: small sets of files outside of any repository.

See https://developer.atlassian.com/cloud/bitbucket/rest/api-group-snippets/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tap_bitbucket.directory import Parent
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.incremental import ChangedParents, UpdatedSince
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.relations import GONE
from tap_bitbucket.rows import CLONE, without_user_info
from tap_bitbucket.scopes import WorkspaceStream


class Snippets(WorkspaceStream):
    """The snippets of a workspace. The list does not filter: what is old is sorted out here."""

    name = "snippets"
    path = "/snippets/{workspace}"
    primary_keys = ("workspace", "id")
    incremental = UpdatedSince(reconcile=True)
    scope = "snippet"
    carried = {"snippet_id": "id"}
    needed = ("created_on",)
    selected_by_default = False

    def narrow(self, listing: Listing, condition: str | None) -> None:
        """Leave the list as it is: Bitbucket knows no ``q`` here."""

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop the user name that clone links may carry."""
        return without_user_info(row, CLONE)

    def _parent(self, row: Mapping[str, Any]) -> Parent:
        """Return a snippet as a parent; whether a comment moves it is not documented."""
        return replace(super()._parent(row), quiet=True)


class SnippetComments(WorkspaceStream):
    """What people say on a snippet."""

    name = "snippet_comments"
    path = "/snippets/{workspace}/{snippet_id}/comments"
    primary_keys = ("workspace", "snippet_id", "id")
    incremental = ChangedParents("snippets", quietly=True)
    scope = "snippet"
    derived = ("snippet_id",)
    nothing_if = GONE
    home = Snippets.path
    selected_by_default = False


class SnippetCommits(WorkspaceStream):
    """The versions of a snippet."""

    name = "snippet_commits"
    path = "/snippets/{workspace}/{snippet_id}/commits"
    primary_keys = ("workspace", "snippet_id", "hash")
    incremental = ChangedParents("snippets", replication_key="date")
    scope = "snippet"
    derived = ("snippet_id",)
    nothing_if = GONE
    home = Snippets.path
    selected_by_default = False
