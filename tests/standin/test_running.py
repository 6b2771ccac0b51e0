"""What pipelines run on and by."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tap_bitbucket.demo import World
from tests.standin.client import Client

R, W = "/repositories/acme/rocket", "/workspaces/acme"


@pytest.mark.parametrize("place", [R, W])
def test_runners(world: World, api: Client, place: str) -> None:
    """A runner has a version once it was seen, and its secret is shown all the time."""
    where = world.workspace("acme") if place == W else world.repository("acme/rocket")
    made = world.add_runner(where, "dome", ["linux"])
    path = f"{place}/pipelines-config/runners"
    state = api.get(path).values[0]["state"]
    assert state == {"type": "pipeline_runner_state", "status": "UNREGISTERED", "cordoned": False}
    world.set_runner(made, "ONLINE", cordoned=True)
    row = api.get(f"{path}/{quote(made.uuid)}").json
    assert (row["state"]["status"], row["state"]["cordoned"]) == ("ONLINE", True)
    assert row["state"]["version"]["version"]
    assert row["oauth_client"]["secret"] in world.secrets
    assert row["updated_on"] > row["created_on"]
    world.delete_runner(where, made)
    assert api.get(path).values == []
    assert api.get(f"{path}/{quote(made.uuid)}").status == 404


def test_schedules(world: World, api: Client) -> None:
    """A schedule names a branch but no commit; switching it off is a change."""
    made = world.add_schedule("acme/rocket", "0 0 3 * * ? *", pattern="nightly")
    path = f"{R}/pipelines_config/schedules"
    row = api.get(path).values[0]
    assert row["target"]["selector"] == {"type": "custom", "pattern": "nightly"}
    assert "commit" not in row["target"]
    world.set_schedule(made, enabled=False)
    changed = api.get(f"{path}/{quote(made.uuid)}").json
    assert (changed["enabled"], changed["updated_on"] > row["updated_on"]) == (False, True)
    world.delete_schedule("acme/rocket", made)
    assert api.get(path).values == []


def test_executions(world: World, api: Client) -> None:
    """An execution has a pipeline or an error, and neither id nor date of its own."""
    made = world.add_schedule("acme/rocket", "0 0 3 * * ? *")
    pipeline = world.start_pipeline("acme/rocket")
    world.execute(made, pipeline)
    world.execute(made, error=("gone", "The branch is gone."))
    one, two = api.get(f"{R}/pipelines_config/schedules/{quote(made.uuid)}/executions").values
    assert set(one) == {"type", "pipeline"}
    assert one["pipeline"]["uuid"] == pipeline.uuid
    assert set(two) == {"type", "error"}
    assert one["type"].endswith("_executed")
    assert two["type"].endswith("_errored")
    assert api.get(f"{R}/pipelines_config/schedules/%7Bx%7D/executions").status == 404


def test_known_hosts(world: World, api: Client) -> None:
    """A host whose key was not fetched has no key."""
    world.add_known_host("acme/rocket", "a.example.com")
    made = world.add_known_host("acme/rocket", "b.example.com", fetched=False)
    path = f"{R}/pipelines_config/ssh/known_hosts"
    assert ["public_key" in row for row in api.get(path).values] == [True, False]
    assert api.get(f"{path}/{quote(made.uuid)}").json["hostname"] == "b.example.com"
    world.delete_known_host("acme/rocket", made)
    assert len(api.get(path).values) == 1


def test_key_pair(world: World, api: Client) -> None:
    """Without a key pair the answer is 404."""
    path = f"{R}/pipelines_config/ssh/key_pair"
    assert api.get(path).status == 404
    world.add_key_pair("acme/rocket")
    assert set(api.get(path).json) == {"type", "public_key"}


def test_caches(world: World, api: Client) -> None:
    """A cache of the same name replaces the one before."""
    pipeline = world.start_pipeline("acme/rocket")
    world.add_cache("acme/rocket", "pip", pipeline)
    made = world.add_cache("acme/rocket", "pip", pipeline, 3_221_225_472)
    path = f"{R}/pipelines-config/caches"
    (row,) = api.get(path).values
    assert (row["uuid"], row["file_size_bytes"]) == (made.uuid, 3_221_225_472)
    assert (row["pipeline_uuid"], row["step_uuid"]) == (pipeline.uuid, pipeline.steps[0].uuid)
    world.delete_cache("acme/rocket", made)
    assert api.get(path).values == []


def test_times_of_the_service(read: Client) -> None:
    """The pipelines service writes up to nanoseconds and `Z` here as well."""
    world = read.server.world
    for kind in ("pipeline_schedules", "pipeline_caches", "pipeline_runners"):
        for row in world.rows(kind):
            assert row["created_on"].endswith("Z")
