"""Time: however it is written, and whatever the clocks do, no row is lost or read as another."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.state import moment
from tests.catalogs import only, slim
from tests.fuzzing import Small, rows_of, says_why, small
from tests.story import Story, open_request, story_of
from tests.support import Run, run_tap, select

STREAMS = (
    "repositories", "pull_requests", "pull_request_activity", "pull_request_comments", "pipelines",
    "pipeline_steps",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(catalog: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Serve a small world that does not change."""
    with small(catalog, tmp_path_factory.mktemp("time"), *STREAMS) as made:
        yield made


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    chosen = slim(only(select(catalog, *STREAMS), *STREAMS))
    with story_of(chosen, monkeypatch) as told:
        told.world.push(told.api, "main", 2)
        told.clock.later(hours=1)
        yield told


def nothing_lost(story: Story, *streams: str) -> None:
    """Check that the target holds the truth."""
    found = [one for name in streams or STREAMS for one in story.differences(name, kept=True)]
    assert found == []


# -- time zones of machines ----------------------------------------------------------------------

_TIMES_OF_THE_RUN = re.compile(
    r'"(time_extracted|replication_key_value|gate|gate_seen|seen|reconciled_at|version)":'
    r'(?:"[^"]*"|\d+|\{[^{}]*\})'
)


def timeless(run: Run) -> list[str]:
    """Return what a run wrote, but for what tells when it was."""
    return [_TIMES_OF_THE_RUN.sub(r'"\1":0', line) for line in run.lines]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns"])
def test_the_zone_of_a_machine(world: Small, tmp_path: Path, zone: str) -> None:
    """A machine fourteen hours ahead of UTC, or three and a half behind, writes the same bytes."""
    settings = {**world.settings, "start_date": "2026-01-01T00:00:00"}
    world.run.file("config.json", settings)
    here = world.run("--config", "config.json", "--catalog", "catalog.json")
    there = run_tap(settings, tmp_path, catalog=world.catalog, environment={"TZ": zone})
    assert (here.code, there.code) == (0, 0), there.log
    assert timeless(there) == timeless(here)
    again = run_tap(
        settings, tmp_path, catalog=world.catalog, state=there.state, environment={"TZ": "UTC"}
    )
    assert again.counts["pull_request_comments"] == 0
    assert again.counts["pipelines"] == 1  # the one that runs


# -- how a moment is written ---------------------------------------------------------------------

FORMS = {
    "Z": "{:%Y-%m-%dT%H:%M:%S.%f}Z",
    "z": "{:%Y-%m-%dt%H:%M:%S.%f}z",
    "no zone": "{:%Y-%m-%dT%H:%M:%S.%f}",
    "blank": "{:%Y-%m-%d %H:%M:%S.%f}+00:00",
    "seven digits": "{:%Y-%m-%dT%H:%M:%S.%f}0+00:00",
    "nine digits": "{:%Y-%m-%dT%H:%M:%S.%f}999Z",
    "an offset": "+05:30",
    "another offset": "-11:00",
}


def written(when: datetime, form: str) -> str:
    """Return a moment in some form."""
    if FORMS[form][0] in "+-":
        hours = timezone(
            timedelta(hours=5, minutes=30) if form == "an offset" else -timedelta(hours=11)
        )
        return when.astimezone(hours).isoformat(timespec="microseconds")
    return FORMS[form].format(when)


