"""Who was explicitly given what in a repository; these lists cannot be filtered."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Group, User
from tap_bitbucket.demo.paging import NUMBERED
from tap_bitbucket.demo.routing import R, Scopes, route

GRANTS = Scopes(("repository:admin",), ("read:repository",))
OPTIONS: dict[str, Any] = {
    "people_only": True,
    "permission_list": True,
    "admin": "repository",
}


def _users(call: Call) -> list[tuple[User, str]]:
    return [(call.world.user(uuid), given) for uuid, given in call.repo.permissions.items()]


def _groups(call: Call) -> list[tuple[Group, str]]:
    groups = call.workspace.groups
    return [(groups[slug], given) for slug, given in call.repo.group_permissions.items()]


@route(f"{R}/permissions-config/users", GRANTS, paging=NUMBERED, **OPTIONS)
def users(call: Call) -> Listing:
    """List whom something was given explicitly."""
    return Listing(_users(call), lambda row: call.shapes.user_grant(call.repo, *row))


@route(f"{R}/permissions-config/users/{{selected_user_id}}", GRANTS, **OPTIONS)
def user(call: Call) -> Any:
    """Show what was given to somebody."""
    name = call.args["selected_user_id"]
    for who, given in _users(call):
        if name in (who.uuid, who.account_id):
            return call.shapes.user_grant(call.repo, who, given)
    raise errors.core(404, "No explicit permission")


@route(f"{R}/permissions-config/groups", GRANTS, paging=NUMBERED, **OPTIONS)
def groups(call: Call) -> Listing:
    """List which groups something was given explicitly."""
    return Listing(_groups(call), lambda row: call.shapes.group_grant(call.repo, *row))


@route(f"{R}/permissions-config/groups/{{group_slug}}", GRANTS, **OPTIONS)
def group(call: Call) -> Any:
    """Show what was given to a group."""
    for who, given in _groups(call):
        if who.slug == call.args["group_slug"]:
            return call.shapes.group_grant(call.repo, who, given)
    raise errors.core(404, "No explicit permission")
