"""Workspaces and who is in them."""

from __future__ import annotations

import re
from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.access import administers
from tap_bitbucket.demo.bbql import table
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.paging import NUMBERED
from tap_bitbucket.demo.routing import MEMBERS, Scopes, W, route

WORKSPACE = Scopes((), ("read:workspace",))
MOST_ADDRESSES = 90
_WHO = {
    "user.uuid": "user.uuid",
    "user.account_id": "user.account_id",
    "user.nickname": "user.nickname",
    "user.email": "user.email",
}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


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
    """List who is in a workspace; display names cannot be filtered by.

    Only who filters by `user.email` can have the addresses, by asking for the field as well.
    """
    query = call.param("q") or ""
    if "user.email" not in _STRING.sub('""', query):
        return Listing(call.workspace.members, call.shapes.member)
    if not administers(call.identity, call.workspace):
        raise errors.core(403, "Only administrators may filter by e-mail address.")
    if len(_STRING.findall(query)) > MOST_ADDRESSES:
        raise errors.core(400, f"At most {MOST_ADDRESSES} e-mail addresses can be asked for.")
    hidden = {"user.email": lambda member: member.user.email}
    return Listing(call.workspace.members, call.shapes.member, hidden)


@route(f"{W}/members/{{member}}", MEMBERS)
def member(call: Call) -> Any:
    """Show one membership."""
    name = call.args["member"]
    for one in call.workspace.members:
        if name in (one.user.uuid, one.user.account_id):
            return call.shapes.member(one)
    raise errors.core(404, "No such member")
