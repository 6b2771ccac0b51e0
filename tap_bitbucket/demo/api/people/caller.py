"""The caller, and other people."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.access import NOT_THIS_WAY
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Member, User
from tap_bitbucket.demo.paging import NUMBERED, UNSIZED, Paging
from tap_bitbucket.demo.routing import ACCOUNT, MEMBERS, Scopes, route

EMAIL = Scopes(("email",), ("read:user",))
OWN_REPOSITORIES = Scopes(("account", "repository"), ("read:repository",))


def _me(call: Call) -> User:
    if call.identity.user is None:
        raise errors.core(403, NOT_THIS_WAY)
    return call.identity.user


def _membership(call: Call) -> Member:
    me = _me(call)
    return next(member for member in call.workspace.members if member.user is me)


@route("/user", ACCOUNT)
def user(call: Call) -> Any:
    """Show the caller; access tokens have no person (BCLOUD-23528)."""
    return call.shapes.user(_me(call))


@route("/user/emails", EMAIL, paging=NUMBERED, people_only=True)
def emails(call: Call) -> Listing:
    """List the caller's own addresses."""
    return Listing(_me(call).emails, call.shapes.email)


@route("/user/emails/{email}", EMAIL, people_only=True)
def email(call: Call) -> Any:
    """Show one of the caller's own addresses."""
    return call.shapes.email(call.pick(_me(call).emails, "email", "address"))


@route(
    "/user/workspaces",
    MEMBERS,
    paging=Paging(default=25),
    params=("administrator",),
    filters=table(slug="workspace.slug", workspace__slug="workspace.slug"),
    people_only=True,
)
def workspaces(call: Call) -> Listing:
    """List the caller's workspaces: what is left of the lists across workspaces."""
    me = _me(call)
    mine = [
        member
        for workspace in call.world.workspaces.values()
        for member in workspace.members
        if member.user is me
    ]
    wanted = call.param("administrator")
    if wanted is not None:
        mine = [one for one in mine if (one.permission == "owner") == (wanted == "true")]

    def render(member: Member) -> dict[str, Any]:
        return {
            "type": "workspace_access",
            "administrator": member.permission == "owner",
            "workspace": call.shapes.workspace_base(member.workspace),
        }

    return Listing(mine, render, key=(wanted,))


@route("/user/workspaces/{workspace}/permission", MEMBERS, people_only=True)
def permission(call: Call) -> Any:
    """Show the caller's own role."""
    return call.shapes.permission(_membership(call))


@route(
    "/user/workspaces/{workspace}/permissions/repositories",
    OWN_REPOSITORIES,
    paging=UNSIZED,
    filters={
        "permission": lambda row: row[2],
        "repository.name": lambda row: row[0].name,
    },
    people_only=True,
)
def repositories(call: Call) -> Listing:
    """List what the caller may do with each repository."""
    me = _me(call)
    rows = [row for row in call.world.permissions(call.workspace) if row[1] is me]
    return Listing(rows, call.shapes.repository_permission)


@route("/users/{selected_user}", Scopes((), ("read:user",)))
def selected_user(call: Call) -> Any:
    """Show somebody, by uuid or account id; names are not selectors any more (GDPR)."""
    name = call.args["selected_user"]
    for one in call.world.users.values():
        if name in (one.uuid, one.account_id):
            return call.shapes.user(one)
    raise errors.core(404, f"{name} is not a valid user")
