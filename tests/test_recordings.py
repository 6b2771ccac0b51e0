"""Real responses of Bitbucket Cloud go through the streams they belong to."""

from __future__ import annotations

import json

from jsonschema import Draft7Validator

from tests.recordings import FOLDER, Recording, sent, singer_lines, without_user_info
from tests.truth import MADE, as_written, content, missing


def written(one: Recording) -> list[dict[str, object]]:
    """Return what was written of a recording's stream, without the columns that the tap adds."""
    return [content(row, one.stream) for row in one.run.rows(one.stream)]


def expected(one: Recording) -> list[dict[str, object]]:
    """Return a recording's rows as the tap documents to write them."""
    rows = [without_user_info(row) for row in one.rows if not _left_out(row, one.stream)]
    return [as_written(row, one.stream) for row in rows]


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
    made = MADE.get(one.stream, set())
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


def test_the_recordings_belong_to_all_streams_that_were_recorded() -> None:
    """Where the recordings are at hand, they cover the streams, and make messages for a target."""
    lines = [json.loads(line) for line in singer_lines()]
    streams = {line["stream"] for line in lines if line["type"] == "RECORD"}
    assert bool(streams) == FOLDER.is_dir()
    assert streams <= {line["stream"] for line in lines if line["type"] == "SCHEMA"}
    if streams:
        assert len(streams) >= 16
        assert len(sent()) >= 100
