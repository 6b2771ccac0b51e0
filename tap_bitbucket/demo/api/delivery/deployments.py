"""Environments and deployments, as the pipelines service serves them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.bbql import Getter, attribute
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Environment
from tap_bitbucket.demo.paging import Paging
from tap_bitbucket.demo.routing import PIPELINE, R, route

SORTS: dict[str, Getter] = {
    "state.completed_on": attribute("completed_on"),
    "state.started_on": attribute("started_on"),
}


@route(
    f"{R}/environments/",
    PIPELINE,
    paging=Paging("pipelines", defect="environments"),
    service="pipelines",
)
def environments(call: Call) -> Listing:
    """List environments."""
    return Listing(call.repo.environments, call.shapes.environment)


@route(f"{R}/environments/{{environment_uuid}}", PIPELINE, service="pipelines")
def environment(call: Call) -> Any:
    """Show an environment."""
    for one in call.repo.environments:
        if one.uuid == call.args["environment_uuid"]:
            return call.shapes.environment(one)
    raise errors.pipelines(404, "Not Found", "Environment not found", "not-found")


@route(
    f"{R}/deployments_config/environments/{{environment_uuid}}/variables",
    PIPELINE,
    paging=Paging("pipelines", defect="deployment_variables"),
    service="pipelines",
    admin="repository",
)
def variables(call: Call) -> Listing:
    """List the variables of an environment."""
    found: Environment = call.pick(
        call.repo.environments, "environment_uuid", "uuid", service="pipelines"
    )
    return Listing(found.variables, lambda one: call.shapes.variable(one, "deployment_variable"))


@route(
    f"{R}/deployments/",
    PIPELINE,
    paging=Paging("pipelines", defect="deployments"),
    params=("q", "environment", "state.name"),
    sorts=SORTS,
    service="pipelines",
)
def deployments(call: Call) -> Listing:
    """List deployments, oldest first; only the state's two dates can be sorted by."""
    place, state = call.param("environment"), call.param("state.name")
    rows = [
        one
        for one in call.repo.deployments
        if place in (None, one.environment.uuid) and state in (None, one.state)
    ]
    hidden = call.shapes.hidden_of_deployments()
    return Listing(rows, call.shapes.deployment, hidden, key=(place, state))


@route(f"{R}/deployments/{{deployment_uuid}}", PIPELINE, service="pipelines")
def deployment(call: Call) -> Any:
    """Show a deployment."""
    for one in call.repo.deployments:
        if one.uuid == call.args["deployment_uuid"]:
            return call.shapes.deployment(one)
    raise errors.pipelines(404, "Not Found", "Deployment not found", "not-found")
