"""What else hangs on a repository: downloads, forks, watchers."""

from __future__ import annotations

from tap_bitbucket.incremental import FullTable
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.rows import CLONE, without_user_info
from tap_bitbucket.scopes import RepositoryStream


class Downloads(RepositoryStream):
    """The files that a repository offers for download."""

    name = "downloads"
    path = "/repositories/{workspace}/{repository}/downloads"
    primary_keys = ("repository_uuid", "name")
    incremental = FullTable()
    selected_by_default = False


class Forks(RepositoryStream):
    """The forks of a repository, most of them in other workspaces."""

    name = "forks"
    path = "/repositories/{workspace}/{repository}/forks"
    primary_keys = ("repository_uuid", "uuid")
    incremental = FullTable()
    selected_by_default = False

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Drop the user name that clone links may carry."""
        return without_user_info(row, CLONE, ("parent", *CLONE))


class Watchers(RepositoryStream):
    """Who is told of what happens in a repository."""

    name = "watchers"
    path = "/repositories/{workspace}/{repository}/watchers"
    primary_keys = ("repository_uuid", "user_uuid")
    incremental = FullTable()
    lifted = {"user_uuid": "uuid"}
    selected_by_default = False