@pytest.mark.parametrize("form", FORMS)
def test_a_start_date_in_any_form(world: Small, form: str) -> None:
    """The moment counts, not its letters: rows of that very microsecond are read, older are not."""
    requests = sorted(one.updated_on for one in world.story.web.pull_requests.values())
    start = written(requests[-1], form)
    world.run.file("config.json", {**world.settings, "start_date": start})
    run = world.run("--config", "config.json", "--catalog", "catalog.json")
    assert says_why(run) is None
    for stream, cursor in (("pull_requests", "updated_on"), ("pipelines", "created_on")):
        late = {
            key for key, row in world.whole[stream].items()
            if (moment(row[cursor]) or requests[0]) >= requests[-1]
        }  # fmt: skip
        assert rows_of(run)[stream].keys() == late
        assert 0 < len(late) < len(world.whole[stream])


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1970-01-01"]
)
def test_the_beginning_of_time(world: Small, start: str) -> None:
    """A start long ago leaves nothing out."""
    world.run.file("config.json", {**world.settings, "start_date": start, "lookback": {"*": 10**9}})
    run = world.run("--config", "config.json", "--catalog", "catalog.json")
    assert says_why(run) is None
    assert rows_of(run) == world.whole


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00"])
def test_the_end_of_time(world: Small, start: str) -> None:
    """A start that never comes leaves all out that has a time, but for what still runs."""
    world.run.file("config.json", {**world.settings, "start_date": start})
    run = world.run("--config", "config.json", "--catalog", "catalog.json")
    assert says_why(run) is None
    assert not run.rows("pull_requests")
    assert [row.get("completed_on") for row in run.rows("pipelines")] == [None]


def test_a_leap_second_is_a_moment() -> None:
    """The sixtieth second is the one before the next minute's first."""
    assert moment("2016-12-31T23:59:60Z") == datetime(2017, 1, 1, tzinfo=timezone.utc)
    assert moment("2016-12-31T23:59:60.5Z") == datetime(2017, 1, 1, 0, 0, 0, 500000, timezone.utc)
    assert moment("2016-12-31T18:59:60-05:00") == datetime(2017, 1, 1, tzinfo=timezone.utc)
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        moment("2016-12-31T23:59:61Z")


ODD_TIMES = (
    "2026-06-30T23:59:60Z", "2026-06-30T23:59:60.999999999Z", "2026-06-30T23:59:59.1234567+00:00",
    "2026-06-30T23:59:59.123456789Z", "2026-06-30T23:59:59", "2026-07-01T05:29:59+05:30",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-14:00",
    "", "soon", "2026-06-30T25:00:00Z", None,
)  # fmt: skip


@pytest.mark.parametrize("cursor", ODD_TIMES)
def test_rows_with_odd_times(story: Story, cursor: str | None) -> None:
    """A row whose time is odd, or not there, is written, and costs no other row, now or later."""
    for _ in range(2):
        open_request(story)
        story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.clock.later(hours=1)

    def odd_first(answer: dict[str, Any]) -> dict[str, Any]:
        for name in ("created_on", "updated_on"):
            if name in (answer.get("values") or [{}])[0]:
                answer["values"][0][name] = cursor
        return answer

    faults = [
        story.server.faults.add(Fault(match, action="edit", times=None, edit=odd_first))
        for match in (r"GET .*/api/pullrequests\?", r"GET .*/api/pipelines/?\?")
    ]
    first = story.sync("pull_requests", "pipelines", "pipeline_steps")
    assert first.counts["pull_requests"] == 2
    assert first.counts["pipelines"] == 2
    assert first.counts["pipeline_steps"] >= 2
    again = story.sync("pull_requests", "pipelines", "pipeline_steps")
    assert "Traceback" not in again.log
    story.server.faults.clear()
    assert faults
    open_request(story)
    story.world.start_pipeline(story.api)
    story.clock.later(hours=1)
    story.sync("pull_requests", "pipelines", "pipeline_steps")
    assert len(story.target["pull_requests"]) == 3
    assert len(story.target["pipelines"]) == 3


# -- one instant ---------------------------------------------------------------------------------

MANY = 130


def at_one_instant(story: Story) -> datetime:
    """Open and comment many pull requests and start pipelines in the same microsecond."""
    at: datetime = story.world.now()
    for _ in range(MANY):
        request = open_request(story)
        story.world.comment(request, story.who("bob"), "Now.")
        story.world.finish_pipeline(story.world.start_pipeline(story.api, steps=("Build",)))
    for request in story.api.pull_requests.values():
        request.created_on = request.updated_on = at
        for comment in request.comments:
            comment.created_on = comment.updated_on = at
    for entry in story.api.activity:
        entry.date = at
    for pipeline in story.api.pipelines:
        pipeline.created_on = at
    return at


