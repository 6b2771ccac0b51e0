"""Changes to what machines say: reports, annotations and tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import Annotation, Case, Json, Report, Repository, Step


class Insights(Ground):
    """The world's reports on commits, and the tests of pipeline steps."""

    @change
    def add_report(
        self,
        repo: str | Repository,
        commit: str,
        external_id: str,
        title: str,
        report_type: str = "BUG",
        *,
        result: str | None = None,
        data: Sequence[Json] = (),
        **more: Any,
    ) -> Report:
        """Put a report on a commit; one with the same external id is replaced."""
        it = self.repository(repo)
        stamp = self.now.stamp()
        found = it.reports.setdefault(commit, [])
        old = next((one for one in found if one.external_id == external_id), None)
        made = Report(
            old.uuid if old else self._uuid("report"), external_id, commit, title, report_type,
            old.created_on if old else stamp, stamp, result, data=list(data), **more,
        )  # fmt: skip
        found[:] = [one for one in found if one is not old] + [made]
        return made

    @change
    def delete_report(self, repo: str | Repository, report: Report) -> None:
        """Delete a report and its annotations."""
        self.repository(repo).reports[report.commit].remove(report)

    @change
    def annotate(
        self,
        report: Report,
        summary: str,
        annotation_type: str = "CODE_SMELL",
        **more: Any,
    ) -> Annotation:
        """Add a finding to a report."""
        stamp = self.now.stamp()
        external = f"{report.external_id}-{len(report.annotations) + 1:03d}"
        made = Annotation(
            self._uuid("annotation"), external, annotation_type, summary, stamp, stamp, **more
        )
        report.annotations.append(made)
        return made

    @change
    def delete_annotation(self, report: Report, annotation: Annotation) -> None:
        """Take a finding back."""
        report.annotations.remove(annotation)

    @change
    def add_test(
        self,
        step: Step,
        name: str,
        status: str = "SUCCESSFUL",
        *,
        package: str = "tests",
        duration: float = 0.125,
        reasons: Sequence[tuple[str, str]] = (),
    ) -> Case:
        """Let a step report a test: SUCCESSFUL, FAILED, ERROR or SKIPPED, with reasons."""
        made = Case(self._uuid("case"), name, package, status, duration, list(reasons))
        step.tests.append(made)
        return made
