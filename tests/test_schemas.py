"""What the schemas say, by three witnesses, which differ: all of them are right.

They are the OpenAPI document of Bitbucket Cloud, recorded responses, and what people saw live.
The first two lie beside the project, in ``../shared``, and are no part of it; the document's types
are kept in ``openapi_types.json``, which ``python -m tests.test_schemas`` writes again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket import schemas
from tap_bitbucket.client import REGISTRY
from tap_bitbucket.rows import DISPLACED
from tap_bitbucket.schemas import ITEMS, stream_schema
from tests.recordings import FOLDER, recordings

JSON = dict[str, Any]

FILE = Path(__file__).with_name("openapi_types.json")
DOCUMENT = Path(__file__).resolve().parents[2] / "shared" / "bitbucket-openapi.json"
FACTS: JSON = json.loads(FILE.read_text(encoding="utf-8"))
NAMES = sorted(
    file.name.removesuffix(".json")
    for file in files("tap_bitbucket.schemas").iterdir()
    if file.name.endswith(".json") and file.name != "definitions.json"
)

UNDOCUMENTED = {
    "current_user_emails": "the document has no type for the answer",
    "downloads": "the document has no type for the answer",
    "pipeline_test_cases": "the document has no type for the answer",
    "pipeline_test_reports": "the document has no type for the answer",
    "pull_request_activity": "the document has no type for the answer",
    "pull_request_commits": "the document has no type for the answer; rows are those of commits",
}
"""Streams whose schema the OpenAPI document says nothing about."""

ELSEWHERE = {"pull_request_diffstat": None, "pull_request_participants": "pullrequest"}
"""Streams whose rows are not what their path answers: behind a redirect, inside of other rows."""

LEFT_OUT = {
    "deployment_variables": {"value": "may be a secret"},
    "pipeline_runners": {"oauth_client": "holds the secret that the runner signs in with"},
    "pipeline_variables": {"value": "may be a secret"},
    "repository_hooks": {"secret": "signs what is sent"},
    "workspace_hooks": {"secret": "signs what is sent"},
    "workspace_runners": {"oauth_client": "holds the secret that the runner signs in with"},
    "workspace_variables": {"value": "may be a secret"},
}
"""Properties of the OpenAPI types that are missing on purpose, and why."""

DIFFERENT = {
    "snippets.id": ("integer", "string", "seen live: a word"),
    "source_files.attributes": ("string", "array", "recorded: a list"),
}
"""What the document says otherwise than the schema, and the witness that is followed."""

UNTOLD_FORMATS = {"int64", "uri"}
"""Formats that are not taken over: no number is cut, and ssh addresses and "" are no URIs."""

IN_SHORT_FORM = {
    "base_commit", "branch", "comment", "commit", "object", "pipeline", "project", "pullrequest",
    "repository", "snippet", "workspace",
}  # fmt: skip
"""OpenAPI types that Bitbucket shows whole as rows, and in short form inside of other objects."""

LIVE = {
    "commit_comments": ["deleted", "inline.path", "parent.id"],
    "current_user": ["account_id", "nickname", "type"],
    "default_reviewers": ["reviewer_type", "user.uuid"],
    "deploy_keys": ["added_on", "created_on", "id"],
    "deployments": [
        "deployable.commit.hash", "deployable.created_on", "deployable.pipeline.uuid",
        "environment.uuid", "key", "last_update_time", "number", "release.commit.hash",
        "release.pipeline.uuid", "state.completed_on", "state.started_on", "step.uuid", "version",
    ],
    "downloads": ["created_on", "downloads", "links", "name", "size", "user.uuid"],
    "environments": [
        "category.name", "environment_type.name", "environment_type.rank", "hidden", "lock",
        "rank", "restrictions.admin_only", "slug",
    ],
    "pipelines": [
        "duration_in_seconds", "expired", "first_successful", "has_variables", "run_number",
    ],
    "project_default_reviewers": ["reviewer_type", "type", "user.uuid"],
    "project_deploy_keys": ["added_on", "created_on", "id"],
    "pull_request_activity": [
        "approval.date", "changes_requested.date", "comment.created_on", "pull_request.id",
        "update.changes", "update.date",
    ],
    "pull_request_comments": ["deleted", "inline.path", "parent.id", "pending", "resolution"],
    "pull_requests": ["draft", "participants[].approved", "queued", "reviewers[].uuid"],
    "repositories": ["override_settings", "slug", "website"],
    "repository_hooks": ["secret_set"],
    "source_files": ["attributes[]", "mimetype", "size"],
    "users": ["account_id", "nickname", "type"],
    "workspace_hooks": ["secret_set"],
    "workspace_permissions": ["added_on", "last_accessed", "permission"],
}  # fmt: skip
"""Properties that people saw live, most of which the document does not know."""

IN_2014 = {
    "branch_restrictions.groups[].owner.avatar_url is not described",
    "branch_restrictions.links is an array",
    "branch_restrictions.users[].avatar_url is not described",
    "repositories.owner.teamname is not described",
}
"""What only responses of 2014 show: addresses as a list, and names that Bitbucket gave up."""

SECRET = {
    "deployment_variables": {"value"},
    "deployments": {"deployable.pipeline.variables", "release.pipeline.variables"},
    "pipeline_runners": {"oauth_client"},
    "pipeline_schedule_executions": {"pipeline.variables"},
    "pipeline_schedules": {"variables"},
    "pipeline_steps": {
        "image.aws", "image.email", "image.password", "image.username", "pipeline.variables",
    },
    "pipeline_variables": {"value"},
    "pipelines": {"variables[].value"},
    "repository_hooks": {"secret"},
    "workspace_hooks": {"secret"},
    "workspace_runners": {"oauth_client"},
    "workspace_variables": {"value"},
}  # fmt: skip
"""All values that never leave the tap."""

ALIKE = {
    "branching_model_settings": "branching_models",
    "current_user": "users",
    "deployment_variables": "pipeline_variables",
    "forks": "repositories",
    "project_branching_models": "branching_models",
    "pull_request_commits": "commits",
    "pull_request_diffstat": "commit_diffstat",
    "pull_request_statuses": "commit_statuses",
    "watchers": "users",
    "workspace_hooks": "repository_hooks",
    "workspace_permissions": "workspace_members",
    "workspace_runners": "pipeline_runners",
    "workspace_variables": "pipeline_variables",
}
"""Streams with rows of the same kind."""

TWO_KINDS = {
    "commit_reports.data[].value": "the type says object, Bitbucket's manual also text or number",
    "pipeline_schedule_executions.pipeline.target.selector.type": "as in pipelines",
    "pipeline_schedules.selector.type": "as in pipelines",
    "pipeline_schedules.target.selector.type": "as in pipelines",
    "pipelines.target.selector.type": "the document says text, an object was recorded in 2022",
}
"""Values, deep inside, that are text or an object."""

each_schema = pytest.mark.parametrize("name", NAMES)


@cache
def described(name: str) -> dict[str, JSON]:
    """Return all that a schema file describes, what never leaves the tap included, by place."""
    return dict(_below({"type": "object", **schemas._read(name)}, ""))


def _below(node: JSON, place: str) -> Iterator[tuple[str, JSON]]:
    for name, child in node.get("properties", {}).items():
        yield from _at(child, f"{place}.{name}" if place else name)
    if "items" in node:
        yield from _at(node["items"], f"{place}{ITEMS}")


def _at(node: JSON, place: str) -> Iterator[tuple[str, JSON]]:
    node = schemas._resolved(node)
    yield place, node
    yield from _below(node, place)


def kinds(node: JSON) -> list[str]:
    """Return the types that a value may have."""
    return node["type"] if isinstance(node["type"], list) else [node["type"]]


def last(place: str) -> str:
    """Return the name of a property without where it is."""
    return place.rpartition(".")[2]


def columns(name: str) -> set[str]:
    """Return the columns that a schema publishes of what Bitbucket sends."""
    return set(stream_schema(name, (), ()).published["properties"])


def column(name: str, documented: str) -> str:
    """Return the column of a documented property: some objects are moved aside."""
    aside = DISPLACED.get(documented, documented)
    return aside if aside in columns(name) else documented


def documented(name: str) -> dict[str, str]:
    """Return the properties of a stream's OpenAPI types, with type and format."""
    names = FACTS["streams"].get(name, ())
    return {prop: kind for one in names for prop, kind in FACTS["types"][one].items()}


