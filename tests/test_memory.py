"""A run holds what is in flight and not what it has read, and STATE is small beside the rows."""

from __future__ import annotations

import pytest

from benchmarks.memory import ALL, written
from benchmarks.pages import Sizes

MOST = 150.0
"""Mebibytes that a run may hold."""

MORE = 20.0
"""Mebibytes that ten times the rows may add: what a longer list has in flight."""


@pytest.mark.parametrize(
    ("stream", "few", "many"),
    [
        ("commits", Sizes(commits=6_000), Sizes(commits=60_000)),
        ("pull_requests", Sizes(pull_requests=6_000), Sizes(pull_requests=60_000)),
        (
            "pull_request_activity",
            Sizes(pull_requests=50, activity=6_000),
            Sizes(pull_requests=50, activity=60_000),
        ),
    ],
)
def test_ten_times_the_rows_take_the_same_memory(stream: str, few: Sizes, many: Sizes) -> None:
    """What was written is let go of, also in one repository that is larger than all others."""
    short, long = written(few, [stream]), written(many, [stream])
    assert (short.records, long.records) == (6_000, 60_000)
    assert long.mebibytes < MOST
    assert long.mebibytes - short.mebibytes < MORE


def test_states_are_small_beside_the_rows() -> None:
    """In a workspace of many small repositories less than a twentieth of the output is STATE."""
    repositories = 300
    sizes = Sizes(repositories, pull_requests=3, comments=2, activity=9, commits=20, pipelines=3)
    found = written(sizes, ALL)
    assert found.records >= repositories * (1 + 1 + 3 + 9 + 20 + 3)  # and comments
    assert found.states >= 1
    assert found.share < 0.05
    assert found.mebibytes < MOST
