"""Webhooks, and the events that they can be sent."""

from __future__ import annotations

from collections.abc import Iterable

from tap_bitbucket.client import BitbucketStream
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.plan import Reading
from tap_bitbucket.rows import without_user_info
from tap_bitbucket.scopes import GlobalStream, RepositoryStream, WorkspaceStream

_SUBJECTS = ("repository", "workspace")


class _Hooks(BitbucketStream):
    """Shared by the lists of webhooks."""

    primary_keys = ("uuid",)
    incremental = FullTable()
    scope = "webhook"
    admin = True
    selected_by_default = False

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop a user name and a password from the address."""
        return without_user_info(row, ("url",))


class WorkspaceHooks(_Hooks, WorkspaceStream):
    """The webhooks of a workspace."""

    name = "workspace_hooks"
    path = "/workspaces/{workspace}/hooks"


class RepositoryHooks(_Hooks, RepositoryStream):
    """The webhooks of a repository."""

    name = "repository_hooks"
    path = "/repositories/{workspace}/{repository}/hooks"


class HookEvents(GlobalStream):
    """The events that webhooks can be sent: one list for each kind of subject."""

    name = "hook_events"
    path = "/hook_events/{subject_type}"
    primary_keys = ("subject_type", "event")
    incremental = FullTable()
    scope = ""
    derived = ("subject_type",)
    selected_by_default = False

    def readings(self, context: Context) -> Iterable[Reading]:
        """Return both lists."""
        return [self._of(context, subject) for subject in _SUBJECTS]

    def _of(self, context: Context, subject: str) -> Reading:
        columns = {"subject_type": subject}
        listing = self.listing(context, columns)
        return Reading(lambda: self.pages(listing), columns)