# -- the OpenAPI document --------------------------------------------------------------------------


@cache
def documents() -> list[JSON]:
    """Return the OpenAPI document, if it is at hand."""
    return [json.loads(DOCUMENT.read_text(encoding="utf-8"))] if DOCUMENT.is_file() else []


def extracted(document: JSON, streams: dict[str, list[str]]) -> JSON:
    """Return what the document says about the types of the streams, and about their subtypes."""
    types = document["components"]["schemas"]
    whole = {
        stream: sorted({kind for name in names for kind in _family(types, name)})
        for stream, names in sorted(streams.items())
    }
    used = sorted({name for names in whole.values() for name in names})
    return {
        "streams": whole,
        "types": {
            name: {prop: _kind(node) for prop, node in sorted(_members(types, name).items())}
            for name in used
        },
    }


def _parents(node: JSON) -> list[str]:
    return [_last_name(part) for part in node.get("allOf", ()) if "$ref" in part]


def _last_name(reference: JSON) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _family(types: JSON, name: str) -> Iterator[str]:
    yield name
    for other, node in types.items():
        if name in _parents(node):
            yield from _family(types, other)


def _members(types: JSON, name: str) -> dict[str, JSON]:
    node = types[name]
    found: dict[str, JSON] = {}
    for parent in _parents(node):
        found |= _members(types, parent)
    for part in (node, *node.get("allOf", ())):
        found |= part.get("properties", {})
    return found


