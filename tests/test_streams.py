"""The contract that every registered stream keeps."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from importlib.resources import files
from string import Formatter
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tap_bitbucket.client import REGISTRY, BitbucketStream
from tap_bitbucket.demo import BitbucketServer, example_world
from tap_bitbucket.scopes import GlobalStream, ProjectStream, RepositoryStream, WorkspaceStream
from tap_bitbucket.tap import TapBitbucket
from tests.support import Run, api_token_config, run_here, select_all

KEYS = {
    "workspaces": "uuid",
    "workspace_members": "workspace_uuid user_uuid",
    "workspace_permissions": "workspace_uuid user_uuid",
    "workspace_repository_permissions": "repository_uuid user_uuid",
    "workspace_hooks": "uuid",
    "workspace_variables": "uuid",
    "workspace_runners": "uuid",
    "users": "uuid",
    "current_user": "uuid",
    "current_user_emails": "email",
    "current_user_ssh_keys": "uuid",
    "current_user_gpg_keys": "fingerprint",
    "projects": "uuid",
    "project_default_reviewers": "project_uuid user_uuid",
    "project_user_permissions": "project_uuid user_uuid",
    "project_group_permissions": "project_uuid group_slug",
    "project_branching_models": "project_uuid",
    "project_deploy_keys": "project_uuid id",
    "snippets": "workspace id",
    "snippet_comments": "workspace snippet_id id",
    "snippet_commits": "workspace snippet_id hash",
    "repositories": "uuid",
    "branches": "repository_uuid name",
    "tags": "repository_uuid name",
    "commits": "repository_uuid hash",
    "commit_statuses": "repository_uuid commit_hash key",
    "commit_comments": "repository_uuid id",
    "commit_diffstat": "repository_uuid commit_hash path status",
    "commit_reports": "repository_uuid commit_hash uuid",
    "commit_report_annotations": "repository_uuid report_uuid uuid",
    "pull_requests": "repository_uuid id",
    "pull_request_participants": "repository_uuid pull_request_id user_uuid",
    "pull_request_activity": (
        "repository_uuid pull_request_id kind occurred_on actor_uuid comment_id"
    ),
    "pull_request_comments": "repository_uuid pull_request_id id",
    "pull_request_tasks": "repository_uuid pull_request_id id",
    "pull_request_commits": "repository_uuid pull_request_id hash",
    "pull_request_diffstat": "repository_uuid pull_request_id path status",
    "pull_request_statuses": "repository_uuid pull_request_id commit_hash key",
    "pipelines": "uuid",
    "pipeline_steps": "uuid",
    "pipeline_test_reports": "step_uuid",
    "pipeline_test_cases": "step_uuid uuid",
    "pipeline_variables": "uuid",
    "pipeline_schedules": "uuid",
    "pipeline_schedule_executions": "repository_uuid schedule_uuid execution",
    "pipeline_known_hosts": "uuid",
    "pipeline_caches": "uuid",
    "pipeline_runners": "uuid",
    "pipelines_config": "repository_uuid",
    "environments": "uuid",
    "deployments": "uuid",
    "deployment_variables": "uuid",
    "default_reviewers": "repository_uuid user_uuid",
    "branch_restrictions": "repository_uuid id",
    "branching_models": "repository_uuid",
    "branching_model_settings": "repository_uuid",
    "deploy_keys": "repository_uuid id",
    "repository_hooks": "uuid",
    "repository_user_permissions": "repository_uuid user_uuid",
    "repository_group_permissions": "repository_uuid group_slug",
    "repository_override_settings": "repository_uuid",
    "downloads": "repository_uuid name",
    "forks": "repository_uuid uuid",
    "watchers": "repository_uuid user_uuid",
    "source_files": "repository_uuid path",
    "hook_events": "subject_type event",
}
"""The names that people have in their ``select:``, with the keys that their tables have."""

ON = (
    "workspaces", "workspace_members", "workspace_permissions", "users", "projects",
    "repositories", "branches", "tags", "commits", "pull_requests", "pull_request_participants",
    "pull_request_activity", "pull_request_comments", "pull_request_tasks", "pipelines",
    "pipeline_steps", "environments", "deployments", "default_reviewers",
)  # fmt: skip
"""What is read without being asked for: it takes no administrator, and no request per row."""

each_stream = pytest.mark.parametrize("name", sorted(REGISTRY))


@pytest.fixture(scope="module")
def tap() -> TapBitbucket:
    """Return a tap without settings."""
    return TapBitbucket(config={}, validate_config=False)


@pytest.fixture(scope="module")
def full_run(catalog: dict[str, Any]) -> Run:
    """Return a full run over the example world, with everything selected."""
    with BitbucketServer(example_world()) as server:
        run = run_here(api_token_config(server), catalog=select_all(catalog))
    assert run.code == 0, run.log
    return run


def schema_of(tap: TapBitbucket, name: str) -> dict[str, Any]:
    """Return a stream's schema."""
    schema: dict[str, Any] = tap.streams[name].schema
    return schema


