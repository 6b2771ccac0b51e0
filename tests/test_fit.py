"""Values arrive in their declared type, whatever Bitbucket sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator

from tap_bitbucket.demo import BitbucketServer, Fault, example_world
from tap_bitbucket.fit import Fit
from tests.support import Row, api_token_config, run_here, select_all
from tests.truth import truth

SCHEMA: dict[str, Any] = {
    "required": ["id"],
    "properties": {
        "id": {"type": ["string"]},
        "made": {"type": ["string", "null"]},
        "count": {"type": ["integer", "null"]},
        "on": {"type": ["boolean", "null"]},
        "size": {"type": ["number", "null"]},
        "links": {"type": ["object", "array", "null"]},
        "author": {
            "type": ["object", "null"],
            "properties": {
                "name": {"type": ["string", "null"]},
                "user": {
                    "type": ["object", "null"],
                    "properties": {"uuid": {"type": ["string", "null"]}},
                },
            },
        },
        "events": {
            "type": ["array", "null"],
            "items": {
                "type": ["object", "null"],
                "properties": {"at": {"type": ["string", "null"]}},
            },
        },
    },
}


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ({"author": "Ann"}, {"author": {"value": "Ann"}}),
        ({"author": {"user": "Ann"}}, {"author": {"user": {"value": "Ann"}}}),
        ({"author": {"user": {"uuid": 7}}}, {"author": {"user": {"uuid": "7"}}}),
        ({"author": {"name": ["A"]}}, {"author": {"name": '["A"]'}}),
        ({"author": [{"name": "A"}]}, {"author": {"value": [{"name": "A"}]}}),
        ({"events": {"at": "x"}}, {"events": [{"at": "x"}]}),
        ({"events": ["x", None]}, {"events": [{"value": "x"}, None]}),
        ({"events": [{"at": 5}]}, {"events": [{"at": "5"}]}),
        ({"count": "7"}, {"count": 7}),
        ({"count": "many"}, {"count": None}),
        ({"count": True}, {"count": 1}),
        ({"on": "true"}, {"on": True}),
        ({"size": "1.5"}, {"size": 1.5}),
    ],
)
def test_odd_values_are_kept_in_the_declared_type(sent: Row, written: Row) -> None:
    """At every depth, text is kept in an object, structure as text, and numbers as numbers."""
    row = Fit("things", SCHEMA, {"made"}).row(msgspec.Raw(json.dumps(sent).encode()))
    assert row == written


@pytest.mark.parametrize(
    "sent",
    [
        {"id": "1", "count": 7, "size": 7, "on": False, "author": None, "new": {"a": [1]}},
        {"author": {"name": "A", "user": {"uuid": "u", "more": 1}}, "events": []},
        {"links": [{"href": "x"}], "made": 5},
        {"links": {"self": {"href": "x"}}},
    ],
)
def test_what_fits_is_passed_on_as_it_is(sent: Row) -> None:
    """Values of the declared types, nulls and what nobody described arrive unchanged."""
    fit = Fit("things", SCHEMA, {"made"})
    assert fit.row(msgspec.Raw(json.dumps(sent).encode())) == sent


def test_what_is_no_object_is_no_row() -> None:
    """A sentence among the rows, as Bitbucket's Free plan has sent, is left out."""
    assert Fit("things", SCHEMA, set()).row(msgspec.Raw(b'"upgrade"')) is None


def odd(replacement: Any, number: int) -> Callable[[Row], Row]:
    """Return a change that replaces one of the objects inside each row of a page."""

    def change(body: Row) -> Row:
        rows = body.get("values")
        for row in rows if isinstance(rows, list) else ():
            names = [name for name, value in row.items() if isinstance(value, dict)]
            names = [name for name in names if name not in {"links", "workspace", "mainbranch"}]
            if names:
                row[names[number % len(names)]] = replacement
        return body

    return change


def invalid(messages: list[Row]) -> Iterator[str]:
    """Yield what is wrong with the rows by their own SCHEMA."""
    validators: dict[str, Draft7Validator] = {}
    for message in messages:
        if message["type"] == "SCHEMA":
            validators[message["stream"]] = Draft7Validator(message["schema"])
        elif message["type"] == "RECORD":
            for error in validators[message["stream"]].iter_errors(message["record"]):
                yield f"{message['stream']}: {error.message}"


@pytest.mark.parametrize("replacement", ["text", ["a", {"list": 1}], 7], ids=["text", "list", "7"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_odd_object_stops_a_run(replacement: Any, number: int, catalog: dict[str, Any]) -> None:
    """Text, a list or a number in the place of any object costs no row and no run."""
    world = example_world()
    with BitbucketServer(world) as server:
        config = api_token_config(server)
        server.faults.add(Fault("GET .*", times=None, action="edit", edit=odd(replacement, number)))
        run = run_here(config, catalog=select_all(catalog))
    assert run.code == 0, run.log
    assert "Traceback" not in run.log
    assert list(invalid(run.messages)) == []
    for stream in ("repositories", "pull_requests", "pull_request_comments", "pipelines"):
        assert run.counts[stream] == len(truth(world, stream)), stream