def _kind(node: JSON) -> str:
    kind = "object" if "$ref" in node or "allOf" in node else node["type"]
    return f"{kind} {node['format']}" if "format" in node else kind


def as_text(facts: JSON) -> str:
    """Return the facts as they are kept: one stream or type a line."""
    blocks = [
        f" {json.dumps(block)}: {{\n"
        + ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in lines.items())
        + "\n }"
        for block, lines in facts.items()
    ]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def test_the_facts_are_those_of_the_document() -> None:
    """The kept types are what the OpenAPI document says, subtypes included."""
    assert FILE.read_text(encoding="utf-8") == as_text(FACTS)
    for document in documents():
        assert extracted(document, FACTS["streams"]) == FACTS


def test_the_types_are_those_of_the_paths() -> None:
    """A stream is compared with the type that its path answers, or with one made of that."""
    compared = 0
    for document in documents():
        paths = {_shape(path): path for path in document["paths"]}
        for name in set(NAMES) & set(REGISTRY):
            path = paths.get(_shape(getattr(REGISTRY[name], "path", "")))
            if path is not None:
                told = _answer(document, path)
                family = set(_family(document["components"]["schemas"], told)) if told else {None}
                expected = [ELSEWHERE[name]] if name in ELSEWHERE else FACTS["streams"].get(name)
                assert family & set(expected or [None]), name
                compared += 1
    assert (compared > 60) == DOCUMENT.is_file()


def _shape(path: str) -> str:
    """Return a path without the names of what is filled in."""
    return re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def _answer(document: JSON, path: str) -> str | None:
    """Return the type of a path's rows, None where the document tells none."""
    answers = document["paths"][path].get("get", {}).get("responses", {})
    body = answers.get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" not in body:
        return None
    name = _last_name(body)
    page = document["components"]["schemas"][name].get("properties", {})
    return _last_name(page["values"]["items"]) if "values" in page else name


def test_each_schema_has_types_or_a_reason() -> None:
    """Each schema is compared with the document, or is named where the document has nothing."""
    assert set(NAMES) == set(FACTS["streams"]) | set(UNDOCUMENTED)
    assert not set(FACTS["streams"]) & set(UNDOCUMENTED)
    assert set(LEFT_OUT) <= set(FACTS["streams"])


