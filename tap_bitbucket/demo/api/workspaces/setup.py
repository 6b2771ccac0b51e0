"""What is set up for a whole workspace: webhooks, variables, runners."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Hook
from tap_bitbucket.demo.paging import NUMBERED, Paging
from tap_bitbucket.demo.routing import PIPELINE, RUNNER, WEBHOOK, W, route

CONFIG = f"{W}/pipelines-config"


def _hook(call: Call, hook: Hook) -> Any:
    row = call.shapes.hook(hook, call.workspace)
    if call.settings.show_secrets and hook.secret is not None:
        row["secret"] = hook.secret
    return row


@route(f"{W}/hooks", WEBHOOK, paging=NUMBERED, admin="workspace")
def hooks(call: Call) -> Listing:
    """List the webhooks of a workspace."""
    return Listing(call.workspace.hooks, lambda one: _hook(call, one))


@route(f"{W}/hooks/{{uid}}", WEBHOOK, admin="workspace")
def hook(call: Call) -> Any:
    """Show a webhook."""
    return _hook(call, call.pick(call.workspace.hooks, "uid", "uuid"))


@route(
    f"{CONFIG}/variables",
    PIPELINE,
    paging=Paging("pipelines", defect="workspace_variables"),
    service="pipelines",
    admin="workspace",
)
def variables(call: Call) -> Listing:
    """List pipeline variables; `next` is missing (BCLOUD-23787)."""
    return Listing(call.workspace.variables, call.shapes.variable)


@route(f"{CONFIG}/variables/{{variable_uuid}}", PIPELINE, service="pipelines", admin="workspace")
def variable(call: Call) -> Any:
    """Show a pipeline variable."""
    found = call.pick(call.workspace.variables, "variable_uuid", "uuid", service="pipelines")
    return call.shapes.variable(found)


@route(
    f"{CONFIG}/runners",
    RUNNER,
    paging=Paging("pipelines", defect="workspace_runners"),
    service="pipelines",
    admin="workspace",
)
def runners(call: Call) -> Listing:
    """List runners; each shows its OAuth client, with the secret."""
    return Listing(call.workspace.runners, call.shapes.runner)


@route(f"{CONFIG}/runners/{{runner_uuid}}", RUNNER, service="pipelines", admin="workspace")
def runner(call: Call) -> Any:
    """Show a runner."""
    found = call.pick(call.workspace.runners, "runner_uuid", "uuid", service="pipelines")
    return call.shapes.runner(found)
