"""Bookmarks: times as Bitbucket and people write them, and states that are not ours."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_bitbucket.state import (
    Bookmarks,
    IndexedStateManager,
    at_or_after,
    earlier,
    iso,
    moment,
)
from tap_bitbucket.state_shape import check

UTC = timezone.utc

MOMENTS = [
    ("2026-08-09T10:11:12.123456+00:00", datetime(2026, 8, 9, 10, 11, 12, 123456, UTC)),
    ("2026-08-09T10:11:12+00:00", datetime(2026, 8, 9, 10, 11, 12, 0, UTC)),
    ("2026-08-09T10:11:12Z", datetime(2026, 8, 9, 10, 11, 12, 0, UTC)),
    ("2026-08-09T10:11:12z", datetime(2026, 8, 9, 10, 11, 12, 0, UTC)),
    ("2026-08-09T10:11:12", datetime(2026, 8, 9, 10, 11, 12, 0, UTC)),
    ("2026-08-09 10:11:12", datetime(2026, 8, 9, 10, 11, 12, 0, UTC)),
    ("2026-08-09T10:11", datetime(2026, 8, 9, 10, 11, 0, 0, UTC)),
    ("2026-08-09", datetime(2026, 8, 9, tzinfo=UTC)),
    (" 2026-08-09T10:11:12Z\n", datetime(2026, 8, 9, 10, 11, 12, 0, UTC)),
    ("2026-08-09T10:11:12.5Z", datetime(2026, 8, 9, 10, 11, 12, 500000, UTC)),
    ("2026-08-09T10:11:12.123Z", datetime(2026, 8, 9, 10, 11, 12, 123000, UTC)),
    ("2026-08-09T10:11:12.123456789Z", datetime(2026, 8, 9, 10, 11, 12, 123456, UTC)),
    ("2026-08-09T10:11:12.999999999+02:00", datetime(2026, 8, 9, 8, 11, 12, 999999, UTC)),
    ("2026-08-09T10:11:12.5", datetime(2026, 8, 9, 10, 11, 12, 500000, UTC)),
    ("2026-08-09T10:11:12-05:30", datetime(2026, 8, 9, 15, 41, 12, 0, UTC)),
    ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
]


@pytest.mark.parametrize(("text", "expected"), MOMENTS, ids=[m[0] for m in MOMENTS])
def test_times_are_understood_as_bitbucket_writes_them(text: str, expected: datetime) -> None:
    """Zones, Z, no zone (UTC) and any number of decimals give the same moment everywhere."""
    assert moment(text) == expected


@pytest.mark.parametrize("text", [None, ""])
def test_no_time_is_no_moment(text: str | None) -> None:
    """A missing time is None, not an error."""
    assert moment(text) is None
    assert earlier(text, 300) is None


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "2026-13-01",
        "2026-02-30T00:00:00Z",
        "10:11:12",
        "yesterday",
        "2026-08-09T25:00:00Z",
        "1786270272",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Text that is no time is a ValueError, which callers turn into a sentence."""
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        moment(text)


def test_times_are_written_as_the_core_api_does() -> None:
    """One format: microseconds and +00:00, so that text sorts as time does."""
    assert (
        iso(datetime(2026, 8, 9, 12, 0, tzinfo=timezone(timedelta(hours=2))))
        == "2026-08-09T10:00:00.000000+00:00"
    )
    for text, _ in MOMENTS:
        parsed = moment(text)
        assert parsed is not None
        again = iso(parsed)
        assert moment(again) == parsed
        assert len(again) == 32


def test_moving_back_over_midnight_and_zones() -> None:
    """A lookback is seconds, whatever the zone of the bookmark."""
    assert earlier("2026-01-01T00:00:00Z", 300) == "2025-12-31T23:55:00.000000+00:00"
    assert earlier("2026-01-01T02:00:00+02:00", 0.5) == "2025-12-31T23:59:59.500000+00:00"
    assert earlier("2026-01-01T00:00:00Z", 0) == "2026-01-01T00:00:00.000000+00:00"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 300),
        ("0001-01-01T00:00:00+05:00", 0),
        ("2026-01-01T00:00:00Z", 1e11),
        ("2026-01-01T00:00:00Z", 1e15),
    ],
)
def test_moving_back_ends_at_the_beginning_of_time(text: str, seconds: float) -> None:
    """A lookback of any length is an early moment, never an error."""
    moved = earlier(text, seconds)
    assert moved is None or at_or_after("0001-01-02T00:00:00Z", moved)


def test_the_end_of_time_can_be_written() -> None:
    """A bookmark in year 9999 in a western zone is no error."""
    assert earlier("9999-12-31T23:59:59-05:00", 300)


COMPARED = [
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00", True),
    ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000001Z", False),
    ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00Z", True),
    ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456Z", True),
    ("2026-01-01T01:30:00+02:00", "2026-01-01T00:00:00Z", False),
    ("2025-12-31T23:00:00-02:00", "2026-01-01T00:00:00Z", True),
    ("2026-01-01T00:00:00", "2026-01-01T00:00:00Z", True),
    ("0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00Z", False),
    ("9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00Z", True),
    ("2026-01-01", None, True),
    ("anything", None, True),
    (None, None, True),
    (None, "2026-01-01", False),
    ("", "2026-01-01", False),
    ("not a time", "2026-01-01", True),
]


@pytest.mark.parametrize(("value", "floor", "expected"), COMPARED)
def test_comparing_compares_moments_not_text(
    value: str | None, floor: str | None, expected: bool
) -> None:
    """At the floor counts as after it; a row whose time cannot be read is kept, never lost."""
    assert at_or_after(value, floor) is expected


# -- states that are not ours -------------------------------------------------------------------