@each_schema
def test_only_what_is_named_is_missing(name: str) -> None:
    """Each property of the OpenAPI types is a column, or is named as left out, with the reason."""
    missing = {prop for prop in documented(name) if column(name, prop) not in columns(name)}
    assert missing == set(LEFT_OUT.get(name, {}))
    assert {(prop,) for prop in missing} <= stream_schema(name, (), ()).secret


@each_schema
def test_types_are_those_of_the_document(name: str) -> None:
    """A column has the type and the format of the document, or the difference is named."""
    differences = {}
    for prop, kind in documented(name).items():
        node = described(name)[column(name, prop)]
        ours = " ".join([*kinds(node), *([node["format"]] if "format" in node else [])])
        theirs = " ".join(word for word in kind.split() if word not in UNTOLD_FORMATS)
        if ours != theirs:
            differences[f"{name}.{prop}"] = (theirs, ours)
    named = {at: two for at, (*two, _) in DIFFERENT.items() if at.startswith(f"{name}.")}
    assert {at: list(two) for at, two in differences.items()} == named


@each_schema
def test_nested_properties_are_those_of_the_document(name: str) -> None:
    """What is inside of a column is described down to what Bitbucket shows in short form."""
    for document in documents():
        types = document["components"]["schemas"]
        for kind in FACTS["streams"].get(name, ()):
            assert list(_lacking(types, _members(types, kind), name, "")) == []


def _lacking(types: JSON, members: dict[str, JSON], name: str, above: str) -> Iterator[str]:
    """Yield the places that a schema does not describe as the document does."""
    for prop, node in members.items():
        at = f"{above}.{prop}" if above else column(name, prop)
        ours = described(name).get(at)
        if ours is None:
            yield at
        elif prop == "links" or ours.get("secret") or f"{name}.{at}" in DIFFERENT:
            continue
        elif node.get("type") == "array":
            yield from _inside(types, node["items"], name, f"{at}{ITEMS}")
        elif _kind(node).split()[0] not in kinds(ours):
            yield f"{at} is no {_kind(node)}"
        else:
            yield from _inside(types, node, name, at)


def _inside(types: JSON, node: JSON, name: str, at: str) -> Iterator[str]:
    whole = [_last_name(node)] if "$ref" in node else []
    recursive = FACTS["streams"][name] == whole
    if whole and whole[0] not in IN_SHORT_FORM and not recursive:
        for kind in _family(types, whole[0]):
            yield from _lacking(types, _members(types, kind), name, at)
    elif not whole:
        yield from _lacking(types, node.get("properties", {}), name, at)


# -- the recordings and what was seen live ---------------------------------------------------------


def undescribed(value: Any, name: str, place: str = "") -> Iterator[str]:
    """Yield what a schema does not say about a value that Bitbucket sent."""
    node = described(name)[place] if place else {"type": "object", "properties": {"": None}}
    if value is None or node.get("secret"):
        return
    kind = next(word for word, types in _PYTHON.items() if isinstance(value, types))
    if not {kind, "number" if kind == "integer" else kind} & set(kinds(node)):
        yield f"{name}.{place} is an {kind}"
    elif node.get("format") == "date-time" and not _MOMENT.match(value):
        yield f"{name}.{place} is no date-time"
    elif kind == "array":
        for item in value if f"{place}{ITEMS}" in described(name) else ():
            yield from undescribed(item, name, f"{place}{ITEMS}")
    elif kind == "object" and node.get("properties"):
        for key, inner in value.items():
            aside = DISPLACED.get(key, key) if not place else key
            at = f"{place}.{key}" if place else aside if aside in described(name) else key
            if at in described(name):
                yield from undescribed(inner, name, at)
            elif last(place) != "links":  # there are addresses of all sorts
                yield f"{name}.{at} is not described"


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_PYTHON: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),  # before integer, which a bool is in Python
    "integer": (int,),
    "number": (float,),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


def test_the_recordings_are_described() -> None:
    """Each property of a recorded row, at any depth, is described with the type that it has."""
    rows = [(one.stream, row) for one in recordings() for row in one.rows]
    assert (len({name for name, _ in rows}) >= 40) == FOLDER.is_dir()
    found = {what for name, row in rows for what in undescribed(row, name)}
    assert found == (IN_2014 if rows else set())


