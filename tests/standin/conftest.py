"""Worlds and servers for the tests of the stand-in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tests.standin.client import ANCHOR, Client, basic


def serve(world: World) -> Iterator[BitbucketServer]:
    """Serve a world while a test runs."""
    with BitbucketServer(world) as server:
        yield server


@pytest.fixture(scope="session")
def shared() -> Iterator[BitbucketServer]:
    """The example world, for tests that only read."""
    yield from serve(example_world(ANCHOR))


@pytest.fixture
def read(shared: BitbucketServer) -> Client:
    """A client of the shared server, with an API token."""
    keys = shared.world.credentials
    assert keys is not None
    return Client(shared, basic(keys.email, keys.api_token))


@pytest.fixture
def world() -> World:
    """A small world of the test's own: one workspace `acme`, owner Ann, repository `rocket`."""
    made = World()
    workspace = made.add_workspace("acme", "Acme")
    ann = made.add_user("Ann")
    made.add_member(workspace, ann, "owner")
    made.add_project(workspace, "ROC")
    made.add_repository(workspace, "rocket")
    made.identities.add_api_token("ann@example.com", "token", user=ann)
    made.identities.add_oauth_consumer("client", "secret", workspace=workspace)
    return made


@pytest.fixture
def server(world: World) -> Iterator[BitbucketServer]:
    """Serve the small world."""
    yield from serve(world)


@pytest.fixture
def api(server: BitbucketServer) -> Client:
    """A client of the small world, as Ann."""
    return Client(server, basic("ann@example.com", "token"))
