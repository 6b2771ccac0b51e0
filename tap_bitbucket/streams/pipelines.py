"""Pipelines and their steps."""

from __future__ import annotations

from typing import Any

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.directory import Feed, Parent
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.incremental import ChangedParents, NewestFirst
from tap_bitbucket.incremental.passes import Row, raw_rows
from tap_bitbucket.scopes import PipelinesServiceStream


@decodable
class _State(msgspec.Struct):
    name: str | None = None


@decodable
class _Pipeline(msgspec.Struct):
    uuid: str
    created_on: str = ""
    completed_on: str | None = None
    state: _State | None = None


class Pipelines(PipelinesServiceStream):
    """The runs of Pipelines. A run's state changes until it is completed."""

    name = "pipelines"
    path = "/repositories/{workspace}/{repository}/pipelines/"
    primary_keys = ("uuid",)
    incremental = NewestFirst("created_on", sort="-created_on", remembers=True)

    def unfinished(self, row: Row) -> bool:
        """Whether a run goes on: it has neither completed nor come to a result."""
        state: dict[str, Any] = row.get("state") or {}
        return state.get("name") != "COMPLETED" and not row.get("completed_on")

    def changed_of(self, row: Row) -> str | None:
        """Return when a run ended: one that is run again keeps its ``created_on``."""
        value: str | None = row.get("completed_on") or row.get("created_on")
        return value

    def note_parents(self, feed: Feed[Parent], page: Page) -> None:
        """Tell the streams below which pipelines there are."""
        for _, row in raw_rows(page, _Pipeline):
            done = row.state is not None and row.state.name == "COMPLETED"
            feed.add(
                Parent(
                    key=row.uuid,
                    columns={"pipeline_uuid": row.uuid, "pipeline_created_on": row.created_on},
                    created=row.created_on,
                    changed=row.completed_on or row.created_on,
                    unfinished=not done,
                )
            )


class PipelineSteps(PipelinesServiceStream):
    """The steps of a run. Bitbucket gives all of them at once."""

    name = "pipeline_steps"
    path = "/repositories/{workspace}/{repository}/pipelines/{pipeline_uuid}/steps/"
    primary_keys = ("uuid",)
    incremental = ChangedParents("pipelines", replication_key="pipeline_created_on")
    paging = Paging.NONE
    pagelen = 0
    derived = ("pipeline_uuid", "pipeline_created_on")
    carried = {"step_uuid": "uuid"}
