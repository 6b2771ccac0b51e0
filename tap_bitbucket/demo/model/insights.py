"""What machines say: reports on commits with their annotations, and tests of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class Annotation:
    """One finding of a report."""

    uuid: str
    external_id: str
    annotation_type: str
    summary: str
    created_on: datetime
    updated_on: datetime
    severity: str | None = None
    path: str | None = None
    line: int | None = None
    details: str | None = None
    result: str | None = None
    link: str | None = None


@dataclass(eq=False, slots=True)
class Report:
    """A report on a commit; the `value` of its data is of any type."""

    uuid: str
    external_id: str
    commit: str
    title: str
    report_type: str
    created_on: datetime
    updated_on: datetime
    result: str | None = None
    details: str = ""
    reporter: str | None = None
    link: str | None = None
    logo_url: str | None = None
    data: list[Json] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Case:
    """A test that ran in a step."""

    uuid: str
    name: str
    package: str
    status: str
    duration: float
    reasons: list[tuple[str, str]] = field(default_factory=list)
