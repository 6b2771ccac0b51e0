"""What tests of the streams below commits share: saying something, and who was asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.story import Story

LATER = ("commit_statuses", "commit_comments", "commit_reports", "commit_report_annotations")
"""What comes after a commit: these are asked for again for a while."""

BELOW = (*LATER, "commit_diffstat")

LISTS = {
    "commit_statuses": r"/commit/(\w{40})/statuses",
    "commit_comments": r"/commit/(\w{40})/comments",
    "commit_reports": r"/commit/(\w{40})/reports(?:\?|$)",
    "commit_report_annotations": r"/commit/(\w{40})/reports/[^/]+/annotations",
    "commit_diffstat": r"/diffstat/(\w{40})(?:\?|$)",
}
WALKS = r"/commits(\?|$)"


def asked_about(story: Story, stream: str) -> Counter[str]:
    """Return how often the last sync asked for a stream, by commit."""
    found = (re.search(LISTS[stream], one.url) for one in story.server.requests)
    return Counter(match[1] for match in found if match)


def asked_below(story: Story) -> list[str]:
    """Return what the last sync asked about single commits."""
    return story.asked(r"/commit/|/diffstat/")


def say(story: Story, stream: str, commit: str, repo: Any = None) -> Any:
    """Let somebody say something about a commit."""
    world, it = story.world, repo or story.api

    def linted() -> Any:
        known = it.reports.get(commit, ())
        there = [report for report in known if report.external_id == "lint"]
        return there[0] if there else world.add_report(it, commit, "lint", "Lint")

    ways: dict[str, Callable[[], Any]] = {
        "commit_statuses": lambda: world.add_status(it, commit, "build"),
        "commit_comments": lambda: world.comment_on_commit(it, commit, story.who("bob"), "Hm."),
        "commit_reports": lambda: world.add_report(it, commit, "scan", "A scan"),
        "commit_report_annotations": lambda: world.annotate(linted(), "Unused"),
    }
    return ways[stream]()


def lost(story: Story, *streams: str, kept: bool = False) -> list[str]:
    """Return how the target differs from the truth."""
    return [one for name in streams for one in story.differences(name, kept=kept)]
