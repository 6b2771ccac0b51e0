"""What is set up can be changed, and the API shows it at once."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tap_bitbucket.demo import World
from tap_bitbucket.demo.model import Environment, Repository, Workspace
from tests.standin.client import Client

R, W = "/repositories/acme/rocket", "/workspaces/acme"
P = f"{W}/projects/ROC"


@pytest.mark.parametrize("place", [R, W])
def test_hooks(world: World, api: Client, place: str) -> None:
    """Webhooks come, change and go, in repositories and in workspaces."""
    where = world.workspace("acme") if place == W else world.repository("acme/rocket")
    hook = world.add_hook(where, "https://a.example.com", ["repo:push"], description="A")
    (row,) = api.get(f"{place}/hooks").values
    assert row["subject_type"] == ("workspace" if place == W else "repository")
    assert row["secret_set"] is False
    world.update_hook(hook, url="https://b.example.com", active=False)
    row = api.get(f"{place}/hooks/{quote(hook.uuid)}").json
    assert (row["url"], row["active"]) == ("https://b.example.com", False)
    world.delete_hook(where, hook)
    assert api.get(f"{place}/hooks").values == []
    assert api.get(f"{place}/hooks/{quote(hook.uuid)}").status == 404


def test_variables(world: World, api: Client) -> None:
    """Variables come, change and go, in workspaces, repositories and environments."""
    rocket, acme = world.repository("acme/rocket"), world.workspace("acme")
    place = world.add_environment(rocket, "Test")
    paths: dict[str, tuple[Repository | Workspace | Environment, str]] = {
        f"{R}/pipelines_config/variables/": (rocket, "pipeline_variable"),
        f"{W}/pipelines-config/variables": (acme, "pipeline_variable"),
        f"{R}/deployments_config/environments/{quote(place.uuid)}/variables": (
            place, "deployment_variable",
        ),
    }  # fmt: skip
    for path, (where, kind) in paths.items():
        made = world.add_variable(where, "KEY", "one")
        world.set_variable(made, "two")
        row = api.get(path).values[0]
        assert (row["type"], row["value"]) == (kind, "two")
        world.delete_variable(where, made)
        assert api.get(path).values == []
    assert api.get(f"{R}/deployments_config/environments/%7Bx%7D/variables").status == 404


def test_single_variables(world: World, api: Client) -> None:
    """A variable of a repository or of a workspace can be shown by itself."""
    one = world.add_variable("acme/rocket", "KEY", "one")
    two = world.add_variable(world.workspace("acme"), "KEY", "two")
    assert api.get(f"{R}/pipelines_config/variables/{quote(one.uuid)}").json["value"] == "one"
    assert api.get(f"{W}/pipelines-config/variables/{quote(two.uuid)}").json["value"] == "two"
    assert api.get(f"{R}/pipelines_config/variables/{quote(two.uuid)}").status == 404


def test_restrictions(world: World, api: Client) -> None:
    """Restrictions are for a pattern or for a kind of branch, for people and for groups."""
    group = world.add_group("acme", "crew")
    made = world.add_restriction("acme/rocket", "push", "rel/*", groups=[group])
    world.add_restriction("acme/rocket", "delete", "", branch_type="production")
    one, two = api.get(f"{R}/branch-restrictions").values
    assert (one["branch_match_kind"], one["groups"][0]["slug"]) == ("glob", "crew")
    assert "branch_type" not in one
    assert (two["branch_match_kind"], two["branch_type"]) == ("branching_model", "production")
    assert len(api.get(f"{R}/branch-restrictions", kind="push").values) == 1
    world.update_restriction(made, 3)
    assert api.get(f"{R}/branch-restrictions/{made.id}").json["value"] == 3
    world.delete_restriction("acme/rocket", made)
    assert api.get(f"{R}/branch-restrictions/{made.id}").status == 404


@pytest.mark.parametrize("place", [R, P])
def test_explicit_permissions(world: World, api: Client, place: str) -> None:
    """Only what was given explicitly is listed, to people and to groups."""
    where = world.workspace("acme").projects["ROC"] if place == P else "acme/rocket"
    ann, crew = world.user("Ann"), world.add_group("acme", "crew")
    users, groups = f"{place}/permissions-config/users", f"{place}/permissions-config/groups"
    assert api.get(users).values == api.get(groups).values == []
    world.set_permission(where, ann, "read")
    world.set_permission(where, ann, "write")
    world.set_permission(where, crew, "admin")
    assert [row["permission"] for row in api.get(users).values] == ["write"]
    (row,) = api.get(groups).values
    assert (row["group"]["slug"], row["permission"]) == ("crew", "admin")
    world.remove_permission(where, ann)
    world.remove_permission(where, crew)
    assert api.get(users).values == api.get(groups).values == []


def test_single_permissions(world: World, api: Client) -> None:
    """What was given to one can be shown by itself, or answers 404."""
    ann, crew = world.user("Ann"), world.add_group("acme", "crew")
    config = f"{R}/permissions-config"
    assert api.get(f"{config}/users/{ann.account_id}").status == 404
    assert api.get(f"{config}/groups/crew").status == 404
    world.set_permission("acme/rocket", ann, "read")
    world.set_permission("acme/rocket", crew, "read")
    assert api.get(f"{config}/users/{ann.account_id}").json["permission"] == "read"
    assert api.get(f"{config}/groups/crew").json["permission"] == "read"


def test_branching_models(world: World, api: Client) -> None:
    """A repository goes by its own model, else by its project's, else by the first one."""
    project = world.workspace("acme").projects["ROC"]
    assert api.get(f"{P}/branching-model").status == 404
    assert api.get(f"{P}/branching-model/settings").status == 404
    world.set_branching_model(project, production="live")
    assert api.get(f"{P}/branching-model").json["production"]["name"] == "live"
    assert "production" not in api.get(f"{R}/branching-model").json
    assert "branch" not in api.get(f"{R}/effective-branching-model").json["production"]
    world.set_branching_model("acme/rocket", prefixes={"hotfix": None, "feature": "f/"})
    row = api.get(f"{R}/effective-branching-model").json
    assert "production" not in row
    assert [one["kind"] for one in row["branch_types"]] == ["feature", "bugfix", "release"]
    assert row["development"]["branch"]["name"] == "main"
    settings = api.get(f"{R}/branching-model/settings").json
    assert [one["enabled"] for one in settings["branch_types"]] == [True, True, True, False]
    assert settings["development"]["name"] is None
    assert settings["production"]["enabled"] is False
    assert settings["default_branch_deletion"] == "false"
    world.clear_branching_model("acme/rocket")
    assert "production" in api.get(f"{R}/effective-branching-model").json


