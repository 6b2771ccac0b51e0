"""Catalogs that were damaged: what they still select is read as ever, or one line says why not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tests.fuzzing import FEW, NIGHTLY, Small, inputs, rows_of, says_why, small
from tests.mutating import changed
from tests.support import Run
from tests.truth import KEYS

pytestmark = pytest.mark.timeout(300 + 120 * NIGHTLY)

Catalog = dict[str, Any]


@pytest.fixture(scope="module")
def world(catalog: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Serve a small world."""
    with small(catalog, tmp_path_factory.mktemp("catalogs"), *FEW) as made:
        yield made


def run_with(world: Small, catalog: Any) -> Run:
    """Run with a catalog."""
    world.run.file("catalog.json", catalog)
    return world.run("--config", "config.json", "--catalog", "catalog.json")


def root_of(stream: dict[str, Any]) -> dict[str, Any]:
    """Return what a catalog says of a stream as a whole."""
    roots = [one["metadata"] for one in stream.get("metadata", []) if not one["breadcrumb"]]
    return roots[-1] if roots else {}


def selected(catalog: Catalog) -> set[str]:
    """Return which of the known streams a catalog selects, by the rules of Singer."""
    chosen = set()
    for stream in catalog["streams"]:
        root = root_of(stream)
        if root.get("selected") is not None:
            wanted = root["selected"]
        elif root.get("inclusion") == "unsupported":
            wanted = False
        else:
            wanted = bool(root.get("selected-by-default"))
        if wanted and stream["tap_stream_id"] in KEYS:
            chosen.add(stream["tap_stream_id"])
    return chosen


def judge(world: Small, run: Run, catalog: Any, *, same: set[str]) -> None:
    """See that a run with a catalog is what is promised; ``same`` streams were not touched."""
    reason = says_why(run)
    if reason is not None:
        assert "catalog" in reason
        assert "--discover" in reason
        assert run.lines == []
        return
    there, wanted = rows_of(run), selected(catalog)
    assert set(there) == wanted & set(world.whole), run.log
    for stream, rows in there.items():
        assert rows.keys() == world.whole[stream].keys(), f"rows of {stream} are lost"
        assert list(run.schemas[stream]["key_properties"]) == list(KEYS[stream])
        assert set(KEYS[stream]) <= set(run.schemas[stream]["schema"]["properties"])
        if stream in same:
            assert rows == world.whole[stream]
            Draft7Validator(run.schemas[stream]["schema"]).validate(run.rows(stream)[0])
    if not run.counts:
        assert "selects no stream" in run.log
    names = {one["tap_stream_id"] for one in catalog["streams"]}
    assert set(world.whole) <= names or "The catalog does not know" in run.log


@inputs(40)
@given(st.data())
def test_a_damaged_catalog(world: Small, data: st.DataObject) -> None:
    """Whatever is changed in a catalog: nothing that it still selects is lost."""
    catalog, changes = data.draw(changed(world.catalog))
    whole = {one.place for one in changes if len(one.place) < 3}
    touched = {one.place[1] for one in changes if len(one.place) > 2}
    names = [one["tap_stream_id"] for one in world.catalog["streams"]]
    same = set() if whole else {name for i, name in enumerate(names) if i not in touched}
    judge(world, run_with(world, catalog), catalog, same=same)


