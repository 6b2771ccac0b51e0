"""Workspaces: members, roles, projects and what belongs to the workspace itself."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.paging import NUMBERED, UNSIZED, Paging
from tap_bitbucket.demo.routing import (
    MEMBERS,
    PIPELINE,
    PROJECT,
    PROJECT_ADMIN,
    REPOSITORY,
    WEBHOOK,
    Scopes,
    W,
    route,
)

WORKSPACE = Scopes((), ("read:workspace",))
ALL_PERMISSIONS = Scopes(("account",), ("read:repository",))
_WHO = {
    "user.uuid": "user.uuid",
    "user.account_id": "user.account_id",
    "user.nickname": "user.nickname",
    "user.email": "user.email",
}
PERMISSIONS = {
    "permission": lambda row: row[2],
    "user.uuid": lambda row: row[1].uuid,
    "repository.name": lambda row: row[0].name,
}


@route(W, WORKSPACE)
def workspace(call: Call) -> Any:
    """Show a workspace."""
    return call.shapes.workspace(call.workspace)


@route(
    f"{W}/members",
    MEMBERS,
    paging=NUMBERED,
    filters=table(**{name.replace(".", "__"): path for name, path in _WHO.items()}),
)
def members(call: Call) -> Listing:
    """List who is in a workspace; display names cannot be filtered by."""
    return Listing(call.workspace.members, call.shapes.member)


@route(f"{W}/members/{{member}}", MEMBERS)
def member(call: Call) -> Any:
    """Show one membership."""
    name = call.args["member"]
    for one in call.workspace.members:
        if name in (one.user.uuid, one.user.account_id):
            return call.shapes.member(one)
    raise errors.core(404, "No such member")


@route(
    f"{W}/permissions",
    MEMBERS,
    paging=NUMBERED,
    filters=table("permission", user__uuid="user.uuid"),
    people_only=True,
)
def permissions(call: Call) -> Listing:
    """List who is in a workspace, with roles; access tokens may not ask for permissions."""
    return Listing(call.workspace.members, call.shapes.permission)


@route(
    f"{W}/permissions/repositories",
    ALL_PERMISSIONS,
    paging=UNSIZED,
    filters=PERMISSIONS,
    people_only=True,
    admin="workspace",
)
def repository_permissions(call: Call) -> Listing:
    """List the effective permissions on all repositories."""
    return Listing(call.world.permissions(call.workspace), call.shapes.repository_permission)


@route(
    f"{W}/permissions/repositories/{{repo_slug}}",
    REPOSITORY,
    paging=UNSIZED,
    filters=PERMISSIONS,
    people_only=True,
    admin="workspace",
)
def one_repository_permissions(call: Call) -> Listing:
    """List the effective permissions on one repository."""
    slug = call.args["repo_slug"]
    rows = [
        row for row in call.world.permissions(call.workspace) if slug in (row[0].slug, row[0].uuid)
    ]
    if not rows:
        raise errors.repository_missing()
    return Listing(rows, call.shapes.repository_permission)


@route(
    f"{W}/projects",
    PROJECT,
    paging=NUMBERED,
    filters=table("updated_on", "created_on", "name", "key", "uuid", "is_private"),
)
def projects(call: Call) -> Listing:
    """List projects; `q` and `sort` work though the documents name neither."""
    return Listing(list(call.workspace.projects.values()), call.shapes.project)


@route(f"{W}/projects/{{project_key}}", PROJECT)
def project(call: Call) -> Any:
    """Show a project."""
    return call.shapes.project(_project(call))


def _project(call: Call) -> Any:
    found = call.workspace.projects.get(call.args["project_key"])
    if found is None:
        raise errors.core(404, "No project with the given key")
    return found


@route(
    f"{W}/projects/{{project_key}}/default-reviewers",
    PROJECT_ADMIN,
    paging=NUMBERED,
    admin="workspace",
)
def project_default_reviewers(call: Call) -> Listing:
    """List who reviews by default in a project."""
    return Listing(
        _project(call).default_reviewers,
        lambda user: {
            "type": "default_reviewer",
            "reviewer_type": "project",
            "user": call.shapes.account(user),
        },
    )


@route(f"{W}/hooks", WEBHOOK, paging=NUMBERED, admin="workspace")
def hooks(call: Call) -> Listing:
    """List the webhooks of a workspace."""
    return Listing(call.workspace.hooks, lambda one: call.shapes.hook(one, call.workspace))


@route(
    f"{W}/pipelines-config/variables",
    PIPELINE,
    paging=Paging("pipelines", defect="workspace_variables"),
    service="pipelines",
)
def variables(call: Call) -> Listing:
    """List pipeline variables; `next` is missing (BCLOUD-23787)."""
    return Listing(call.workspace.variables, call.shapes.variable)
