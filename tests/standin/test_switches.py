"""Where documents and examples disagree, or nothing is known, a switch chooses."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import Client

R, W = "/repositories/acme/rocket", "/workspaces/acme"


def test_free_plan(world: World, server: BitbucketServer, api: Client) -> None:
    """On the Free plan a page of snippets holds a sentence, and downloads answer 402."""
    world.add_snippet("acme", "Notes", world.user("Ann"))
    assert isinstance(api.get("/snippets/acme").values[0], dict)
    server.free_plan = True
    answer = api.get("/snippets/acme")
    assert answer.status == 200
    assert [type(row) for row in answer.values] == [str]
    assert api.get(f"{R}/downloads").status == 402


@pytest.mark.parametrize("place", [R, f"{W}/projects/ROC"])
def test_deploy_key_date(world: World, server: BitbucketServer, api: Client, place: str) -> None:
    """The date of a deploy key is called as in the examples, or as in the documents."""
    project = world.workspace("acme").projects["ROC"]
    world.add_deploy_key("acme/rocket", "one")
    world.add_deploy_key(project, "two")
    assert "created_on" in api.get(f"{place}/deploy-keys").values[0]
    server.deploy_key_date = "added_on"
    row = api.get(f"{place}/deploy-keys").values[0]
    assert "added_on" in row
    assert "created_on" not in row


def test_changes_requested(world: World, server: BitbucketServer, api: Client) -> None:
    """A request for changes has one of two names in both activity feeds."""
    made = world.open_pull_request("acme/rocket")
    world.request_changes(made, world.user("Ann"))
    feeds = (f"{R}/pullrequests/activity", f"{R}/pullrequests/1/activity")
    for feed in feeds:
        assert set(api.get(feed).values[0]) == {"pull_request", "changes_requested"}
    server.changes_requested_key = "changes_request"
    for feed in feeds:
        assert set(api.get(feed).values[0]) == {"pull_request", "changes_request"}


def test_test_form(world: World, server: BitbucketServer, api: Client) -> None:
    """Tests come as an object and pages, as bare `values`, or as lists without an envelope."""
    step = world.start_pipeline("acme/rocket").steps[0]
    case = world.add_test(step, "test_it", "FAILED", reasons=[("It failed", "here")])
    place = f"{R}/pipelines/1/steps/{quote(step.uuid)}/test_reports"
    reasons = f"{place}/test_cases/{quote(case.uuid)}/test_case_reasons"
    assert api.get(place).json["number_of_failed_test_cases"] == 1
    for path in (f"{place}/test_cases", reasons):
        assert {"values", "page", "pagelen", "size"} <= set(api.get(path).json)
    server.test_form = "values"
    for path in (place, f"{place}/test_cases", reasons):
        assert list(api.get(path).json) == ["values"]
        assert len(api.get(path).values) == 1
    server.test_form = "bare"
    assert isinstance(api.get(place).json, dict)
    for path in (f"{place}/test_cases", reasons):
        assert isinstance(api.get(path).json, list)


def test_no_tests(world: World, api: Client) -> None:
    """A step without tests answers 404, and so does a test without reasons."""
    one, two = world.start_pipeline("acme/rocket", steps=("A", "B")).steps
    case = world.add_test(two, "test_it")
    steps = f"{R}/pipelines/1/steps"
    assert api.get(f"{steps}/{quote(one.uuid)}/test_reports").status == 404
    assert api.get(f"{steps}/{quote(one.uuid)}/test_reports/test_cases").status == 404
    place = f"{steps}/{quote(two.uuid)}/test_reports/test_cases/{quote(case.uuid)}"
    answer = api.get(f"{place}/test_case_reasons")
    assert answer.status == 404
    assert "type" not in answer.json


def test_source_depth(server: BitbucketServer, api: Client) -> None:
    """A directory that is asked for too deeply takes too long: 555."""
    assert api.get(f"{R}/src/main/", max_depth=50).status == 200
    server.source_depth_limit = 5
    assert api.get(f"{R}/src/main/", max_depth=5).status == 200
    assert api.get(f"{R}/src/main/", max_depth=6).status == 555


DEFECTS = {
    f"{R}/pipelines_config/variables/": "always",
    f"{R}/pipelines_config/schedules": "missing",
    f"{R}/pipelines_config/ssh/known_hosts": "missing",
    f"{R}/pipelines-config/caches": "none",
    f"{R}/pipelines-config/runners": "none",
    f"{W}/pipelines-config/variables": "missing",
    f"{W}/pipelines-config/runners": "none",
}


def _fill(world: World) -> None:
    rocket, acme = world.repository("acme/rocket"), world.workspace("acme")
    pipeline = world.start_pipeline(rocket)
    place = world.add_environment(rocket, "Test")
    schedule = world.add_schedule(rocket, "0 0 * * * ? *")
    world.add_schedule(rocket, "0 0 * * * ? *")
    for name in ("a", "b"):
        world.execute(schedule, pipeline)
        world.add_known_host(rocket, name)
        world.add_cache(rocket, name, pipeline)
        for where in (rocket, acme):
            world.add_runner(where, name)
            world.add_variable(where, name, name)
        world.add_variable(place, name, name)


@pytest.mark.parametrize(("path", "defect"), DEFECTS.items())
def test_broken_next(world: World, api: Client, path: str, defect: str) -> None:
    """Each list of the pipelines service has its own broken `next`; page numbers always work."""
    _fill(world)
    first = api.get(path, pagelen=1).json
    second = api.get(path, pagelen=1, page=2).json
    assert ("next" in first) == (defect != "missing")
    assert ("next" in second) == (defect == "always")
    assert first["size"] == second["size"] == 2
    assert first["values"] != second["values"]
    assert api.get(path, pagelen=1, page=3).values == []


def test_broken_next_below(world: World, server: BitbucketServer, api: Client) -> None:
    """Lists below an environment or a schedule are broken in their own ways, by switch."""
    _fill(world)
    rocket = world.repository("acme/rocket")
    place = f"{R}/deployments_config/environments/{quote(rocket.environments[0].uuid)}/variables"
    link = api.get(place, pagelen=1).json["next"]
    assert "/rest/1.0/accounts/" in link
    assert api.get(link).status == 401
    server.next_defect["deployment_variables"] = "none"
    assert api.get(api.get(place, pagelen=1).json["next"]).status == 200
    due = f"{R}/pipelines_config/schedules/{quote(rocket.schedules[0].uuid)}/executions"
    assert "next" not in api.get(due, pagelen=1).json


def test_pipelines_off(world: World, api: Client) -> None:
    """Pipelines that never were on have no configuration; later it says that they are off."""
    assert api.get(f"{R}/pipelines_config").json["enabled"] is True
    world.disable_pipelines("acme/rocket", never=False)
    assert api.get(f"{R}/pipelines_config").json["enabled"] is False
    assert world.rows("pipelines_config")[0]["enabled"] is False
    assert api.get(f"{R}/pipelines_config/schedules").status == 404
    world.disable_pipelines("acme/rocket")
    assert api.get(f"{R}/pipelines_config").status == 404
    assert world.rows("pipelines_config") == []
