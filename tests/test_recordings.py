"""Real responses of Bitbucket Cloud go through the streams they belong to."""

from __future__ import annotations

import json

from jsonschema import Draft7Validator

from tests.columns import MADE
from tests.recordings import (
    FOLDER,
    KINDS,
    LEFT_OUT,
    Recording,
    lines,
    name_of,
    rows_of,
    sent,
    singer_lines,
)
from tests.truth import ALL_STREAMS, as_written, content, missing


def written(one: Recording) -> list[dict[str, object]]:
    """Return what was written of a recording's stream, without the columns that the tap adds."""
    return [content(row, one.stream) for row in one.run.rows(one.stream)]


def expected(one: Recording) -> list[dict[str, object]]:
    """Return a recording's rows as the tap documents to write them."""
    rows = [_fitted(row) for row in one.rows if not _left_out(row, one.stream)]
    return [as_written(row, one.stream) for row in rows]


def _fitted(row: dict[str, object]) -> dict[str, object]:
    """Return a row whose links, a list in the oldest data, are an object that holds the list."""
    links = row.get("links")
    return {**row, "links": {"value": links}} if isinstance(links, list) else row


def _left_out(row: dict[str, object], stream: str) -> bool:
    """Whether a row is a draft, an entry in which nothing happens, or an account without a key."""
    if stream == "pull_request_activity":
        return set(row) <= {"pull_request"}
    return bool(row.get("pending")) or (stream == "users" and "uuid" not in row)


def test_no_field_is_lost() -> None:
    """Each property of a recorded row, nested ones too, arrives with its value."""
    assert [lost for one in sent() for lost in _lost(one)] == []


def _lost(one: Recording) -> list[str]:
    arrived = written(one)
    made = MADE.get(one.stream, {})
    found: list[str] = []
    for row in expected(one):
        known = {name: value for name, value in row.items() if name not in made}
        nearest = min((list(missing(known, other)) for other in arrived), key=len, default=["all"])
        found += [f"{one.file}: {what}" for what in nearest]
    return found


def test_every_row_is_valid() -> None:
    """Each row made of a recording is valid by the stream's SCHEMA."""
    assert [error for one in sent() for error in _errors(one)] == []


def _errors(one: Recording) -> list[str]:
    validator = Draft7Validator(
        one.run.schemas[one.stream]["schema"], format_checker=Draft7Validator.FORMAT_CHECKER
    )
    return [
        f"{one.file}: {error.json_path}: {error.message[:200]}"
        for row in one.run.rows(one.stream)
        for error in validator.iter_errors(row)
    ]


def test_every_kind_belongs_to_a_stream_or_is_left_out_for_a_reason() -> None:
    """Whatever was recorded goes through a stream, or a reason says why there is none for it."""
    found = {name_of(line["endpoint_kind"], row) for line in lines() for row in rows_of(line)}
    assert found - set(KINDS) - set(LEFT_OUT) == set()
    assert set(KINDS).isdisjoint(LEFT_OUT)
    assert set(KINDS.values()) <= set(ALL_STREAMS)
    if found:
        assert found == {*KINDS, *LEFT_OUT}


def test_the_recordings_make_messages_for_a_target() -> None:
    """Where the recordings are at hand, they make one run's messages of all streams recorded."""
    said = [json.loads(line) for line in singer_lines()]
    streams = {message["stream"] for message in said if message["type"] == "RECORD"}
    assert bool(streams) == FOLDER.is_dir()
    assert streams <= {message["stream"] for message in said if message["type"] == "SCHEMA"}
    if streams:
        assert streams >= {one.stream for one in sent()}
        assert sum(len(one.rows) for one in sent()) >= 400
