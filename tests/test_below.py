"""What lies below schedules, environments, projects and the account that signs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, Fault
from tests.catalogs import only
from tests.commits import lost
from tests.story import Story, story_of
from tests.support import api_token_config, run_here, select

OF_SCHEDULES = "pipeline_schedule_executions"
OF_ENVIRONMENTS = "deployment_variables"
OF_PROJECTS = ("project_default_reviewers", "project_branching_models", "project_deploy_keys")
KEYS = ("current_user_ssh_keys", "current_user_gpg_keys")
ALL = (
    "pipeline_schedules", OF_SCHEDULES, "environments", OF_ENVIRONMENTS, "projects", *OF_PROJECTS,
    "current_user", "current_user_emails", *KEYS, "branches",
)  # fmt: skip


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world."""
    with story_of(only(catalog, *ALL), monkeypatch) as told:
        yield told


@dataclass
class Parent:
    """Something with rows below it: how to ask for these, and how to delete it."""

    asked: str
    delete: Callable[[], object]


def schedules(story: Story) -> list[Parent]:
    """Add three schedules, each of which came due twice."""
    made = []
    for number in range(3):
        one = story.world.add_schedule(story.api, f"0 {number} * * * ? *")
        story.world.execute(one, story.world.start_pipeline(story.api))
        story.world.execute(one, error=("plan-service.parse.parse-error", "No such branch"))
        delete = lambda one=one: story.world.delete_schedule(story.api, one)  # noqa: E731
        made.append(Parent(f"{one.uuid[1:-1]}%7D/executions", delete))
    return made


def environments(story: Story) -> list[Parent]:
    """Add three environments, each with two variables."""
    made = []
    for number in range(3):
        one = story.world.add_environment(story.api, f"Test {number}")
        story.world.add_variable(one, "PLAIN", "yes")
        story.world.add_variable(one, "TOKEN", f"planted {number}", secured=True)

        def delete(one: Any = one) -> None:
            story.api.environments.remove(one)
            story.world.update_repository(story.api, "So that the stand-in notices")

        made.append(Parent(f"{one.uuid[1:-1]}%7D/variables", delete))
    return made


BELOW = {
    OF_SCHEDULES: (schedules, "pipeline_schedules"),
    OF_ENVIRONMENTS: (environments, "environments"),
}


# -- schedules and environments -----------------------------------------------------------------


@pytest.mark.parametrize("stream", BELOW)
def test_a_stream_without_its_parents(story: Story, stream: str) -> None:
    """What lies below is complete when the parents are not selected, and these are not written."""
    make, parent = BELOW[stream]
    made = make(story)
    for _ in range(2):
        assert set(story.sync(stream).counts) == {stream}
        assert lost(story, stream) == []
        assert len(story.asked(f"/api/.*({'|'.join(one.asked for one in made)})")) == 3
    both = story.sync(stream, parent)
    assert set(both.counts) == {stream, parent}
    assert len(story.asked(f"/api/.*({'|'.join(one.asked for one in made)})")) == 3


@pytest.mark.parametrize("with_parents", [True, False], ids=["with parents", "alone"])
@pytest.mark.parametrize("stream", BELOW)
def test_a_parent_that_is_deleted_in_mid_run(story: Story, stream: str, with_parents: bool) -> None:
    """A parent that is gone before it was asked about has nothing below it; the others have."""
    make, parent = BELOW[stream]
    made = make(story)
    chosen = (parent, stream) if with_parents else (stream,)
    story.sync(*chosen)
    fault = Fault(made[0].asked, action="callback", callback=made[1].delete)
    story.server.faults.add(fault)
    run = story.sync(*chosen, concurrency=1)
    assert "Skipped" not in run.log
    assert 404 in {one.status for one in story.server.requests}
    assert lost(story, stream) == []
    story.sync(*chosen)
    assert lost(story, *chosen) == []


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("stream", BELOW)
def test_access_that_is_lost_in_mid_run(story: Story, stream: str, status: int) -> None:
    """When access is lost in mid-run, what lies below is skipped and nothing looks deleted."""
    make, _ = BELOW[stream]
    made = make(story)
    story.sync(stream)
    lose = Fault(made[1].asked, action="callback",
                 callback=lambda: story.world.forbid(story.api, status))  # fmt: skip
    story.server.faults.add(lose)
    run = story.sync(stream, concurrency=1)
    assert f"Skipped {stream} of halley-labs/api" in run.log
    assert stream not in run.activated
    assert lost(story, stream) == []


def test_a_secured_variable_shows_no_value(story: Story) -> None:
    """Of the variables of an environment the names are read, of none the value."""
    environments(story)
    run = story.sync(OF_ENVIRONMENTS)
    assert {row["key"] for row in run.rows(OF_ENVIRONMENTS)} == {"PLAIN", "TOKEN"}
    assert all("value" not in row for row in run.rows(OF_ENVIRONMENTS))


