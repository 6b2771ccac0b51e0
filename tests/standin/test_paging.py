"""The ways of paging, and the ways in which the pipelines service breaks its `next`."""

from __future__ import annotations

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import CONTROL, REPOS, Client

ROCKET = "/repositories/acme/rocket"


def test_numbered(read: Client) -> None:
    """A core list tells `page` and `size`, and has no `next` on its last page."""
    first = read.get(REPOS, pagelen=4).json
    assert (first["page"], first["size"]) == (1, 7)
    last = read.get(first["next"]).json
    assert (last["page"], len(last["values"])) == (2, 3)
    assert "next" not in last


def test_next_keeps_parameters(read: Client) -> None:
    """`next` carries all parameters of a core list."""
    link = read.get(REPOS, pagelen=2, sort="-name", fields="next,values.slug").json["next"]
    assert "sort=-name" in link
    assert "fields=next" in link


def test_uuid_form_is_kept(read: Client, shared: BitbucketServer) -> None:
    """A workspace addressed by uuid stays so in `next`."""
    uuid = shared.world.workspace("halley-labs").uuid.replace("{", "%7B").replace("}", "%7D")
    assert f"/repositories/{uuid}?" in read.get(f"/repositories/{uuid}", pagelen=2).json["next"]


def test_beyond_the_end(read: Client) -> None:
    """A page beyond the last one is empty."""
    answer = read.get(REPOS, page=9)
    assert answer.status == 200
    assert answer.values == []


@pytest.mark.parametrize("path", ["/refs/tags", "/commits", "/pullrequests/1/commits"])
def test_no_size(read: Client, path: str) -> None:
    """Tags and commits come without `size`."""
    assert "size" not in read.get(CONTROL + path, pagelen=2).json


def test_commits_use_a_context(read: Client) -> None:
    """Commits page by `ctx`, and a page with a `next` has no `page`."""
    first = read.get(f"{CONTROL}/commits", pagelen=3).json
    assert "ctx=" in first["next"]
    assert "page" not in first


def test_tokens(read: Client) -> None:
    """The commits of a pull request page by tokens: a number is refused."""
    paged = f"{CONTROL}/pullrequests/3/commits"
    link = read.get(paged, pagelen=1).json["next"]
    token = link.partition("page=")[2].partition("&")[0]
    assert not token.isdigit()
    assert read.get(link).status == 200
    assert read.get(paged, pagelen=1, page=2).status == 400


def test_pages_are_stable(world: World, api: Client) -> None:
    """What is pushed meanwhile does not shift the pages of commits."""
    world.push("acme/rocket", "main", 5)
    first = api.get(f"{ROCKET}/commits", pagelen=3)
    world.push("acme/rocket", "main", 2)
    rest = api.get(first.json["next"]).values
    seen = [row["hash"] for row in first.values + rest]
    assert len(set(seen)) == 6


def test_steps_are_one_page(read: Client) -> None:
    """Steps come on one page, whatever `pagelen` says."""
    page = read.get(f"{CONTROL}/pipelines/1/steps/", pagelen=1).json
    assert len(page["values"]) == page["size"] == 3


def _pipelines(world: World, count: int) -> None:
    for _ in range(count):
        world.finish_pipeline(world.start_pipeline("acme/rocket"))


def test_pipelines_next_drops_sort(world: World, api: Client) -> None:
    """The next of a sorted pipelines list is unsorted: oldest first."""
    _pipelines(world, 5)
    page = api.get(f"{ROCKET}/pipelines/", sort="-created_on", pagelen=2).json
    assert [row["build_number"] for row in page["values"]] == [5, 4]
    assert "sort" not in page["next"]
    assert [row["build_number"] for row in api.get(page["next"]).values] == [3, 4]


@pytest.mark.parametrize("defect", ["none", "missing", "internal", "always"])
def test_defects(server: BitbucketServer, world: World, api: Client, defect: str) -> None:
    """Each defect of `next` can be chosen per list."""
    _pipelines(world, 3)
    server.next_defect["pipelines"] = defect
    first = api.get(f"{ROCKET}/pipelines/", pagelen=2).json
    second = api.get(f"{ROCKET}/pipelines/", pagelen=2, page=2).json
    assert first["size"] == 3
    assert ("next" in first) == (defect != "missing")
    assert ("next" in second) == (defect == "always")
    if defect == "internal":
        assert "/rest/1.0/accounts/" in first["next"]
        assert api.get(first["next"]).status == 401
        assert len(server.tokens_seen_elsewhere) == 1


def test_default_defects(world: World, api: Client) -> None:
    """Deployments lead inside, environments have no `next`, variables always have one."""
    repo = world.repository("acme/rocket")
    for number in range(3):
        world.add_variable(repo, f"V{number}", "x")
        world.deploy(repo, world.add_environment(repo, f"E{number}"))
    assert "/rest/" in api.get(f"{ROCKET}/deployments/", pagelen=2).json["next"]
    assert "next" not in api.get(f"{ROCKET}/environments/", pagelen=2).json
    assert "next" in api.get(f"{ROCKET}/pipelines_config/variables/", pagelen=9).json


def test_links_carry_the_host_called(shared: BitbucketServer, read: Client) -> None:
    """`next` has the host that was called."""
    answer = read.ask("GET", f"{REPOS}?pagelen=2", headers={"Host": f"localhost:{shared.port}"})
    assert answer.json["next"].startswith(f"http://localhost:{shared.port}/2.0/")
