"""What Pipelines is set up with, in a repository and in a workspace.

Below ``pipelines_config`` or ``pipelines-config``: Bitbucket spells it both ways, and some lists
need a slash at their end (bitbucket.org issue BCLOUD-20910 and others).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.incremental.passes import Context, Row
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import PipelinesServiceStream, WorkspacePipelinesStream


class WorkspaceVariables(WorkspacePipelinesStream):
    """The variables of a workspace, without their values."""

    name = "workspace_variables"
    path = "/workspaces/{workspace}/pipelines-config/variables"
    primary_keys = ("uuid",)
    incremental = FullTable()
    admin = True
    selected_by_default = False


class WorkspaceRunners(WorkspacePipelinesStream):
    """The machines of a workspace's own that run pipelines."""

    name = "workspace_runners"
    path = "/workspaces/{workspace}/pipelines-config/runners"
    primary_keys = ("uuid",)
    incremental = FullTable()
    scope = "runner"
    admin = True
    selected_by_default = False


class PipelinesConfig(PipelinesServiceStream):
    """Whether Pipelines is on."""

    name = "pipelines_config"
    path = "/repositories/{workspace}/{repository}/pipelines_config"
    primary_keys = ("repository_uuid",)
    incremental = FullTable()
    scope = "repository:admin"
    paging = Paging.ENTITY
    admin = True
    selected_by_default = False


class PipelineVariables(PipelinesServiceStream):
    """The variables of a repository, without their values."""

    name = "pipeline_variables"
    path = "/repositories/{workspace}/{repository}/pipelines_config/variables/"
    primary_keys = ("uuid",)
    incremental = FullTable()
    admin = True
    selected_by_default = False


class PipelineSchedules(PipelinesServiceStream):
    """The schedules that start pipelines."""

    name = "pipeline_schedules"
    path = "/repositories/{workspace}/{repository}/pipelines_config/schedules"
    primary_keys = ("uuid",)
    incremental = FullTable()
    carried = {"schedule_uuid": "uuid"}
    selected_by_default = False


class PipelineScheduleExecutions(PipelinesServiceStream):
    """The times that a schedule came due, with the pipeline or the error that came of it."""

    name = "pipeline_schedule_executions"
    path = (
        "/repositories/{workspace}/{repository}/pipelines_config/schedules/{schedule_uuid}"
        "/executions"
    )
    primary_keys = ("repository_uuid", "schedule_uuid", "execution")
    incremental = FullTable(parents="pipeline_schedules")
    derived = ("schedule_uuid", "execution")
    lifted = {"pipeline_uuid": "pipeline.uuid"}
    nothing_if = GONE
    selected_by_default = False

    def rows(self, partition: Any, context: Context) -> Iterator[Row]:
        """Yield the rows, counting those that failed."""
        self._failures: Counter[tuple[str, str]] = Counter()
        yield from super().rows(partition, context)

    def derive(self, row: Row, context: Context) -> Row | None:  # noqa: ARG002
        """Add the key: Bitbucket numbers none of those that failed."""
        known = row["pipeline_uuid"] or row.get("uuid") or row.get("created_on")
        if not known:
            error = str((row.get("error") or {}).get("key") or "unknown")
            self._failures[row["schedule_uuid"], error] += 1
            known = f"{error} {self._failures[row['schedule_uuid'], error]}"
        return {**row, "execution": known}


class PipelineKnownHosts(PipelinesServiceStream):
    """The SSH hosts that pipelines trust."""

    name = "pipeline_known_hosts"
    path = "/repositories/{workspace}/{repository}/pipelines_config/ssh/known_hosts"
    primary_keys = ("uuid",)
    incremental = FullTable()
    selected_by_default = False


class PipelineCaches(PipelinesServiceStream):
    """What pipelines keep between runs."""

    name = "pipeline_caches"
    path = "/repositories/{workspace}/{repository}/pipelines-config/caches"
    primary_keys = ("uuid",)
    incremental = FullTable()
    selected_by_default = False


class PipelineRunners(PipelinesServiceStream):
    """The machines of a repository's own that run its pipelines."""

    name = "pipeline_runners"
    path = "/repositories/{workspace}/{repository}/pipelines-config/runners"
    primary_keys = ("uuid",)
    incremental = FullTable()
    scope = "runner"
    admin = True
    selected_by_default = False
