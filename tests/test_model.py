"""Random histories of a world and of syncs: in the end a target holds what Bitbucket holds."""

from __future__ import annotations

import os
import random
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, reproduce_failure, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.catalogs import only, slim
from tests.model.history import History
from tests.model.themes import THEMES
from tests.support import select

NIGHTLY = int(os.environ.get("TAP_BITBUCKET_NIGHTLY", "1"))
"""How many times as many histories as usual."""

SEED = os.environ.get("TAP_BITBUCKET_SEED")
"""To see what failed again, and in as few steps as possible."""

BLOB = os.environ.get("TAP_BITBUCKET_BLOB", "")
"""What hypothesis printed after ``reproduce_failure``: to see one history again."""

HISTORIES = {"code": 7, "reviews": 8, "delivery": 6, "places": 4, "everything": 2}
STEPS = 12


@pytest.mark.timeout(600 + 60 * NIGHTLY)
@pytest.mark.parametrize("about", THEMES)
def test_nothing_is_lost_and_nothing_left_over(catalog: dict[str, Any], about: str) -> None:
    """However the world changes and syncs end, after the last clean one all is as it should be."""
    number = int(SEED or random.SystemRandom().getrandbits(32))
    print(f"TAP_BITBUCKET_SEED={number}")  # noqa: T201 - shown when the test fails

    class Here(History):
        theme = THEMES[about]

    streams = Here.theme.streams
    Here.catalog = slim(only(select(catalog, *streams), *streams))
    again = reproduce_failure(hypothesis.__version__, BLOB.encode()) if BLOB else seed(number)
    run_state_machine_as_test(
        again(Here),
        settings=settings(
            max_examples=HISTORIES[about] * NIGHTLY,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=False,
            print_blob=True,
            report_multiple_bugs=False,
            # To shrink takes minutes: only where somebody looks into it.
            phases=(Phase.generate, Phase.shrink) if SEED else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