@pytest.mark.parametrize("most", [None, 9, 12, 17])
def test_many_rows_of_one_instant(story: Story, most: int | None) -> None:
    """Pages and runs may end amid rows of one microsecond: none is lost, later ones neither."""
    at = at_one_instant(story)
    streams = ("pull_requests", "pull_request_activity", "pull_request_comments", "pipelines")
    story.clock.later(hours=1)
    limits = {} if most is None else {"max_requests": most}
    for _ in range(60):
        run = story.sync(*streams, hours=0, **limits)
        if "resume" not in run.state:
            break
    else:
        pytest.fail("it does not come to an end")
    nothing_lost(story, *streams)
    # One more of that instant, which the list shows late; and one that changes.
    late = open_request(story)
    late.created_on = late.updated_on = at + timedelta(hours=1)
    story.world.update_title(story.api.pull_requests[7], "Another")
    story.clock.later(hours=1)
    story.sync(*streams, hours=0)
    nothing_lost(story, "pull_requests", "pull_request_comments", "pipelines")


def test_a_row_of_the_bookmark_itself(story: Story) -> None:
    """What comes in the very microsecond of the bookmark, after it was told, is read as well."""
    story.world.finish_pipeline(story.world.start_pipeline(story.api))
    story.clock.later(hours=1)
    story.sync("pipelines")
    bookmark = moment(
        story.state["bookmarks"]["pipelines"]["partitions"][0]["replication_key_value"]  # type: ignore[index]
    )
    assert bookmark is not None
    pipeline = story.world.start_pipeline(story.api)
    pipeline.created_on = bookmark
    story.sync("pipelines")
    assert len(story.target["pipelines"]) == 2


# -- while a run begins --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", [r"pullrequests\?", r"/activity", r"/repositories/[^/]*\?", r"/pipelines"]
)
def test_the_second_in_which_a_run_begins(story: Story, place: str) -> None:
    """What changes before a list is read and after it, in the same second, is read by the next."""
    request = open_request(story)
    story.clock.later(hours=1)
    story.sync()

    def something() -> None:
        story.world.update_title(request, f"{story.world.now()}")
        story.world.comment(request, story.who("bob"), f"{story.world.now()}")
        story.world.start_pipeline(story.api, steps=("Build",))

    something()
    story.server.faults.add(Fault(place, action="callback", times=2, callback=something))
    story.sync(hours=0)
    something()
    story.server.faults.clear()
    story.sync(hours=0)
    story.sync()
    nothing_lost(story)


# -- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [(-9, -9, -9), (9, 9, 9), (0, 9, -9), (9, -9, 0), (-9, 30, 0)])
def test_a_machine_whose_clock_is_wrong(
    story: Story, monkeypatch: pytest.MonkeyPatch, hours: tuple[int, ...]
) -> None:
    """A machine hours ahead or behind, or that jumps between runs, loses nothing."""
    now = time.time
    for ahead in hours:
        request = open_request(story)
        story.world.comment(request, story.who("bob"), "Late?")
        story.world.start_pipeline(story.api, steps=("Build",))
        story.clock.later(minutes=20)
        monkeypatch.setattr(time, "time", lambda ahead=ahead: now() + ahead * 3600)
        story.sync(hours=0)
        nothing_lost(story)
    story.world.comment(story.api.pull_requests[1], story.who("bob"), "At last.")
    story.clock.later(minutes=1)
    story.sync()
    nothing_lost(story)


def test_a_clock_that_jumps_amid_a_run(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is set right, or wrong, while it reads, goes on."""
    request = open_request(story)
    story.clock.later(hours=1)
    now, ahead = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: now() + ahead[0])

    def jump() -> None:
        ahead[0] = 36_000.0 if ahead[0] <= 0 else -36_000.0

    story.server.faults.add(Fault("GET", action="callback", times=None, callback=jump))
    story.sync(hours=0)
    story.world.comment(request, story.who("bob"), "Meanwhile.")
    story.clock.later(minutes=10)
    story.sync()
    nothing_lost(story)
