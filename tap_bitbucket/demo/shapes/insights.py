"""How reports, annotations and tests look."""

from __future__ import annotations

from datetime import datetime

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import Annotation, Case, Report, Step
from tap_bitbucket.demo.shapes.base import Json
from tap_bitbucket.demo.shapes.places import PlaceShapes


def _date(moment: datetime) -> str:
    """Write a date as reports have it: three digits and `Z`."""
    text = moment.astimezone(times.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class InsightShapes(PlaceShapes):
    """What machines say about commits and steps; nothing here has links."""

    def report(self, report: Report) -> Json:
        """Show a report; what its sender left out is absent."""
        row: Json = {
            "type": "report",
            "uuid": report.uuid,
            "external_id": report.external_id,
            "title": report.title,
            "details": report.details,
            "report_type": report.report_type,
            "remote_link_enabled": report.link is not None,
            "data": report.data,
            "created_on": _date(report.created_on),
            "updated_on": _date(report.updated_on),
        }
        for name in ("result", "reporter", "link", "logo_url"):
            if getattr(report, name) is not None:
                row[name] = getattr(report, name)
        return row

    def annotation(self, annotation: Annotation) -> Json:
        """Show a finding; one about no place has neither path nor line."""
        row: Json = {
            "type": "report_annotation",
            "uuid": annotation.uuid,
            "external_id": annotation.external_id,
            "annotation_type": annotation.annotation_type,
            "summary": annotation.summary,
            "created_on": _date(annotation.created_on),
            "updated_on": _date(annotation.updated_on),
        }
        for name in ("severity", "path", "line", "details", "result", "link"):
            if getattr(annotation, name) is not None:
                row[name] = getattr(annotation, name)
        return row

    def test_report(self, step: Step) -> Json:
        """Show how the tests of a step went; one object, which no document describes."""
        counts = {
            f"number_of_{status.lower()}_test_cases": sum(
                case.status == status for case in step.tests
            )
            for status in ("SUCCESSFUL", "FAILED", "ERROR", "SKIPPED")
        }
        return {
            "type": "pipeline_step_test_report",
            "step_uuid": step.uuid,
            "number_of_test_cases": len(step.tests),
            **counts,
        }

    def test_case(self, case: Case) -> Json:
        """Show a test; its duration is text."""
        return {
            "type": "pipeline_step_test_case",
            "uuid": case.uuid,
            "name": case.name,
            "package_name": case.package,
            "fully_qualified_name": f"{case.package}.{case.name}",
            "status": case.status,
            "duration": f"PT{case.duration:g}S",
        }

    def test_reason(self, reason: tuple[str, str]) -> Json:
        """Show why a test failed; it has no id."""
        message, trace = reason
        return {
            "type": "pipeline_step_test_case_reason",
            "message": message,
            "stack_trace": trace,
        }