def test_validity_is_told_by_repositories(world: World, api: Client) -> None:
    """Whether a branch of the model is there is told in repositories only, or not known."""
    world.set_branching_model("acme/rocket", development="gone", is_valid=None)
    world.set_branching_model(world.workspace("acme").projects["ROC"])
    assert api.get(f"{R}/branching-model/settings").json["development"]["is_valid"] is None
    assert "is_valid" not in api.get(f"{P}/branching-model/settings").json["development"]
    assert "branch" not in api.get(f"{R}/branching-model").json["development"]


def test_override_settings(world: World, api: Client) -> None:
    """Which settings are the repository's own is told twice, and new ones appear."""
    world.set_override("acme/rocket", "merge_checks", value=False)
    told = api.get(f"{R}/override-settings").json["override_settings"]
    assert told == api.get(R).json["override_settings"]
    assert told["merge_checks"] is False


@pytest.mark.parametrize("place", [R, P])
def test_deploy_keys(world: World, api: Client, place: str) -> None:
    """Machines' keys come, are used and go."""
    where = world.workspace("acme").projects["ROC"] if place == P else "acme/rocket"
    key = world.add_deploy_key(where, "dome", owner=world.user("Ann"))
    row = api.get(f"{place}/deploy-keys").values[0]
    assert row["last_used"] is None
    assert ("project" in row) == ("created_by" in row) == (place == P)
    world.use_key(key)
    assert api.get(f"{place}/deploy-keys/{key.id}").json["last_used"] is not None
    world.delete_deploy_key(key)
    assert api.get(f"{place}/deploy-keys").values == []


def test_default_reviewers(world: World, api: Client) -> None:
    """A project's reviewers are wrapped, a single one is just the account."""
    ann = world.user("Ann")
    world.set_default_reviewers(world.workspace("acme").projects["ROC"], ann)
    (row,) = api.get(f"{P}/default-reviewers").values
    assert (row["reviewer_type"], row["user"]["uuid"]) == ("project", ann.uuid)
    assert api.get(f"{P}/default-reviewers/{ann.account_id}").json["uuid"] == ann.uuid
    assert api.get(f"{R}/default-reviewers/{ann.account_id}").status == 404


def test_watchers(world: World, api: Client) -> None:
    """People watch and stop watching."""
    ann = world.user("Ann")
    world.watch("acme/rocket", ann)
    assert [row["uuid"] for row in api.get(f"{R}/watchers").values] == [ann.uuid]
    world.unwatch("acme/rocket", ann)
    assert api.get(f"{R}/watchers").values == []