def stream(**partition: Any) -> dict[str, Any]:
    """Return a state with one partition."""
    context = {"repository_uuid": "{1}"}
    return {"bookmarks": {"pipelines": {"partitions": [{"context": context, **partition}]}}}


BAD: list[tuple[str, Any, str]] = [
    ("a list", [], "list"),
    ("text", "x", "str"),
    ("null", None, "NoneType"),
    ("bookmarks null", {"bookmarks": None}, "bookmarks"),
    ("bookmarks a list", {"bookmarks": []}, "bookmarks"),
    ("a bookmark null", {"bookmarks": {"commits": None}}, "commits"),
    ("a bookmark is text", {"bookmarks": {"commits": "2026-01-01"}}, "commits"),
    ("partitions null", {"bookmarks": {"commits": {"partitions": None}}}, "partitions"),
    ("partitions an object", {"bookmarks": {"commits": {"partitions": {}}}}, "partitions"),
    ("a partition null", {"bookmarks": {"commits": {"partitions": [None]}}}, "commits"),
    ("no context", {"bookmarks": {"commits": {"partitions": [{}]}}}, "context"),
    ("context null", {"bookmarks": {"commits": {"partitions": [{"context": None}]}}}, "context"),
    (
        "context of objects",
        {"bookmarks": {"commits": {"partitions": [{"context": {"a": {}}}]}}},
        "context",
    ),
    ("value no time", stream(replication_key_value="yesterday"), "yesterday"),
    ("value a number", stream(replication_key_value=5), "5"),
    ("value an object", stream(replication_key_value={"a": 1}), "date-time"),
    ("value of the whole stream", {"bookmarks": {"x": {"replication_key_value": "no"}}}, "no"),
    ("gate no time", stream(gate="soon"), "gate"),
    ("gate a number", stream(gate=5), "gate"),
    ("gate_seen a list", stream(gate_seen=[]), "gate_seen"),
    ("seen a list", stream(seen=[]), "seen"),
    ("unfinished text", stream(unfinished="{1}"), "unfinished"),
    ("unfinished of objects", stream(unfinished=[{}]), "unfinished"),
    ("heads an object", stream(heads={}), "heads"),
    ("heads of numbers", stream(heads=[5]), "heads"),
    ("known null", stream(known=None), "known"),
    (
        "reconciled_at text",
        {"bookmarks": {"tags": {"reconciled_at": "yesterday"}}},
        "reconciled_at",
    ),
    ("reconciled_at an object", {"bookmarks": {"tags": {"reconciled_at": {}}}}, "reconciled_at"),
]


@pytest.mark.parametrize(("state", "names"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_state_that_is_not_ours_is_refused(state: Any, names: str) -> None:
    """What is wrong is named in one sentence, with the way out, before anything is read."""
    with pytest.raises(ConfigValidationError) as caught:
        check(state)
    sentence = str(caught.value)
    assert names in sentence
    assert "Give the last good one" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bookmarks": {}},
        {"bookmarks": {"commits": {}}},
        {
            "bookmarks": {
                "a stream of tomorrow": {"partitions": [{"context": {"x": 1}, "what": [1]}]}
            }
        },
        {"something": "else", "bookmarks": {}},
        stream(replication_key="created_on", replication_key_value="2026-01-01T00:00:00Z"),
        stream(
            replication_key_value=None, seen={"{1}": "2026-01-01T00:00:00Z"}, unfinished=["{1}"]
        ),
        stream(heads=["abc"], known=["def"], repository_updated_on=None),
        {"bookmarks": {"tags": {"reconciled_at": 1763726400}}},
    ],
)
def test_a_state_of_ours_is_accepted(state: Any) -> None:
    """Every form that a run writes is accepted, and so is what a later version may add."""
    check(state)
    Bookmarks(state)


# -- bookmarks ----------------------------------------------------------------------------------


def test_bookmarks_do_not_move_with_the_state() -> None:
    """Readers see the state of the run's beginning, however far the writer is."""
    state = stream(unfinished=["{a}"])
    bookmarks = Bookmarks(state)
    partition = state["bookmarks"]["pipelines"]["partitions"][0]
    partition["unfinished"].append("{b}")
    partition["replication_key_value"] = "2026-01-01"
    assert bookmarks.of("pipelines", {"repository_uuid": "{1}"})["unfinished"] == ["{a}"]
    assert "replication_key_value" not in bookmarks.of("pipelines", {"repository_uuid": "{1}"})


def test_a_partition_is_found_by_its_whole_context() -> None:
    """The order of the context's names does not matter, every name does."""
    context = {"a": "1", "b": "2"}
    bookmarks = Bookmarks(
        {"bookmarks": {"s": {"partitions": [{"context": context, "x": 1}], "y": 2}}}
    )
    assert bookmarks.of("s", {"b": "2", "a": "1"})["x"] == 1
    assert bookmarks.of("s", {"a": "1"}) == {}
    assert bookmarks.of("t", context) == {}
    assert bookmarks.of("s", None)["y"] == 2


def test_states_of_many_partitions_are_found_without_a_scan() -> None:
    """Each partition has one entry, new ones are appended, and known ones are written in place."""
    tap_state: dict[str, Any] = stream(replication_key_value="2026-01-01")
    manager = IndexedStateManager(
        tap_name="tap", stream_name="pipelines", tap_state=cast("Any", tap_state)
    )
    known = manager.get_context_state({"repository_uuid": "{1}"})
    assert known["replication_key_value"] == "2026-01-01"
    for number in range(2, 2000):
        manager.get_context_state({"repository_uuid": f"{{{number}}}"})["n"] = number
    assert manager.get_context_state({"repository_uuid": "{77}"})["n"] == 77
    assert len(tap_state["bookmarks"]["pipelines"]["partitions"]) == 1999
