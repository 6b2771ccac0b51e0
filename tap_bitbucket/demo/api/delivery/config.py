"""What pipelines run on and by; half of the paths have an underscore, half a hyphen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import Schedule
from tap_bitbucket.demo.paging import Paging
from tap_bitbucket.demo.routing import PIPELINE, REPOSITORY_ADMIN, RUNNER, Handler, R, Scopes, route

Registers = Callable[[Handler], Handler]
CONFIG = f"{R}/pipelines_config"
HYPHEN = f"{R}/pipelines-config"


def _list(pattern: str, scopes: Scopes, defect: str, **more: Any) -> Registers:
    """Register a list of the pipelines service."""
    return route(
        pattern, scopes, paging=Paging("pipelines", defect=defect), service="pipelines", **more
    )


def _one(pattern: str, scopes: Scopes = PIPELINE, **more: Any) -> Registers:
    """Register a single thing of the pipelines service."""
    return route(pattern, scopes, service="pipelines", **more)


@_one(CONFIG, REPOSITORY_ADMIN, admin="repository", when_off=True)
def config(call: Call) -> Any:
    """Tell whether Pipelines is on (404 when it never was)."""
    return call.shapes.pipelines_config(call.repo)


@_list(f"{CONFIG}/variables/", PIPELINE, "variables", admin="repository")
def variables(call: Call) -> Listing:
    """List pipeline variables; there is a `next` on the last page too (BCLOUD-22441)."""
    return Listing(call.repo.variables, call.shapes.variable)


@_one(f"{CONFIG}/variables/{{variable_uuid}}", admin="repository")
def variable(call: Call) -> Any:
    """Show a pipeline variable."""
    found = call.pick(call.repo.variables, "variable_uuid", "uuid", service="pipelines")
    return call.shapes.variable(found)


# -- schedules -----------------------------------------------------------------------------


def _schedule(call: Call) -> Schedule:
    found: Schedule = call.pick(call.repo.schedules, "schedule_uuid", "uuid", service="pipelines")
    return found


@_list(f"{CONFIG}/schedules", PIPELINE, "schedules")
def schedules(call: Call) -> Listing:
    """List schedules."""
    return Listing(call.repo.schedules, call.shapes.schedule)


@_one(f"{CONFIG}/schedules/{{schedule_uuid}}")
def schedule(call: Call) -> Any:
    """Show a schedule."""
    return call.shapes.schedule(_schedule(call))


@_list(f"{CONFIG}/schedules/{{schedule_uuid}}/executions", PIPELINE, "executions")
def executions(call: Call) -> Listing:
    """List the times that a schedule came due."""
    return Listing(_schedule(call).executions, call.shapes.execution)


# -- ssh -----------------------------------------------------------------------------------


@_list(f"{CONFIG}/ssh/known_hosts", PIPELINE, "known_hosts")
def known_hosts(call: Call) -> Listing:
    """List the hosts that steps may reach."""
    return Listing(call.repo.known_hosts, call.shapes.known_host)


@_one(f"{CONFIG}/ssh/known_hosts/{{known_host_uuid}}")
def known_host(call: Call) -> Any:
    """Show a host that steps may reach."""
    found = call.pick(call.repo.known_hosts, "known_host_uuid", "uuid", service="pipelines")
    return call.shapes.known_host(found)


@_one(f"{CONFIG}/ssh/key_pair")
def key_pair(call: Call) -> Any:
    """Show the ssh key of the steps, or answer 404."""
    if call.repo.key_pair is None:
        raise errors.pipelines(404, "Not Found", "SSH key pair not found", "not-found")
    return call.shapes.key_pair(call.repo.key_pair, private=call.settings.show_secrets)


# -- with a hyphen -------------------------------------------------------------------------


@_list(f"{HYPHEN}/caches", PIPELINE, "caches")
def caches(call: Call) -> Listing:
    """List caches."""
    return Listing(call.repo.caches, call.shapes.cache)


@_list(f"{HYPHEN}/runners", RUNNER, "runners", admin="repository")
def runners(call: Call) -> Listing:
    """List runners; each shows its OAuth client, with the secret."""
    return Listing(call.repo.runners, call.shapes.runner)


@_one(f"{HYPHEN}/runners/{{runner_uuid}}", RUNNER, admin="repository")
def runner(call: Call) -> Any:
    """Show a runner."""
    found = call.pick(call.repo.runners, "runner_uuid", "uuid", service="pipelines")
    return call.shapes.runner(found)
