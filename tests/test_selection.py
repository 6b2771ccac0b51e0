"""What is selected is asked for and written; what is not, is neither."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import Fault
from tests.story import Story, open_request, story_of
from tests.support import Run, api_token_config, run_here, select, select_all
from tests.truth import STREAMS, truth

Catalog = dict[str, Any]


@pytest.fixture
def story(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(catalog, monkeypatch) as told:
        request = open_request(told, description="*Bold*")
        told.world.comment(request, told.who("bob"), "Hm.")
        told.world.add_task(request, told.who("bob"), "Test it")
        told.world.merge(open_request(told), told.who("bob"))
        told.world.start_pipeline(told.api)
        told.world.deploy(told.api, told.api.environments[0])
        told.world.add_tag(told.api, "v1", message="One", user=told.who("ann"))
        yield told


def chosen(catalog: Catalog, selected: bool, **paths: list[str]) -> Catalog:
    """Return a catalog in which these properties of streams are (not) selected."""
    result: Catalog = json.loads(json.dumps(catalog))
    for stream in result["streams"]:
        wanted = paths.get(stream["tap_stream_id"], [])
        for entry in stream["metadata"]:
            name = ".".join(part for part in entry["breadcrumb"] if part != "properties")
            if name and name in wanted:
                entry["metadata"]["selected"] = selected
                wanted = [one for one in wanted if one != name]
        assert not wanted, f"{wanted} are not in the catalog"
    return result


def run(story: Story, catalog: Catalog, **settings: Any) -> Run:
    """Run once, from the beginning."""
    story.server.clear_requests()
    done = run_here(api_token_config(story.server, **settings), catalog=catalog)
    assert done.code == 0, done.log
    return done


def fields(story: Story, path: str) -> set[str]:
    """Return what ``fields=`` named in the requests of a path, without ``values.``."""
    lists = [
        part
        for one in story.server.requests
        if one.path.endswith(path)
        for value in one.query.get("fields", [])
        for part in value.split(",")
    ]
    return {part.replace("values.", "") for part in lists}


def complete(story: Story, done: Run, *streams: str) -> None:
    """Check that each row that is there was written, once."""
    for stream in streams or STREAMS:
        keys = done.schemas[stream]["key_properties"]
        written = [tuple(row[key] for key in keys) for row in done.rows(stream)]
        assert sorted(map(str, written)) == sorted(map(str, truth(story.world, stream))), stream


def test_what_is_not_selected_is_not_asked_for(story: Story) -> None:
    """A deselected property stands in ``fields=`` as left out, and in no row and no schema."""
    done = run(
        story,
        chosen(
            story.catalog, False,
            pull_requests=["description", "summary", "source.commit"], commits=["message"],
            branches=["merge_strategies"],
        ),
    )  # fmt: skip
    assert {"-description", "-summary", "-source.commit"} <= fields(story, "/pullrequests")
    assert "-message" in fields(story, "/commits")
    assert "-merge_strategies" in fields(story, "/refs/branches")
    for row in done.rows("pull_requests"):
        assert not {"description", "summary"} & set(row)
        assert "commit" not in row["source"]
        assert "commit" in row["destination"]
    assert not any("message" in row for row in done.rows("commits"))
    declared = done.schemas["pull_requests"]["schema"]["properties"]
    assert "description" not in declared
    assert "commit" not in declared["source"]["properties"]
    complete(story, done)


def test_bulk_is_not_selected_by_default(story: Story) -> None:
    """By default no list is asked for ``links``, and no row holds any, however deep."""
    done = run(story, story.catalog)
    for path in ("/pullrequests", "/commits", "/comments", "/refs/branches", "/members"):
        assert "-links" in fields(story, path), path
    assert "-author.links" in fields(story, "/pullrequests")
    for message in done.messages:
        if message["type"] == "RECORD":
            assert '"links"' not in json.dumps(message["record"]), message["stream"]
            assert '"html"' not in json.dumps(message["record"]), message["stream"]


def test_bulk_that_is_selected_comes(story: Story) -> None:
    """Selecting ``links`` brings them, those of the row and those of its author, as selected."""
    done = run(
        story, chosen(story.catalog, True, pull_requests=["links"], commits=["author.user.links"])
    )
    assert "-links" not in fields(story, "/pullrequests")
    assert "-author.links" in fields(story, "/pullrequests")
    assert all(row["links"]["self"]["href"] for row in done.rows("pull_requests"))
    assert all("links" not in row["author"] for row in done.rows("pull_requests"))
    with_user = [row for row in done.rows("commits") if "user" in row["author"]]
    assert with_user
    assert all(row["author"]["user"]["links"] for row in with_user)
    assert all("links" not in row for row in done.rows("commits"))


def test_what_lists_leave_out_comes_when_selected(story: Story) -> None:
    """``rendered`` of a pull request, which lists leave out unless asked, comes when selected."""
    done = run(story, chosen(story.catalog, True, pull_requests=["rendered"]))
    assert "+rendered" in fields(story, "/pullrequests")
    assert all(row["rendered"]["title"]["raw"] for row in done.rows("pull_requests"))


def test_reviewers_and_participants_are_asked_for(story: Story) -> None:
    """Lists of pull requests leave out reviewers and participants: they are asked for by name."""
    done = run(story, story.catalog)
    assert {"+reviewers", "+participants"} <= fields(story, "/pullrequests")
    assert all(row["reviewers"] and row["participants"] for row in done.rows("pull_requests"))
    done = run(
        story,
        chosen(select(story.catalog, "pull_requests"), False,
               pull_requests=["reviewers", "participants"]),
    )  # fmt: skip
    assert not {"+reviewers", "+participants"} & fields(story, "/pullrequests")
    assert not any({"reviewers", "participants"} & set(row) for row in done.rows("pull_requests"))


NEEDED = {
    "repositories": [
        "full_name", "slug", "updated_on", "mainbranch", "project", "project.key", "name",
    ],
    "pull_requests": ["created_on", "updated_on", "state", "participants", "comment_count",
                      "task_count"],
    "branches": ["target"],
    "tags": ["target"],
    "commits": ["parents", "date"],
    "workspaces": ["slug"],
    "workspace_members": ["user", "workspace_object"],
    "workspace_permissions": ["user", "workspace_object"],
    "default_reviewers": ["user"],
    "pull_request_activity": ["update", "approval", "comment", "pull_request"],
    "pull_request_comments": ["pending", "updated_on"],
    "pull_request_tasks": ["pending", "updated_on"],
    "pipelines": ["created_on", "state", "completed_on"],
    "deployments": ["state", "completed_on"],
    "pull_request_participants": ["user", "pull_request_updated_on"],
    "pipeline_steps": ["pipeline_created_on"],
}  # fmt: skip
"""What the tap looks at itself, beside the keys."""


@pytest.mark.parametrize("stream", NEEDED)
def test_what_the_tap_needs_may_be_deselected(story: Story, stream: str) -> None:
    """Deselecting what the tap itself reads leaves it out of the rows, and loses no row."""
    story.catalog = chosen(story.catalog, False, **{stream: NEEDED[stream]})
    done = run(story, story.catalog, projects=["ONE"])
    complete(story, done)
    tops = {name for name in NEEDED[stream] if "." not in name}
    # Singer always writes keys and the cursor.
    automatic = {*REGISTRY[stream].primary_keys, REGISTRY[stream].replication_key}
    for row in done.rows(stream):
        assert not tops & set(row) - automatic
    story.sync()
    story.world.push(story.api, "main", 2)
    request = next(iter(story.api.pull_requests.values()))
    story.world.comment(request, story.who("cem"), "And?")
    story.world.approve(request, story.who("cem"))
    story.world.finish_pipeline(story.api.pipelines[0])
    story.world.proceed(story.api.deployments[0])
    story.sync()
    for name in STREAMS:
        assert set(story.target[name]) == set(truth(story.world, name)), name


@pytest.mark.parametrize("how", ["reject", "400"])
def test_fields_that_are_refused(story: Story, how: str) -> None:
    """A 400 on ``fields`` is answered by asking without: no row and no selection is lost."""
    if how == "reject":
        story.server.unknown_fields = "reject"
    else:
        story.server.faults.add(
            Fault(r"fields=[^&]*-values", status=400, times=None,
                  body='{"type": "error", "error": {"message": "Bad fields"}}')
        )  # fmt: skip
    done = run(story, story.catalog)
    complete(story, done)
    assert all(row["reviewers"] for row in done.rows("pull_requests"))
    for message in done.messages:
        if message["type"] == "RECORD":
            assert '"links"' not in json.dumps(message["record"]), message["stream"]


def test_the_pipelines_service_gets_no_fields(story: Story) -> None:
    """The pipelines service does not honour ``fields``: it is not sent, and the rows are cut."""
    done = run(story, chosen(story.catalog, False, pipelines=["creator", "target.selector"]))
    theirs = [
        one for one in story.server.requests
        if any(part in one.path for part in ("/pipelines/", "/environments/", "/deployments/"))
    ]  # fmt: skip
    assert len(theirs) >= 7
    assert not [one for one in theirs if "fields" in one.query]
    assert done.rows("pipelines")
    for row in done.rows("pipelines"):
        assert "creator" not in row
        assert "selector" not in row["target"]


def test_bulk_in_arrays_follows_the_row(story: Story) -> None:
    """A catalog cannot name what lies in an array: its ``links`` come with the row's own."""
    usual = run(story, story.catalog)
    requests = usual.rows("pull_requests")
    assert all("links" not in one for row in requests for one in row["reviewers"])
    assert all("links" not in one for row in usual.rows("commits") for one in row["parents"])
    done = run(story, chosen(story.catalog, True, pull_requests=["links"], commits=["links"]))
    assert all(one["links"] for row in done.rows("pull_requests") for one in row["reviewers"])
    assert all(one["links"] for row in done.rows("commits") for one in row["parents"])


