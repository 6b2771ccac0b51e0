"""Tests that steps report; no document says how the answers look, so the form is a switch."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.api.delivery.pipelines import find_pipeline
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.model import Case, Step
from tap_bitbucket.demo.paging import Paging
from tap_bitbucket.demo.routing import PIPELINE, R, route

REPORTS = f"{R}/pipelines/{{pipeline_uuid}}/steps/{{step_uuid}}/test_reports"
CASES = f"{REPORTS}/test_cases"


def _step(call: Call) -> Step:
    """Find a step that reports tests; one without any answers 404."""
    steps = find_pipeline(call).steps
    step: Step = call.pick(steps, "step_uuid", "uuid", service="pipelines")
    if not step.tests:
        raise errors.pipelines(404, "Not Found", "No test reports for this step", "not-found")
    return step


def _several(call: Call, rows: list[Any], render: Any) -> Any:
    """Answer with some rows in the form that was chosen."""
    form = call.settings.test_form
    if form == "page":
        return Listing(rows, render)
    shown = [render(row) for row in rows]
    return Reply(200, shown if form == "bare" else {"values": shown})


@route(REPORTS, PIPELINE, service="pipelines")
def test_reports(call: Call) -> Any:
    """Sum up the tests of a step."""
    row = call.shapes.test_report(_step(call))
    return {"values": [row]} if call.settings.test_form == "values" else row


@route(CASES, PIPELINE, paging=Paging("pipelines"), service="pipelines")
def test_cases(call: Call) -> Any:
    """List the tests of a step."""
    return _several(call, _step(call).tests, call.shapes.test_case)


@route(
    f"{CASES}/{{test_case_uuid}}/test_case_reasons",
    PIPELINE,
    paging=Paging("pipelines"),
    service="pipelines",
)
def test_case_reasons(call: Call) -> Any:
    """List why a test failed; one that did not answers 404."""
    case: Case = call.pick(_step(call).tests, "test_case_uuid", "uuid", service="pipelines")
    if not case.reasons:
        raise errors.pipelines(404, "Not Found", "No reasons for this test case", "not-found")
    return _several(call, case.reasons, call.shapes.test_reason)
