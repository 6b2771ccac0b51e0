"""A client that others wrote, against the real Bitbucket, reads the stand-in as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, example_world
from tests.standin.client import ANCHOR

cloud = pytest.importorskip("atlassian.bitbucket.cloud")


@pytest.fixture(scope="module")
def served() -> Iterator[BitbucketServer]:
    """Serve the example world; this client asks for pipelines with the slash."""
    with BitbucketServer(example_world(ANCHOR)) as server:
        yield server


def test_atlassian_python_api(served: BitbucketServer) -> None:
    """atlassian-python-api reads the same rows as `truth` tells."""
    world = served.world
    keys = world.credentials
    assert keys is not None
    with cloud.Cloud(url=served.url, username=keys.email, password=keys.api_token) as client:
        assert [one.slug for one in client.workspaces.each()] == [EXAMPLE_WORKSPACE]
        workspace = client.workspaces.get(EXAMPLE_WORKSPACE)
        assert workspace.name == "Halley Labs"
        assert {one.key for one in workspace.projects.each()} == {"SKY", "OPS", "LAB"}
        people = {one.get_data("user")["display_name"] for one in workspace.members.each()}
        assert {"Maya Lindqvist", "Ravi Menon"} <= people
        slugs = {one.slug for one in workspace.repositories.each()}
        assert slugs == {one.slug for one in world.repositories()}
        repository = workspace.repositories.get("telescope-control")
        truth = world.repository(f"{EXAMPLE_WORKSPACE}/telescope-control")
        assert {one.name for one in repository.branches.each()} == set(truth.branches)
        assert {one.name for one in repository.tags.each()} == set(truth.tags)
        hashes = [one.hash for one in repository.commits.each()]
        assert hashes == [one.hash for one in world.history(truth, truth.heads())]
        _pull_requests(repository, truth)
        found = [one.build_number for one in repository.pipelines.each(sort="created_on")]
        assert found == [one.build_number for one in truth.pipelines]
        steps = [step.uuid for step in next(repository.pipelines.each()).steps()]
        assert steps == [step.uuid for step in truth.pipelines[0].steps]


def _pull_requests(repository: object, truth: object) -> None:
    pulls = repository.pullrequests  # type: ignore[attr-defined]
    merged = list(pulls.each(q='state="MERGED"'))
    expected = [one for one in truth.pull_requests.values() if one.state == "MERGED"]  # type: ignore[attr-defined]
    assert {one.id for one in merged} == {one.id for one in expected}
    first = pulls.get(1)
    assert first.title == truth.pull_requests[1].title  # type: ignore[attr-defined]
    comments = list(first.comments())
    published = [one for one in truth.pull_requests[1].comments if not one.pending]  # type: ignore[attr-defined]
    assert {one.raw for one in comments} >= {one.raw for one in published}
    assert [one.lines_added for one in first.diffstat()]
    assert [one.hash for one in first.commits] == truth.pull_requests[1].commits  # type: ignore[attr-defined]