@pytest.mark.parametrize("name", sorted(LIVE))
def test_what_was_seen_live_is_described(name: str) -> None:
    """What people saw Bitbucket send is described, whether or not a document knows it."""
    assert [place for place in LIVE[name] if place not in described(name)] == []


@pytest.mark.parametrize("name", sorted(ALIKE))
def test_rows_of_the_same_kind_have_the_same_columns(name: str) -> None:
    """Rows of the same kind are described alike wherever they are read."""
    stream = REGISTRY.get(ALIKE[name])
    own = {"commit_hash", "commit_date"} | set(stream.derived if stream else ())
    assert columns(ALIKE[name]) - own <= columns(name)


# -- how they are written --------------------------------------------------------------------------


@each_schema
def test_everything_is_described_in_sentences(name: str) -> None:
    """Each schema and each property at any depth has a type, and a description in sentences."""
    assert schemas._read(name)["description"].endswith(".")
    for place, node in described(name).items():
        assert kinds(node), place
        text = node.get("description", "")
        assert re.search(r"\S \S.*\.$", text), f"{place}: {text}"


@each_schema
def test_times_have_a_format(name: str) -> None:
    """Text that is named like a time is a date-time, and no other format is used."""
    for place, node in described(name).items():
        timely = re.search(r"(_on|_at|_time|date|^last_used|^last_accessed)$", last(place))
        no_zone = (name, place) == ("workspace_permissions", "added_on")  # recorded without one
        expected = "date-time" if timely and "string" in kinds(node) and not no_zone else None
        assert node.get("format") == expected, place


@each_schema
def test_uuids_are_said_to_have_braces(name: str) -> None:
    """Bitbucket's uuids are in curly braces, and the descriptions say so."""
    for place, node in described(name).items():
        if last(place).endswith("uuid"):
            assert "in curly braces" in node["description"], place


@each_schema
def test_text_is_no_object(name: str) -> None:
    """No value may be text or an object, but for those that witnesses insist on."""
    found = {
        f"{name}.{place}"
        for place, node in described(name).items()
        if {"string", "object"} <= set(kinds(node))
    }
    assert found == {place for place in TWO_KINDS if place.startswith(f"{name}.")}


@each_schema
def test_bulk_is_not_selected(name: str) -> None:
    """Addresses, HTML and copies of where a row is from are left out unless they are selected."""
    for place, node in described(name).items():
        bulky = last(place) in {"links", "html"} and "links." not in place
        copy = last(place).endswith("_object") and name != "workspace_repository_permissions"
        if bulky or copy:
            assert node.get("selected") is False, place


def test_secrets_are_marked() -> None:
    """Exactly the known secrets are marked, and nothing that is published is named like one."""
    marked = {
        name: {place for place, node in described(name).items() if node.get("secret")}
        for name in NAMES
    }
    assert {name: places for name, places in marked.items() if places} == SECRET
    telling = re.compile(r"secret|password|passphrase|private_key|token|oauth|credential")
    for name in NAMES:
        for place, node in described(name).items():
            if telling.search(last(place)) and kinds(node) != ["boolean"]:
                assert node.get("secret"), f"{name}.{place}"


def test_the_descriptions_are_our_own() -> None:
    """No description has six words in a row from the OpenAPI document."""
    theirs = {run for document in documents() for text in _texts(document) for run in runs(text)}
    ours = {
        text
        for name in NAMES
        for node in (schemas._read(name), *described(name).values())
        for text in [node["description"]]
        if runs(text) & theirs
    }
    assert ours == set()


def test_six_words_in_a_row_are_found() -> None:
    """Capitals and punctuation hide no copy, and five words in a row are nobody's."""
    known = runs("The moment it was last updated, or so; more follows")
    assert known & runs("Told when It was last\nupdated or so.")
    assert not known & runs("Told when it was last updated or edited.")


def runs(text: str) -> set[tuple[str, ...]]:
    """Return all six words in a row of a text."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[start : start + 6]) for start in range(len(words) - 5)}


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, str):
        yield node


if __name__ == "__main__":
    for found in documents():
        FILE.write_text(as_text(extracted(found, FACTS["streams"])), encoding="utf-8")
