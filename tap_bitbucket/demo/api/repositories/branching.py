"""Branching models: what a repository set itself, and what holds in the end."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo.call import Call
from tap_bitbucket.demo.routing import REPOSITORY, REPOSITORY_ADMIN, R, route
from tap_bitbucket.demo.views import effective_model, own_model


@route(f"{R}/branching-model", REPOSITORY)
def branching_model(call: Call) -> Any:
    """Show the repository's own branching model."""
    return call.shapes.branching_model(own_model(call.repo), call.repo)


@route(f"{R}/effective-branching-model", REPOSITORY)
def effective_branching_model(call: Call) -> Any:
    """Show the branching model that holds: the repository's own or its project's."""
    model = effective_model(call.repo)
    return call.shapes.branching_model(model, call.repo, "effective_repo_branching_model")


@route(f"{R}/branching-model/settings", REPOSITORY_ADMIN, admin="repository")
def branching_model_settings(call: Call) -> Any:
    """Show the repository's own branching model as it is set."""
    return call.shapes.branching_settings(own_model(call.repo), call.repo)
