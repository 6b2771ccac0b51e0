"""Reports on commits and their annotations."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Report
from tap_bitbucket.demo.paging import NUMBERED
from tap_bitbucket.demo.routing import REPOSITORY, R, route

REPORTS = f"{R}/commit/{{commit}}/reports"


def _reports(call: Call) -> list[Report]:
    return call.repo.reports.get(call.commit(call.args["commit"]).hash, [])


def _report(call: Call) -> Report:
    found: Report = call.pick(_reports(call), "reportId", "uuid", "external_id")
    return found


@route(REPORTS, REPOSITORY, paging=NUMBERED)
def reports(call: Call) -> Listing:
    """List the reports on a commit; most commits have none."""
    return Listing(_reports(call), call.shapes.report)


@route(f"{REPORTS}/{{reportId}}", REPOSITORY)
def report(call: Call) -> Any:
    """Show a report, by uuid or by its sender's own id."""
    return call.shapes.report(_report(call))


@route(f"{REPORTS}/{{reportId}}/annotations", REPOSITORY, paging=NUMBERED)
def findings(call: Call) -> Listing:
    """List the findings of a report, 1,000 at most."""
    return Listing(_report(call).annotations[:1000], call.shapes.annotation)


@route(f"{REPORTS}/{{reportId}}/annotations/{{annotationId}}", REPOSITORY)
def finding(call: Call) -> Any:
    """Show a finding."""
    found = _report(call).annotations
    return call.shapes.annotation(call.pick(found, "annotationId", "uuid", "external_id"))
