"""Deployments and where they go."""

from __future__ import annotations

from tap_bitbucket.incremental import FullTable, NewestFirst
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import PipelinesServiceStream


class Environments(PipelinesServiceStream):
    """Where a repository deploys to: test, staging, production."""

    name = "environments"
    path = "/repositories/{workspace}/{repository}/environments/"
    primary_keys = ("uuid",)
    incremental = FullTable()
    carried = {"environment_uuid": "uuid"}


class Deployments(PipelinesServiceStream):
    """What was deployed where, and how it ended.

    Bitbucket orders them by their end; those that have not ended come first and are read each
    time.
    """

    name = "deployments"
    path = "/repositories/{workspace}/{repository}/deployments/"
    primary_keys = ("uuid",)
    incremental = NewestFirst("completed_on", sort="-state.completed_on")
    derived = ("completed_on",)

    def cursor_of(self, row: Row) -> str | None:
        """Return when it ended, which the specification calls ``completion_date``."""
        state = row.get("state") or {}
        value: str | None = state.get("completed_on") or state.get("completion_date")
        return value

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the end as a column of its own."""
        return {**row, "completed_on": self.cursor_of(row)}


class DeploymentVariables(PipelinesServiceStream):
    """The variables of an environment, without their values."""

    name = "deployment_variables"
    path = (
        "/repositories/{workspace}/{repository}/deployments_config/environments/{environment_uuid}"
        "/variables"
    )
    primary_keys = ("uuid",)
    incremental = FullTable(parents="environments")
    derived = ("environment_uuid",)
    nothing_if = GONE
    admin = True
    selected_by_default = False
