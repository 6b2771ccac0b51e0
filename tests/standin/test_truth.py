"""What is read through the API is what `truth` says, for all kinds of things."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tap_bitbucket.demo.truth import KINDS as TOLD
from tests.standin.client import ANCHOR, Client
from tests.standin.reading import KINDS, OF_CALLER, canonical, read_all
from tests.standin.test_example import KINDS as READ_THERE

NOT_READ = {"current_user", "file_history"}
"""Kinds that have tests of their own."""


@pytest.mark.parametrize("kind", KINDS)
def test_truth(shared: BitbucketServer, read: Client, kind: str) -> None:
    """What is paged through the API is what `truth` says."""
    rows = shared.world.truth(kind)
    if kind in OF_CALLER:
        me = read.get("/user").json["uuid"]
        rows = [row for row in rows if row[2] == me]
    expected = [row[3] for row in rows]
    assert len(expected) >= (1 if kind == "pipeline_ssh_key_pairs" else 2)
    assert canonical(read_all(shared.world, read, kind)) == canonical(expected)


def test_every_kind_is_read() -> None:
    """There is no kind that `truth` tells and no test reads."""
    assert {*KINDS, *READ_THERE, *NOT_READ} == TOLD


def test_unknown_kind() -> None:
    """A kind that there is not is an error, which names those that there are."""
    with pytest.raises(ValueError, match="watchers"):
        World().truth("wathcers")


def test_current_user(shared: BitbucketServer, read: Client) -> None:
    """The caller is one of the people that `truth` knows."""
    assert read.get("/user").json in shared.world.rows("current_user")


def test_deterministic() -> None:
    """One moment gives one world, in all kinds of things, and the same secrets."""
    one, two = example_world(ANCHOR), example_world(ANCHOR)
    for kind in sorted(TOLD):
        assert json.dumps(one.truth(kind)) == json.dumps(two.truth(kind)), kind
    assert one.secrets == two.secrets


def test_aside(world: World) -> None:
    """What happens aside takes no number from what comes later, and no instant."""
    other = World()
    workspace = other.add_workspace("acme", "Acme")
    ann = other.add_user("Ann")
    other.add_member(workspace, ann, "owner")
    with other.aside(ANCHOR):
        hook = other.add_hook(workspace, "https://example.com", [])
        assert abs((hook.created_on - ANCHOR).total_seconds()) < 1
    other.add_project(workspace, "ROC")
    other.add_repository(workspace, "rocket")
    assert other.repository("acme/rocket").uuid == world.repository("acme/rocket").uuid


def test_aside_leaves_the_clock(world: World) -> None:
    """An instant that was used aside can be used again, and the clock goes on as before."""
    world.now = ANCHOR
    first = world.now.stamp()
    with world.aside(ANCHOR):
        assert world.now.stamp() == first
        assert world.now.stamp() > first
    assert world.now.stamp() == first + timedelta(microseconds=1)
