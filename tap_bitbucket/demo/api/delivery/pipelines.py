"""Pipelines and their steps, as the pipelines service serves them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import Getter, attribute
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Pipeline
from tap_bitbucket.demo.paging import SINGLE, Paging
from tap_bitbucket.demo.routing import PIPELINE, R, route

SORTS: dict[str, Getter] = {
    "creator.uuid": attribute("creator.uuid"),
    "created_on": attribute("created_on"),
    "run_creation_date": attribute("started_on"),
}
_STAGES = {"RUNNING": "BUILDING", "PENDING": "PENDING", "PAUSED": "PAUSED", "HALTED": "HALTED"}
_RESULTS = {"SUCCESSFUL": "PASSED"}


def _status(one: Pipeline) -> str:
    if one.result is not None:
        return _RESULTS.get(one.result, one.result)
    return _STAGES.get(one.stage or "", "UNKNOWN")


_FILTERS: dict[str, Getter] = {
    "creator.uuid": attribute("creator.uuid"),
    "target.ref_type": attribute("ref_type"),
    "target.ref_name": attribute("ref_name"),
    "target.branch": lambda one: one.ref_name if one.ref_type == "branch" else None,
    "target.commit.hash": attribute("commit"),
    "target.selector.pattern": lambda one: one.selector.get("pattern"),
    "target.selector.type": lambda one: one.selector.get("type"),
    "trigger_type": attribute("trigger"),
    "status": _status,
}


@route(
    f"{R}/pipelines/",
    PIPELINE,
    paging=Paging("pipelines", defect="pipelines"),
    params=(*_FILTERS, "created_on", "q"),
    sorts=SORTS,
    service="pipelines",
    etag=True,
)
def pipelines(call: Call) -> Listing:
    """List pipelines, oldest first; `q` is taken and ignored, and `next` drops the `sort`."""
    rows = call.repo.pipelines
    asked = [(read, call.many(name)) for name, read in _FILTERS.items() if call.many(name)]
    if asked:
        rows = [one for one in rows if all(read(one) in wanted for read, wanted in asked)]
    key = tuple((tuple(wanted)) for _, wanted in asked)
    return Listing(rows, call.shapes.pipeline, key=key)


def find_pipeline(call: Call) -> Pipeline:
    """Find the pipeline that the path names, by uuid or by build number."""
    name = call.args["pipeline_uuid"]
    for one in call.repo.pipelines:
        if name in (one.uuid, str(one.build_number)):
            return one
    raise errors.pipelines(404, "Not Found", f"Pipeline {name} not found", "not-found")


@route(f"{R}/pipelines/{{pipeline_uuid}}", PIPELINE, service="pipelines")
def pipeline(call: Call) -> Any:
    """Show a pipeline, by uuid or by build number."""
    return call.shapes.pipeline(find_pipeline(call))


@route(f"{R}/pipelines/{{pipeline_uuid}}/steps", PIPELINE, paging=SINGLE, service="pipelines")
def steps(call: Call) -> Listing:
    """List all steps on one page, whatever `pagelen` says."""
    one = find_pipeline(call)
    return Listing(one.steps, lambda step: call.shapes.step(step, one))


@route(f"{R}/pipelines/{{pipeline_uuid}}/steps/{{step_uuid}}", PIPELINE, service="pipelines")
def step(call: Call) -> Any:
    """Show a step."""
    pipeline = find_pipeline(call)
    for one in pipeline.steps:
        if one.uuid == call.args["step_uuid"]:
            return call.shapes.step(one, pipeline)
    raise errors.pipelines(404, "Not Found", "Step not found", "not-found")