def nested(schema: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property below a schema, with its place."""
    for name, child in schema.get("properties", {}).items():
        yield f"{place}.{name}", child
        yield from nested(child, f"{place}.{name}")
    if "items" in schema:
        yield f"{place}[]", schema["items"]
        yield from nested(schema["items"], f"{place}[]")


def test_the_registered_streams_are_those_that_are_promised() -> None:
    """Names of streams are settled: none goes, and each module of streams is loaded."""
    assert set(KEYS) == set(REGISTRY)


def test_what_is_costly_or_takes_an_administrator_is_off() -> None:
    """Streams that cost a request per row or need admin rights are read only when selected."""
    assert {name for name in REGISTRY if REGISTRY[name].selected_by_default} == set(ON)
    assert not any(REGISTRY[name].admin for name in ON)


def test_the_keys_are_those_that_are_promised() -> None:
    """Keys are uuids, and scoped by the repository where Bitbucket's own name is not unique."""
    assert {name: " ".join(stream.primary_keys) for name, stream in REGISTRY.items()} == KEYS


@each_stream
def test_a_stream_has_a_schema_file(name: str) -> None:
    """A stream's schema is the JSON file of its name, with a description of the stream."""
    text = files("tap_bitbucket.schemas").joinpath(f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(text)["description"].strip()


def test_each_schema_file_has_a_stream() -> None:
    """No schema lies about that nobody reads."""
    names = {
        file.name.removesuffix(".json")
        for file in files("tap_bitbucket.schemas").iterdir()
        if file.name.endswith(".json")
    }
    assert names - {"definitions"} == set(REGISTRY)


@each_stream
def test_keys_are_in_the_schema_and_never_null(tap: TapBitbucket, name: str) -> None:
    """A key is a described property, required and not nullable; everything else may be null."""
    schema, keys = schema_of(tap, name), REGISTRY[name].primary_keys
    assert keys
    assert schema["required"] == list(keys)
    for column, declared in schema["properties"].items():
        assert ("null" in declared["type"]) == (column not in keys), column


@each_stream
def test_the_replication_key_is_in_the_schema(tap: TapBitbucket, name: str) -> None:
    """A stream's replication key is one of its columns, a date-time."""
    key = REGISTRY[name].replication_key
    if key is not None:
        assert schema_of(tap, name)["properties"][key]["format"] == "date-time"
    assert tap.streams[name].replication_key == key


@each_stream
def test_the_path_can_be_filled(name: str) -> None:
    """Each placeholder of a path is known from the scope, or is a column made of the parent."""
    stream = REGISTRY[name]
    known = {
        GlobalStream: {"workspace"},
        WorkspaceStream: {"workspace"},
        ProjectStream: {"workspace", "project_key"},
        RepositoryStream: {"workspace", "repository"},
    }
    scope = next(kind for kind in known if issubclass(stream, kind))
    asked = {place for _, place, _, _ in Formatter().parse(stream.path) if place}
    parents = [getattr(stream.incremental, "parents", None), *stream.through]
    carried = {column for one in parents if one for column in REGISTRY[one].carried}
    assert asked - known[scope] <= {*stream.derived, *carried}, stream.path


@each_stream
def test_every_property_is_described(tap: TapBitbucket, name: str) -> None:
    """Each property, nested ones too, has a type and a description in words."""
    for place, declared in nested(schema_of(tap, name), name):
        assert declared.get("type"), place
        assert len(declared.get("description", "").strip()) > 5, place


@each_stream
def test_no_property_is_object_or_text(tap: TapBitbucket, name: str) -> None:
    """A column has one kind of value: a union of object and string crashes SQL targets."""
    schema = schema_of(tap, name)
    for column, declared in schema["properties"].items():
        assert len([kind for kind in declared["type"] if kind != "null"]) == 1, column
    for place, declared in nested(schema, name):
        assert not {"anyOf", "oneOf", "allOf", "$ref", "secret", "selected"} & set(declared), place


@each_stream
def test_names_suit_every_database(tap: TapBitbucket, name: str) -> None:
    """Names of tables and columns fit into PostgreSQL's 63 characters without quotes."""
    good = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
    assert good.match(name)
    columns = [column.lower() for column in schema_of(tap, name)["properties"]]
    assert len(columns) == len(set(columns))
    for column in columns:  # Bitbucket's own maxTime is written as it comes
        assert good.match(column), column


@each_stream
def test_the_example_world_has_rows(full_run: Run, name: str) -> None:
    """The bundled stand-in has rows of each stream, so that nothing is untested."""
    assert full_run.rows(name)


@each_stream
def test_every_row_carries_its_context(full_run: Run, name: str) -> None:
    """Each row tells the workspace, and inside a repository the repository it was read in."""
    stream = REGISTRY[name]
    columns = ["workspace"] if stream.kind or name == "workspaces" else []
    if issubclass(stream, ProjectStream):
        columns += ["project_uuid", "project_key"]
    if issubclass(stream, RepositoryStream):
        columns += ["repository_uuid", "repository", "repository_full_name"]
    for row in full_run.rows(name):
        for column in [*columns, *stream.primary_keys, *stream.derived, *stream.lifted]:
            assert column in row, column
        if "repository_uuid" in columns:
            assert row["repository_full_name"] == f"{row['workspace']}/{row['repository']}"
            assert row["repository_uuid"].startswith("{")


@each_stream
def test_every_row_validates(full_run: Run, name: str) -> None:
    """Each row of a full run, everything selected, is valid by its SCHEMA, date-times included."""
    schema = full_run.schemas[name]["schema"]
    checker = Draft7Validator.FORMAT_CHECKER
    assert not checker.conforms("no time", "date-time"), "rfc3339-validator is not installed"
    validator = Draft7Validator(schema, format_checker=checker)
    for row in full_run.rows(name):
        assert [error.message for error in validator.iter_errors(row)] == []


@each_stream
def test_every_column_is_described(full_run: Run, name: str) -> None:
    """Every property of a row that Bitbucket is known to send is a column of its own."""
    described = set(full_run.schemas[name]["schema"]["properties"])
    assert {column for row in full_run.rows(name) for column in row} <= described


def test_discovery_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery needs no setting, no credential and no network."""

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("discovery opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    catalog = TapBitbucket(config={}, validate_config=False).catalog_dict
    assert [entry["tap_stream_id"] for entry in catalog["streams"]] == list(REGISTRY)


def test_discovery_by_the_command(catalog: dict[str, Any]) -> None:
    """``--discover`` without a config prints every stream with key, cursor and selection."""
    for entry in catalog["streams"]:
        stream: type[BitbucketStream] = REGISTRY[entry["tap_stream_id"]]
        root = next(one["metadata"] for one in entry["metadata"] if not one["breadcrumb"])
        assert entry["key_properties"] == list(stream.primary_keys)
        assert root["table-key-properties"] == list(stream.primary_keys)
        assert root.get("selected", root["selected-by-default"]) is stream.selected_by_default
        method = "INCREMENTAL" if stream.replication_key else "FULL_TABLE"
        assert (entry["replication_method"], entry.get("replication_key")) == (
            method,
            stream.replication_key,
        )
