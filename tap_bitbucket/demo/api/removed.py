"""Endpoints that Atlassian has withdrawn: they answer 410."""

from __future__ import annotations

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call
from tap_bitbucket.demo.routing import R, Scopes, route

# CHANGE-2770: lists across workspaces, since 2026-04-14.
_ACROSS = (
    "/repositories",
    "/snippets",
    "/user/permissions/repositories",
    "/user/permissions/workspaces",
    "/workspaces",
)
# CHANGE-3401: the issue tracker, since 2026-08-20.
_ISSUES = (
    "components",
    "components/{component_id}",
    "issues",
    "issues/{rest...}",
    "milestones",
    "milestones/{milestone_id}",
    "versions",
    "versions/{version_id}",
)
_METHODS = ("GET", "POST", "PUT", "DELETE")


def _across(call: Call) -> None:
    raise errors.gone("CHANGE-2770")


def _issues(call: Call) -> None:
    raise errors.gone("CHANGE-3401")


for _path in _ACROSS:
    route(_path, Scopes(), methods=_METHODS, public=True)(_across)
for _path in _ISSUES:
    route(f"{R}/{_path}", Scopes(), methods=_METHODS, public=True)(_issues)

REMOVED = frozenset({_across, _issues})