# -- projects -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", OF_PROJECTS)
def test_below_projects_that_are_not_selected(story: Story, stream: str) -> None:
    """What lies below projects is complete in each run, also while no project changes."""
    furnish_projects(story)
    for _ in range(3):
        assert set(story.sync(stream).counts) == {stream}
        assert lost(story, stream) == []
    story.sync(stream, "projects")
    run = story.sync(stream, "projects")
    assert not run.rows("projects"), "none of them changed"
    assert lost(story, stream, "projects") == []


def test_some_projects(story: Story) -> None:
    """``projects`` names those whose own streams are read; the others are not asked about."""
    furnish_projects(story)
    run = story.sync(*OF_PROJECTS, projects=["ONE"])
    for stream in OF_PROJECTS:
        assert {row["project_key"] for row in run.rows(stream)} == {"ONE"}
    assert not story.asked("/projects/TWO")


@pytest.mark.parametrize("stream", OF_PROJECTS)
def test_a_project_that_is_deleted_in_mid_run(story: Story, stream: str) -> None:
    """A project that goes in mid-run costs the others nothing; the next run knows it is gone."""
    furnish_projects(story)
    story.sync(stream, "projects", reconcile_every=0)
    workspace = story.api.workspace

    def delete() -> None:
        workspace.projects.pop("TWO", None)
        story.world.update_repository(story.api, "So that the stand-in notices")

    story.server.faults.add(Fault("/projects/ONE/", action="callback", callback=delete))
    run = story.sync(stream, "projects", concurrency=1, reconcile_every=0)
    assert {row["project_key"] for row in run.rows(stream)} == {"ONE"}
    story.server.faults.clear()
    story.sync(stream, "projects", reconcile_every=0)
    assert lost(story, stream, "projects") == []


def furnish_projects(story: Story) -> None:
    """Put a row of each stream below into both projects."""
    for project in story.api.workspace.projects.values():
        story.world.set_default_reviewers(project, story.who("ann"), story.who("bob"))
        story.world.set_branching_model(project, development="main")
        story.world.add_deploy_key(project, "Robot")


# -- the account that signs in ------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [KEYS, KEYS[:1], KEYS[1:], ("current_user", *KEYS)], ids=len)
def test_keys_of_the_account(story: Story, chosen: tuple[str, ...]) -> None:
    """Keys are those of the account that signs in; the account is asked for once in a run."""
    for name in ("ann", "bob"):
        story.world.add_ssh_key(story.who(name), f"Laptop of {name}")
        story.world.add_gpg_key(story.who(name), f"Key of {name}", subkeys=1)
    for _ in range(2):
        run = story.sync(*chosen)
        assert set(run.counts) == set(chosen)
        assert set(run.counts.values()) == {1}
        assert lost(story, *chosen) == []
        assert len(story.asked(r"/user(\?|$)")) == 1


def test_a_key_that_is_deleted(story: Story) -> None:
    """A key that was deleted goes from the table with the next run."""
    keys = [story.world.add_ssh_key(story.who("ann"), label) for label in ("Old", "New")]
    other = story.world.add_gpg_key(story.who("ann"), "Key")
    story.sync(*KEYS)
    story.world.delete_ssh_key(keys[0])
    story.world.delete_gpg_key(other)
    run = story.sync(*KEYS)
    assert set(KEYS) <= run.activated
    assert [row["label"] for row in story.target[KEYS[0]].values()] == ["New"]
    assert not story.target[KEYS[1]]


@pytest.mark.parametrize("chosen", [KEYS, ("current_user", "current_user_emails", *KEYS)], ids=len)
def test_an_access_token_is_nobody(story: Story, chosen: tuple[str, ...]) -> None:
    """With an access token these are skipped, each with the reason, and the others are complete."""
    story.world.identities.add_access_token("access", bound_to=story.api.workspace)
    config = {**api_token_config(story.server), "access_token": "access"}
    config = {name: value for name, value in config.items() if name not in {"email", "api_token"}}
    catalog = select(story.catalog, "branches", "projects", *chosen)
    run = run_here(config, catalog=catalog)
    assert run.code == 0, run.log
    assert set(run.counts) == {"branches", "projects"}
    for stream in chosen:
        assert f"Skipped {stream} of everything" in run.log
        assert stream not in run.activated
    assert "HTTP 403" in run.log
    asked = [one.url for one in story.server.requests if "/2.0/user" in one.url]
    assert len(asked) <= 2
    assert run_here({**config, "fail_on_skipped": True}, catalog=catalog).code == 3


def test_a_missing_scope(story: Story) -> None:
    """A stream whose scope the token lacks is skipped, naming it; keys are read all the same."""
    ann = story.who("ann")
    scopes = ("read:user:bitbucket", "read:ssh-key:bitbucket", "read:gpg-key:bitbucket")
    story.world.identities.add_api_token(ann.email, "narrow", scopes=scopes, user=ann)
    story.world.add_ssh_key(ann, "Laptop")
    config = {**api_token_config(story.server), "api_token": "narrow"}
    run = run_here(config, catalog=select(story.catalog, "projects", *KEYS))
    assert run.code == 0, run.log
    assert run.counts["current_user_ssh_keys"] == 1
    assert "read:project:bitbucket" in run.log
    assert f"Skipped projects of {EXAMPLE_WORKSPACE}" in run.log
