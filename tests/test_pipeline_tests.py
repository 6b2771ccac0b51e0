"""The tests of pipelines: which steps are asked about, in whatever form Bitbucket answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.model import Pipeline, Repository
from tests.catalogs import only
from tests.commits import lost
from tests.story import Story, story_of

TESTS = ("pipeline_test_reports", "pipeline_test_cases")
ALL = ("pipelines", "pipeline_steps", *TESTS)
REPORTS = r"/steps/%7B[^/]*/test_reports(\?|$)"
CASES = r"/steps/%7B[^/]*/test_reports/test_cases"
STEPS = r"/pipelines/%7B[^/]*/steps/(\?|$)"


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, *ALL), monkeypatch) as told:
        yield told


def run_tests(story: Story, *tests: int, repo: Repository | None = None) -> Pipeline:
    """Let a pipeline run and end, with a step for each number, which reports so many tests."""
    steps = [f"Step {number}" for number in range(len(tests))]
    made = story.world.start_pipeline(repo or story.api, steps=steps)
    story.clock.later(minutes=1)
    for step, count in zip(made.steps, tests, strict=True):
        for number in range(count):
            status = "FAILED" if number == 1 else "SUCCESSFUL"
            story.world.add_test(step, f"test_{number}", status)
    story.world.finish_pipeline(made)
    story.clock.later(minutes=1)
    return made


def asked_about(story: Story, pattern: str) -> Counter[str]:
    """Return how often the last sync asked, by pipeline."""
    found = (re.search(r"/pipelines/(%7B[^/]*%7D)", line) for line in story.asked(pattern))
    return Counter(match[1].replace("%7B", "{").replace("%7D", "}") for match in found if match)


# -- forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["page", "values", "bare"])
@pytest.mark.parametrize("chosen", [TESTS, TESTS[:1], TESTS[1:], ALL], ids=len)
def test_every_form_of_the_answers(story: Story, form: str, chosen: tuple[str, ...]) -> None:
    """Reports and tests are complete in any form of the answers, in the first run and later ones.

    Together and alone, with the pipelines and without.
    """
    story.server.test_form = form
    run_tests(story, 3, 0, 1)
    run_tests(story, 0)
    run_tests(story, 230, 2, repo=story.web)
    story.clock.later(days=1)
    assert set(story.sync(*chosen).counts) == set(chosen)
    assert lost(story, *chosen) == []
    run_tests(story, 0, 5)
    assert set(story.sync(*chosen).counts) == set(chosen)
    assert lost(story, *chosen) == []
    assert story.sync(*chosen).counts == {}


def test_tests_that_come_in_no_pages(story: Story) -> None:
    """Where Bitbucket knows no length of page for tests, they are asked for without."""
    run_tests(story, 3)
    body = '{"error": {"message": "Bad request", "detail": "Unknown parameter"}}'
    story.server.faults.add(Fault(f"{CASES}.*pagelen", status=400, body=body, times=None))
    run = story.sync(*TESTS)
    assert "Skipped" not in run.log
    assert lost(story, *TESTS) == []


# -- which steps are asked about ----------------------------------------------------------------


def test_steps_without_tests(story: Story) -> None:
    """A step without tests, at which Bitbucket answers 404, has no row and costs no other."""
    made = run_tests(story, 0, 2, 0)
    run = story.sync(*TESTS)
    assert "Skipped" not in run.log
    assert [row["step_uuid"] for row in run.rows("pipeline_test_reports")] == [made.steps[1].uuid]
    assert asked_about(story, REPORTS) == {made.uuid: 3}


def test_cases_are_asked_for_where_there_is_a_report(story: Story) -> None:
    """Read together, tests are asked for in those steps that have a report, and in no other."""
    made = [run_tests(story, 0, 2, 0, 1), run_tests(story, 0, 0)]
    story.sync(*TESTS)
    assert asked_about(story, CASES) == {made[0].uuid: 2}
    assert asked_about(story, REPORTS) == {made[0].uuid: 4, made[1].uuid: 2}
    story.state = None
    story.sync("pipeline_test_cases")
    assert asked_about(story, CASES) == {made[0].uuid: 4, made[1].uuid: 2}
    assert not story.asked(REPORTS)


@pytest.mark.parametrize("chosen", [ALL, TESTS, TESTS[1:]], ids=len)
def test_steps_are_listed_once(story: Story, chosen: tuple[str, ...]) -> None:
    """The steps of a pipeline are listed once in a run, whoever needs them."""
    made = [run_tests(story, 1, 1) for _ in range(3)]
    story.sync(*chosen)
    assert asked_about(story, STEPS) == {one.uuid: 1 for one in made}
    more = run_tests(story, 1)
    story.sync(*chosen)
    assert asked_about(story, STEPS) == {more.uuid: 1}


def test_only_pipelines_that_changed(story: Story) -> None:
    """A pipeline that has ended is asked about once more when it runs again, and not otherwise."""
    made = [run_tests(story, 1) for _ in range(4)]
    story.clock.later(hours=1)
    story.sync(*TESTS)
    story.sync(*TESTS)
    assert not story.asked("/steps")
    story.world.rerun_pipeline(made[1])
    story.world.add_test(made[1].steps[0], "test_again", "SUCCESSFUL")
    story.world.finish_pipeline(made[1])
    story.clock.later(hours=1)
    story.sync(*TESTS)
    assert asked_about(story, REPORTS) == asked_about(story, CASES) == {made[1].uuid: 1}
    assert lost(story, *TESTS) == []


def test_a_pipeline_that_goes_on(story: Story) -> None:
    """A pipeline is asked about until it has ended, and what its last step reported is there."""
    made = story.world.start_pipeline(story.api, steps=("Unit", "System"))
    story.world.add_test(made.steps[0], "test_unit", "SUCCESSFUL")
    story.sync(*TESTS)
    assert lost(story, *TESTS) == []
    story.sync(*TESTS, hours=60)
    assert asked_about(story, REPORTS) == {made.uuid: 2}
    story.world.add_test(made.steps[1], "test_system", "FAILED")
    story.world.finish_pipeline(made, "FAILED")
    story.clock.later(minutes=10)
    story.sync(*TESTS)
    assert lost(story, *TESTS) == []
    story.sync(*TESTS)
    assert not story.asked("/steps")


@pytest.mark.parametrize("known", [("pipelines", "pipeline_steps"), (*ALL[:2], TESTS[0])], ids=len)
def test_selected_later(story: Story, known: tuple[str, ...]) -> None:
    """Selected later than pipelines and steps, or than the reports, they get everything."""
    for _ in range(3):
        run_tests(story, 2, 0)
    story.clock.later(days=3)
    story.sync(*known)
    run_tests(story, 1)
    story.clock.later(days=3)
    run = story.sync(*ALL)
    assert lost(story, *ALL) == []
    assert run.counts["pipelines"] == 1


# -- what cannot be read ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_access_that_is_lost_in_mid_run(story: Story, after: int, status: int) -> None:
    """When access is lost in mid-run the repository is skipped, and comes whole the next time."""
    for _ in range(3):
        run_tests(story, 0, 1)
    lose = Fault("/steps/", after=after, action="callback",
                 callback=lambda: story.world.forbid(story.api, status))  # fmt: skip
    story.server.faults.add(lose)
    run = story.sync(*TESTS, concurrency=1)
    for stream in TESTS:
        assert f"Skipped {stream} of halley-labs/api" in run.log
    story.world.allow(story.api)
    story.server.faults.clear()
    story.sync(*TESTS)
    assert lost(story, *TESTS) == []


def test_a_report_that_cannot_be_read(story: Story) -> None:
    """Where a report fails for good, tests are not taken for none: both are read next time."""
    made = run_tests(story, 1, 1)
    other = run_tests(story, 1, repo=story.web)
    step = made.steps[0].uuid[1:-1]
    story.server.faults.add(Fault(f"{step}.*/test_reports(\\?|$)", status=403, times=None))
    run = story.sync(*TESTS)
    assert {row["step_uuid"] for row in run.rows("pipeline_test_cases")} <= {
        one.uuid for one in (*made.steps, *other.steps)
    }
    for stream in TESTS:
        assert f"Skipped {stream} of halley-labs/api" in run.log
    story.server.faults.clear()
    story.sync(*TESTS)
    assert lost(story, *TESTS) == []


def test_a_pipeline_that_is_gone(story: Story) -> None:
    """A pipeline that is deleted in mid-run has no tests, and costs no other."""
    made = [run_tests(story, 1, 1) for _ in range(3)]

    def delete() -> None:
        story.api.pipelines.remove(made[1])
        story.world.update_repository(story.api, "So that the stand-in notices")

    story.server.faults.add(Fault("/steps/", action="callback", callback=delete))
    run = story.sync(*TESTS, concurrency=1)
    assert "Skipped" not in run.log
    assert lost(story, *TESTS) == []