def everywhere(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Callable[..., Any]:
    """Return a change of every stream of a catalog, given the stream and its root metadata."""

    def of(catalog: Catalog) -> Catalog:
        for stream in catalog["streams"]:
            change(stream, root_of(stream))
        return catalog

    return of


def _no_keys(stream: dict[str, Any], root: dict[str, Any]) -> None:
    stream["key_properties"] = []
    root.pop("table-key-properties", None)


def _keys_off(stream: dict[str, Any], root: dict[str, Any]) -> None:  # noqa: ARG001
    for one in stream["metadata"]:
        if one["breadcrumb"][1:] and one["breadcrumb"][1] in KEYS[stream["tap_stream_id"]]:
            one["metadata"] = {"inclusion": "available", "selected": False}


def _bare(stream: dict[str, Any], root: dict[str, Any]) -> None:  # noqa: ARG001
    for name in set(stream) - {"tap_stream_id", "schema", "metadata"}:
        del stream[name]


HARMLESS = {
    "no keys": everywhere(_no_keys),
    "other keys": everywhere(lambda stream, _: stream.update(key_properties=["type"])),
    "keys that do not exist": everywhere(lambda stream, _: stream.update(key_properties=["x"])),
    "keys deselected": everywhere(_keys_off),
    "no replication key": everywhere(lambda stream, _: stream.pop("replication_key", None)),
    "another cursor": everywhere(lambda stream, _: stream.update(replication_key="x")),
    "a method that does not exist": everywhere(
        lambda stream, _: stream.update(replication_method="SOMETIMES")
    ),
    "logs": everywhere(lambda stream, _: stream.update(replication_method="LOG_BASED")),
    "forced": everywhere(lambda _, root: root.update({"forced-replication-method": "FULL_TABLE"})),
    "bare": everywhere(_bare),
    "another name": everywhere(lambda stream, _: stream.update(stream="x")),
    "unknown properties": everywhere(
        lambda stream, _: stream["metadata"].append(
            {"breadcrumb": ["properties", "x"], "metadata": {"selected": True}}
        )
    ),
    "odd breadcrumbs": everywhere(
        lambda stream, _: stream["metadata"].extend(
            {"breadcrumb": crumb, "metadata": {"selected": False}}
            for crumb in (["properties"], ["x", "uuid"], ["properties", ""], ["properties"] * 9)
        )
    ),
    "more words": everywhere(lambda stream, root: (stream.update(x=[{}]), root.update(x=None))),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_rows_do_not_depend_on(world: Small, what: str) -> None:
    """Keys, cursors and names are the tap's own: what a catalog says of them loses no row."""
    catalog = HARMLESS[what](copy.deepcopy(world.catalog))
    run = run_with(world, catalog)
    judge(world, run, catalog, same=set(world.whole))
    assert run.code == 0
    assert rows_of(run) == world.whole


NOTHING: dict[str, Callable[[Catalog], Any]] = {
    "no stream": lambda _: {"streams": []},
    "nothing selected": everywhere(lambda _, root: root.update(selected=False)),
    "no metadata": everywhere(lambda stream, _: stream.update(metadata=[])),
    "metadata left out": everywhere(lambda stream, _: stream.pop("metadata")),
    "streams that do not exist": everywhere(
        lambda stream, _: stream.update(tap_stream_id="x" + stream["tap_stream_id"])
    ),
}


@pytest.mark.parametrize("what", NOTHING)
def test_nothing_is_selected(world: Small, what: str) -> None:
    """A run that reads nothing says so."""
    run = run_with(world, NOTHING[what](copy.deepcopy(world.catalog)))
    assert says_why(run) is None
    assert not run.counts
    assert "The catalog selects no stream: there is nothing to read." in run.log


REFUSED: dict[str, tuple[Callable[[Catalog], Any], str]] = {
    "streams left out": (lambda _: {}, "'streams'"),
    "streams an object": (lambda _: {"streams": {}}, "'streams'"),
    "doubled": (lambda one: {"streams": one["streams"] * 2}, "'workspaces' is in it twice"),
    "selected is a text": (
        everywhere(lambda _, root: root.update(selected="false")), "selected",
    ),
    "selected is a number": (everywhere(lambda _, root: root.update(selected=0)), "selected"),
    "an inclusion that does not exist": (
        everywhere(lambda _, root: root.update(inclusion="sometimes")), "inclusion",
    ),
    "no schema": (everywhere(lambda stream, _: stream.update(schema={})), "lacks its key"),
    "a list of schemas": (
        everywhere(lambda stream, _: stream["schema"].update(properties=[])), "schema",
    ),
    "a stream that was removed": (
        lambda one: {"streams": [{**one["streams"][0], "tap_stream_id": "issues"}]}, "issue",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_catalog(world: Small, what: str) -> None:
    """What cannot be meant is refused before anything is asked, by its name and place."""
    change, named = REFUSED[what]
    world.story.server.clear_requests()
    run = run_with(world, change(copy.deepcopy(world.catalog)))
    assert named in (says_why(run) or "")
    assert run.lines == []
    assert world.story.server.requests == []
