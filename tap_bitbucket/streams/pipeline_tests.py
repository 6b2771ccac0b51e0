"""The tests that pipelines run. No document says how Bitbucket's answers look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tap_bitbucket.http.paging import Paging
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.incremental import ChangedParents
from tap_bitbucket.incremental.passes import Context
from tap_bitbucket.relations import GONE
from tap_bitbucket.scopes import PipelinesServiceStream

_STEP = "/repositories/{workspace}/{repository}/pipelines/{pipeline_uuid}/steps/{step_uuid}"


class PipelineTestReports(PipelinesServiceStream):
    """The tests of a step, counted; Bitbucket answers 404 where a step has none."""

    name = "pipeline_test_reports"
    path = f"{_STEP}/test_reports"
    primary_keys = ("step_uuid",)
    incremental = ChangedParents("pipelines", replication_key="pipeline_created_on")
    through = ("pipeline_steps",)
    paging = Paging.LOOSE
    pagelen = 0
    carried = {"step_uuid": "step_uuid"}
    nothing_if = GONE
    derived = ("pipeline_uuid", "pipeline_created_on", "step_uuid")
    selected_by_default = False


class PipelineTestCases(PipelinesServiceStream):
    """The tests of a step, one by one. A step without a report of its tests has none."""

    name = "pipeline_test_cases"
    path = f"{_STEP}/test_reports/test_cases"
    primary_keys = ("step_uuid", "uuid")
    incremental = ChangedParents("pipelines", replication_key="pipeline_created_on")
    through = ("pipeline_test_reports", "pipeline_steps")
    paging = Paging.LOOSE
    nothing_if = GONE
    derived = ("pipeline_uuid", "pipeline_created_on", "step_uuid")
    selected_by_default = False

    def listing(self, context: Context, parent: Mapping[str, Any] | None = None) -> Listing:
        """Return the list; whether it has pages at all is not known."""
        listing = super().listing(context, parent)
        listing.simpler = (*listing.simpler, ("pagelen", None))
        return listing