def test_a_stream_that_is_not_selected(story: Story) -> None:
    """A stream that is not selected is neither written nor described, nor asked for in vain."""
    done = run(story, select(story.catalog, "commits", "projects"))
    assert set(done.counts) == set(done.schemas) == {"commits", "projects"}
    complete(story, done, "commits", "projects")
    assert not story.asked("pullrequests|pipelines|deployments|members|branches|tags")


def test_everything_selected(story: Story) -> None:
    """With all properties selected, as Meltano does without more ado, nothing is left out."""
    done = run(story, select_all(story.catalog))
    complete(story, done)
    assert not [part for one in REGISTRY.values() for part in fields(story, one.path)
                if part.startswith("-")]  # fmt: skip


def test_stream_maps(story: Story) -> None:
    """Stream maps rename a stream, drop and compute columns, filter rows and remove a stream."""
    maps = {
        "repositories": {
            "__alias__": "repos", "size": "__NULL__", "shout": "slug.upper()", "uuid": "uuid",
        },
        "branches": {"__filter__": "name == 'main'"},
        "pull_requests": {"title": "md5(title)"},
        "users": "__NULL__",
    }  # fmt: skip
    done = run(story, story.catalog, stream_maps=maps, stream_map_config={})
    assert "repositories" not in done.counts
    assert {row["shout"] for row in done.rows("repos")} == {"API", "WEB"}
    assert not any("size" in row for row in done.rows("repos"))
    assert {row["name"] for row in done.rows("branches")} == {"main"}
    assert done.counts["branches"] == 2
    assert all(len(row["title"]) == 32 for row in done.rows("pull_requests"))
    assert "users" not in done.counts
    assert done.counts["workspace_members"] == 3
    assert "repos" in done.activated


def test_participants_in_a_stream_map(story: Story) -> None:
    """Rows that are unrolled from others obey stream maps as all rows do."""
    maps = {
        "pull_request_participants": {"__filter__": "role == 'REVIEWER'", "__alias__": "people"}
    }
    done = run(story, story.catalog, stream_maps=maps)
    assert done.counts["people"] == 2
    assert "people" in done.schemas


def test_flattening(story: Story) -> None:
    """With flattening, nested objects become columns, in rows and in the schema alike."""
    done = run(story, story.catalog, flattening_enabled=True, flattening_max_depth=2)
    for stream in ("pull_requests", "commits", "pipelines", "pull_request_participants"):
        declared = done.schemas[stream]["schema"]["properties"]
        for row in done.rows(stream):
            # An object that is null stays as one column, without a value.
            assert {name for name, value in row.items() if value is not None} <= set(declared)
    assert all(row["author__nickname"] == "ann" for row in done.rows("pull_requests"))
    assert all(row["source__branch__name"] for row in done.rows("pull_requests"))
    assert {row["state__name"] for row in done.rows("pipelines")} == {"IN_PROGRESS"}
