"""What machines say and run on at Halley Labs: statuses, reports, tests, runners, schedules."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Pipeline, Repository

if TYPE_CHECKING:
    from tap_bitbucket.demo.example.company import Company
    from tap_bitbucket.demo.world import World


def furnish(company: Company) -> None:
    """Set everything up, and let it say what there is to say, aside from everything else."""
    for hours, happen in (
        (2000, _running), (30, _schedules), (20, _tests), (12, _reports), (6, _remarks),
    ):  # fmt: skip
        with company.world.aside(company.anchor - timedelta(hours=hours)):
            happen(company)


def _running(company: Company) -> None:
    """Set up runners, known hosts, key pairs and caches."""
    world, places = company.world, company.repositories
    control, infrastructure = places["telescope-control"], places["infrastructure"]
    mountain = world.add_runner(control.workspace, "mountain-1", ["linux", "arm64"])
    world.set_runner(mountain, "ONLINE")
    office = world.add_runner(control.workspace, "office", ["windows"])
    world.set_runner(office, "OFFLINE", cordoned=True)
    world.add_runner(control.workspace, "not yet", [])
    builder = world.add_runner(infrastructure, "builder", ["linux.shell"])
    world.set_runner(builder, "UNHEALTHY")
    world.add_runner(infrastructure, "spare")
    world.add_known_host(control, "dome.observatory.example")
    world.add_known_host(control, "[mount.observatory.example]:2222", fetched=False)
    world.add_known_host(places["web-portal"], "bastion.example.com")
    world.add_key_pair(control)
    for place in (control, places["web-portal"]):
        world.add_cache(place, "pip", place.pipelines[0], 48_113_664)
        world.add_cache(place, "docker", place.pipelines[1], 3_221_225_472)


def _schedules(company: Company) -> None:
    """Run something every night; now and then it cannot be started."""
    world, places = company.world, company.repositories
    control = places["telescope-control"]
    nightly = world.add_schedule(control, "0 0 3 * * ? *")
    for pipeline in control.pipelines[:3]:
        world.execute(nightly, pipeline)
    for _ in range(2):
        world.execute(
            nightly, error=("plan-service.parse.parse-error", "The configuration cannot be read.")
        )
    weekly = world.add_schedule(control, "0 30 4 ? * MON *", pattern="screenshots")
    world.set_schedule(weekly, enabled=False)
    world.execute(weekly, error=("plan-service.reference.missing", "There is no such branch."))
    world.add_schedule(places["web-portal"], "0 0 * * * ? *")


def _finished(repo: Repository, result: str) -> list[Pipeline]:
    return [one for one in repo.pipelines if one.result == result and one.steps]


def _tests(company: Company) -> None:
    """Let some steps report tests; most report none."""
    world = company.world
    for slug in ("telescope-control", "image-pipeline", "web-portal"):
        repo = company.repositories[slug]
        for pipeline in _finished(repo, "SUCCESSFUL")[:2]:
            step = pipeline.steps[0]
            world.add_test(step, "test_slew", package="tests.test_mount")
            world.add_test(step, "test_parks_when_windy", "SKIPPED", duration=0)
        for pipeline in _finished(repo, "FAILED")[:1]:
            _failing(world, pipeline)


def _failing(world: World, pipeline: Pipeline) -> None:
    step = pipeline.steps[-1]
    trace = "Traceback (most recent call last):\n  ...\nAssertionError: 41 != 42"
    world.add_test(step, "test_encoder[south]", package="tests.test_axes", duration=12.5)
    world.add_test(
        step, "test_limits", "FAILED", package="tests.test_axes",
        reasons=[("AssertionError: 41 != 42", trace)],
    )  # fmt: skip
    world.add_test(
        step, "test_serial", "ERROR", package="tests.test_io",
        reasons=[("Connection lost", ""), ("Connection lost again", trace)],
    )  # fmt: skip


def _reports(company: Company) -> None:
    """Put reports on the newest commits; their data have values of every type."""
    world, places = company.world, company.repositories
    control, portal = places["telescope-control"], places["web-portal"]
    head = control.branches["main"]
    world.add_report(
        control, head, "coverage-1", "Coverage", "COVERAGE", result="PASSED",
        reporter="Coverage robot", link="https://coverage.example.com/1",
        logo_url="https://coverage.example.com/logo.png",
        data=[
            {"type": "PERCENTAGE", "title": "Lines", "value": 87.5},
            {"type": "NUMBER", "title": "Files", "value": 214},
            {"type": "BOOLEAN", "title": "Safe to merge", "value": True},
            {"type": "DATE", "title": "Measured", "value": 1_793_534_400_000},
            {"type": "DURATION", "title": "Took", "value": 5_310},
            {"type": "LINK", "title": "Details",
             "value": {"text": "all files", "href": "https://coverage.example.com/1/files"}},
            {"type": "TEXT", "title": "Trend", "value": "better"},
            {"title": "Untyped", "value": None},
        ],
    )  # fmt: skip
    scan = world.add_report(
        control, head, "scan-1", "Security scan", "SECURITY", result="FAILED",
        details="Two findings.",
    )  # fmt: skip
    world.annotate(
        scan, "Serial input is not checked", "VULNERABILITY", severity="CRITICAL",
        path="src/engine_1.py", line=12, result="FAILED", link="https://scan.example.com/1",
        details="Anything that is plugged in may speak.",
    )  # fmt: skip
    world.annotate(scan, "A dependency is outdated", "BUG", severity="LOW", result="IGNORED")
    smells = world.add_report(portal, portal.branches["main"], "lint", "Linting", result="PENDING")
    for line in range(1, 13):
        world.annotate(smells, f"Line {line} is too long", path="src/fuel_0.py", line=line)
    world.add_report(portal, portal.branches["main"], "tests", "Tests", "TEST")


def _remarks(company: Company) -> None:
    """Say something about commits: statuses by other builders, comments on lines."""
    world, people = company.world, company.people
    control = company.repositories["telescope-control"]
    head = control.branches["main"]
    world.add_status(control, head, "sonar", "INPROGRESS")
    world.add_status(control, head, "nightly", "STOPPED", refname="main")
    before = control.objects[head].parents[0]
    world.add_status(control, before, "sonar", "FAILED")
    asked = world.comment_on_commit(
        control, head, people["lena"], "Why thirty degrees?",
        inline={"path": "src/engine_1.py", "to": 30},
    )  # fmt: skip
    answer = world.comment_on_commit(control, head, people["maya"], "The dome ends.", parent=asked)
    world.edit_comment(answer, "The dome ends there.")
    slip = world.comment_on_commit(control, before, company.former, "Wrong window, sorry")
    world.delete_comment(slip)
