"""Projects and what is set up in them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import BranchingModel
from tap_bitbucket.demo.paging import NUMBERED
from tap_bitbucket.demo.routing import PROJECT, PROJECT_ADMIN, Scopes, W, route

P = f"{W}/projects/{{project_key}}"
REVIEWERS = Scopes(("project:admin",), ("read:pullrequest",))
GRANTS = Scopes(("project:admin",), ("read:project",))
MODEL = Scopes(("project:admin",), ("read:repository",))
DEPLOY_KEYS = Scopes(("project", "project:admin"), ("admin:project",))


@route(
    f"{W}/projects",
    PROJECT,
    paging=NUMBERED,
    filters=table("updated_on", "created_on", "name", "key", "uuid", "is_private"),
)
def projects(call: Call) -> Listing:
    """List projects; `q` and `sort` work though the documents name neither."""
    return Listing(list(call.workspace.projects.values()), call.shapes.project)


@route(P, PROJECT)
def project(call: Call) -> Any:
    """Show a project."""
    return call.shapes.project(call.project)


@route(f"{P}/default-reviewers", REVIEWERS, paging=NUMBERED, admin="project")
def default_reviewers(call: Call) -> Listing:
    """List who reviews by default in a project."""
    return Listing(
        call.project.default_reviewers, lambda user: call.shapes.default_reviewer(user, "project")
    )


@route(f"{P}/default-reviewers/{{selected_user}}", REVIEWERS, admin="project")
def default_reviewer(call: Call) -> Any:
    """Show a default reviewer: just the account."""
    found = call.pick(call.project.default_reviewers, "selected_user", "uuid", "account_id")
    return call.shapes.account(found)


# -- explicit permissions ------------------------------------------------------------------


@route(
    f"{P}/permissions-config/users",
    GRANTS,
    paging=NUMBERED,
    people_only=True,
    permission_list=True,
    admin="project",
)
def user_permissions(call: Call) -> Listing:
    """List whom something was given explicitly; this list cannot be filtered."""
    rows = [(call.world.user(uuid), given) for uuid, given in call.project.permissions.items()]
    return Listing(rows, lambda row: call.shapes.user_grant(call.project, *row))


@route(
    f"{P}/permissions-config/groups",
    GRANTS,
    paging=NUMBERED,
    people_only=True,
    permission_list=True,
    admin="project",
)
def group_permissions(call: Call) -> Listing:
    """List which groups something was given explicitly."""
    groups = call.workspace.groups
    rows = [(groups[slug], given) for slug, given in call.project.group_permissions.items()]
    return Listing(rows, lambda row: call.shapes.group_grant(call.project, *row))


# -- branching model and keys --------------------------------------------------------------


def _model(call: Call) -> BranchingModel:
    if call.project.branching_model is None:
        raise errors.core(404, "This project has no branching model")
    return call.project.branching_model


@route(f"{P}/branching-model", MODEL, admin="project")
def branching_model(call: Call) -> Any:
    """Show the branching model; a project that has none answers 404."""
    return call.shapes.branching_model(_model(call), call.project)


@route(f"{P}/branching-model/settings", PROJECT_ADMIN, admin="project")
def branching_model_settings(call: Call) -> Any:
    """Show the branching model as it is set."""
    return call.shapes.branching_settings(_model(call), call.project)


@route(f"{P}/deploy-keys", DEPLOY_KEYS, paging=NUMBERED, admin="project")
def deploy_keys(call: Call) -> Listing:
    """List the keys of machines that read all of a project."""
    date = call.settings.deploy_key_date
    return Listing(call.project.deploy_keys, lambda key: call.shapes.deploy_key(key, date))


@route(f"{P}/deploy-keys/{{key_id}}", DEPLOY_KEYS, admin="project")
def deploy_key(call: Call) -> Any:
    """Show a machine's key."""
    found = call.pick(call.project.deploy_keys, "key_id", "id")
    return call.shapes.deploy_key(found, call.settings.deploy_key_date)
