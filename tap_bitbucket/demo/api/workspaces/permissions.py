"""Who may do what in a workspace; access tokens may not ask for it."""

from __future__ import annotations

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.paging import NUMBERED, UNSIZED
from tap_bitbucket.demo.routing import MEMBERS, REPOSITORY, Scopes, W, route

ALL_PERMISSIONS = Scopes(("account",), ("read:repository",))
PERMISSIONS = {
    "permission": lambda row: row[2],
    "user.uuid": lambda row: row[1].uuid,
    "repository.name": lambda row: row[0].name,
}


@route(
    f"{W}/permissions",
    MEMBERS,
    paging=NUMBERED,
    filters=table("permission", user__uuid="user.uuid"),
    people_only=True,
    permission_list=True,
)
def permissions(call: Call) -> Listing:
    """List who is in a workspace, with roles."""
    return Listing(call.workspace.members, call.shapes.permission)


@route(
    f"{W}/permissions/repositories",
    ALL_PERMISSIONS,
    paging=UNSIZED,
    filters=PERMISSIONS,
    people_only=True,
    permission_list=True,
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
    permission_list=True,
    admin="repository",
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
