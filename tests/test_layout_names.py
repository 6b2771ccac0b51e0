"""Names in the layout per repository: one for each place, whatever it is called, for good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests import places
from tests.loading import warehouse
from tests.places import discover, entities, gathered, schemas
from tests.story import Story, story_of
from tests.support import merge, select, tables
from tests.truth import truth

AWKWARD = (
    "web-portal", "web_portal", "web.portal", "web-portal.", "2fa", "-dash", "_under", "x" * 62,
    "y" * 61 + "-1", "z" * 62 + "-1", "z" * 62 + "-2", "halley-labs", "one", "two", "bitbucket",
    "public", "pg-tools", "pg_catalog", "information_schema", "select", "user", "repositories",
    "api__web", "a-b-c-d", "a_b_c_d", "a.b.c.d", "a.b-c_d", "r-2fa", "_dash", "r-pg-tools",
)  # fmt: skip
"""Slugs that want the same name, or one that a database does not take."""

ODD = (
    "web-portal", "web_portal", "2fa", "x" * 62, "halley-labs", "public", "pg-tools",
    "information_schema", "select",
)  # fmt: skip
"""Those that a database may refuse, or mistake for something else."""

FEW = ("branches", "commits", "environments", "repositories", "projects", "workspace_members")


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(select(catalog, *FEW), monkeypatch, max_retries=0) as told:
        yield told


def add_workspace(story: Story, slug: str, *repositories: str) -> None:
    """Add a workspace that is like the first one."""
    workspace = story.world.add_workspace(slug)
    story.world.add_member(workspace, story.who("ann"), "owner")
    story.world.add_project(workspace, "ONE")
    for name in repositories:
        story.world.add_repository(workspace, name, project="ONE")


def of_repositories(named: dict[str, str]) -> list[str]:
    """Return the schemas of repositories."""
    return [schema for place, schema in named.items() if place.startswith("repository ")]


def test_streams_are_named_by_schema_and_entity(story: Story) -> None:
    """There is a stream per repository and entity, and per workspace and project likewise."""
    found = entities(discover(story))
    assert {"api-branches", "web-branches", "api-pull_requests", "halley_labs-members"} <= set(
        found
    )
    shared = {one["tap_stream_id"] for one in story.catalog["streams"]}
    assert set(found.values()) == shared
    for name in found:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}-[a-z][a-z0-9_]{0,62}", name), name
    per_repository = [entity for name, entity in found.items() if name.startswith("api-")]
    assert len(set(per_repository)) == len(per_repository) > 40


def test_names_stay_when_others_are_added(story: Story) -> None:
    """What is added later, repository, project or workspace, takes no name from anybody."""
    before = schemas(story)
    for slug in AWKWARD:
        story.world.add_repository(story.api.workspace, slug, project="ONE")
        story.clock.later(minutes=1)
        after = schemas(story)
        assert after.items() >= before.items(), slug
        assert len(after) == len(before) + 1
        before = after
    for key in ("WEB", "API", "HALLEY_LABS"):
        story.world.add_project(story.api.workspace, key)
    assert schemas(story).items() >= before.items()
    add_workspace(story, "second", "web", "second")
    both = ["halley-labs", "second"]
    assert schemas(story, workspaces=both).items() >= before.items()


def test_no_two_repositories_share_a_schema(story: Story) -> None:
    """Slugs that look alike in a database still have schemas of their own, with valid names."""
    for slug in AWKWARD:
        story.world.add_repository(story.api.workspace, slug, project="ONE")
    found = of_repositories(schemas(story))
    assert len(set(found)) == len(found) == len(AWKWARD) + 2
    for schema in found:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", schema), schema


def test_names_depend_on_no_filter_and_no_shard(story: Story) -> None:
    """A run that reads some of the repositories calls them as a run that reads all of them."""
    for slug in AWKWARD:
        story.world.add_repository(story.api.workspace, slug, project="TWO")
    whole = schemas(story)
    for settings in (
        {"shard": "0/3"},
        {"shard": "1/3"},
        {"shard": "2/3"},
        {"repositories": ["*/web?portal"]},
        {"exclude_repositories": ["*/web-portal"]},
        {"projects": ["TWO"]},
    ):
        some = schemas(story, **settings)
        assert some.items() <= whole.items(), settings
        assert 1 <= len(of_repositories(some)) < len(of_repositories(whole)), settings


@pytest.mark.parametrize(
    "slugs",
    [
        {"second": ("web", "api", "second")},
        {"my-team": ("web",), "my_team": ("web",)},
        {"other": ("web", "halley-labs"), "web": ("other",)},
    ],
    ids=["same slug", "workspaces alike", "named like another"],
)
def test_every_place_has_a_name_of_its_own(story: Story, slugs: dict[str, tuple[str, ...]]) -> None:
    """With several workspaces, too, every repository has a schema of its own."""
    for slug in (*(f"{name}__web" for name in slugs), "web-"):
        story.world.add_repository(story.api.workspace, slug, project="ONE")
    for name, repositories in slugs.items():
        add_workspace(story, name, *repositories)
    workspaces = {"workspaces": ["halley-labs", *slugs]}
    named = schemas(story, **workspaces)
    found = of_repositories(named)
    assert len(set(found)) == len(found) == len(story.world.repositories())


def test_every_place_is_read(story: Story) -> None:
    """Of two workspaces with like names, holding like repositories, each row is read."""
    both = {"workspaces": ["my-team", "my_team"]}
    for name in both["workspaces"]:
        add_workspace(story, name, "my-team", "my_team__web", "web")
    del story.world.workspaces["halley-labs"]
    whole = discover(story, **both)
    run = places.run(story, places.of(whole, FEW), **both)
    assert run.code == 0, run.log
    target = tables()
    merge(target, run)
    rows = gathered(whole, target)
    for entity in FEW:
        assert set(rows[entity]) == set(truth(story.world, entity)), entity


def test_the_database_takes_every_name(story: Story) -> None:
    """target-postgres loads repositories with awkward names, each into its own schema."""
    for slug in ODD:
        story.world.add_repository(story.api.workspace, slug, project="ONE")
    run = places.run(story, places.of(discover(story), ["branches"]))
    named = schemas(story)
    with warehouse("") as database:
        database.load(run)
        made = database.tables()
        for repo in story.api.workspace.repositories.values():
            schema = named[f"repository {repo.full_name}"]
            assert "branches" in made[schema]
            rows = database.rows("branches", schema=schema)
            assert set(rows) == {(repo.uuid, name) for name in repo.branches}, schema
