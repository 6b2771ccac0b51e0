"""Files: directories, histories, downloads and diffstats."""

from __future__ import annotations

import pytest

from tap_bitbucket.demo import World
from tap_bitbucket.demo.model import FileChange
from tests.standin.client import CONTROL, REPOS, Client

R = "/repositories/acme/rocket"


def test_redirect_to_the_head(world: World, api: Client) -> None:
    """`src` sends to the head of the main branch, and the parameters go along."""
    answer = api.get(f"{R}/src", format="meta", pagelen=5)
    head = world.repository("acme/rocket").branches["main"]
    assert answer.status == 302
    assert answer.headers["location"].endswith(f"{R}/src/{head}/?format=meta&pagelen=5")
    assert api.get(answer.headers["location"]).status == 200


def test_empty_repository(read: Client) -> None:
    """An empty repository has no source."""
    assert read.get(f"{REPOS}/sandbox/src").status == 404


def test_attributes_are_a_list(read: Client) -> None:
    """Each of the attributes is there, as a list; directories have neither these nor a size."""
    rows = read.all(f"{CONTROL}/src/main/", max_depth=10, pagelen=100)
    files = [row for row in rows if row["type"] == "commit_file"]
    found = {name for row in files for name in row["attributes"]}
    assert found == {"binary", "lfs", "executable", "link", "subrepository"}
    assert {row["mimetype"] for row in files} >= {None, "image/png"}
    for row in rows:
        if row["type"] == "commit_directory":
            assert not {"attributes", "size", "mimetype"} & set(row)


def test_depth(world: World, api: Client) -> None:
    """`max_depth` says how deep a listing goes: one level by itself."""
    world.add_file("acme/rocket", "x/y/z.txt")
    for depth, deepest in ((None, "x"), (1, "x"), (2, "x/y"), (3, "x/y/z.txt"), (9, "x/y/z.txt")):
        rows = api.get(f"{R}/src/main/", max_depth=depth, pagelen=100).values
        assert max((row["path"] for row in rows if row["path"][0] == "x"), key=len) == deepest
    assert api.get(f"{R}/src/main/", max_depth=0).status == 400
    assert api.get(f"{R}/src/main/", max_depth="all").status == 400


def test_format(world: World, api: Client) -> None:
    """A file is text, or with format=meta its entry; other formats answer 400."""
    world.add_file("acme/rocket", "logo.png", 5, attributes=["binary"])
    assert api.get(f"{R}/src/main/logo.png").headers["content-type"].startswith("text/plain")
    row = api.get(f"{R}/src/main/logo.png", format="meta").json
    assert (row["size"], row["attributes"]) == (5, ["binary"])
    assert {"self", "meta", "history"} == set(row["links"])
    assert api.get(f"{R}/src/main/logo.png", format="raw").status == 400
    world.delete_file("acme/rocket", "logo.png")
    assert api.get(f"{R}/src/main/logo.png").message == "No such file or directory: logo.png"


def test_filter_of_files(world: World, api: Client) -> None:
    """Files can be filtered and sorted by size, which directories do not have."""
    world.add_file("acme/rocket", "big", 9_000)
    world.add_file("acme/rocket", "a/huge", 90_000)
    rows = api.get(f"{R}/src/main/", q="size > 1000", max_depth=5, sort="-size").values
    assert [row["path"] for row in rows] == ["a/huge", "big"]


def test_file_history(world: World, api: Client) -> None:
    """A file's history goes back through its renames, unless that is switched off."""
    for change in (
        FileChange("old.py", "added", 5, 0),
        FileChange("new.py", "renamed", 0, 0, "old.py"),
        FileChange("new.py", "modified", 1, 1),
    ):
        world.push("acme/rocket", "main", files=[change])
    path = f"{R}/filehistory/main/new.py"
    rows = api.all(path, pagelen=1)
    assert [row["path"] for row in rows] == ["new.py", "new.py", "old.py"]
    assert "date" not in rows[0]["commit"]
    assert len(api.get(path, renames="false").values) == 2
    dated = api.get(path, fields="values.commit.date,values.path").values
    assert all(set(row["commit"]) == {"date"} for row in dated)
    told = [row for row in world.rows("file_history") if row in rows]
    assert len(told) == 3
    assert api.get(f"{R}/filehistory/main/never.py").status == 404


def test_file_history_cannot_be_filtered_by_date(api: Client) -> None:
    """`commit.date` does not filter (BCLOUD-22361)."""
    path = f"{R}/filehistory/main/README.md"
    assert api.get(path, q='path="README.md"').status == 200
    answer = api.get(path, q="commit.date > 2026-01-01")
    assert (answer.status, "does not support filtering" in answer.message) == (400, True)


def test_downloads(world: World, api: Client) -> None:
    """A file of the same name replaces the one before; fetching goes to another host."""
    ann = world.user("Ann")
    world.add_download("acme/rocket", "a b.zip", 10, ann)
    made = world.add_download("acme/rocket", "a b.zip", 20)
    world.count_download(made, 3)
    (row,) = api.get(f"{R}/downloads").values
    assert (row["size"], row["downloads"], row["user"]) == (20, 3, None)
    answer = api.get(f"{R}/downloads/a%20b.zip")
    assert answer.status == 302
    assert answer.headers["location"].startswith("https://storage.example.net/")
    world.delete_download("acme/rocket", made)
    assert api.get(f"{R}/downloads").values == []


@pytest.mark.parametrize("number", [1, 2])
def test_diffstat_of_a_pull_request(read: Client, number: int) -> None:
    """A pull request's diffstat is the repository's, after a redirect that keeps `pagelen`."""
    answer = read.get(f"{CONTROL}/pullrequests/{number}/diffstat", pagelen=5000)
    assert answer.status == 302
    page = read.get(answer.headers["location"]).json
    assert page["pagelen"] == 5000
    assert page["values"]


def test_diffstat_sides(read: Client) -> None:
    """What was added has no `old`, what was removed no `new`."""
    rows = read.server.world.rows("commit_diffstat")
    assert {row["status"] for row in rows} == {"added", "removed", "modified", "renamed"}
    for row in rows:
        assert (row["old"] is None) == (row["status"] == "added")
        assert (row["new"] is None) == (row["status"] == "removed")


def test_forks(world: World, api: Client) -> None:
    """Forks are listed wherever they are, but the workspace lists only its own."""
    world.add_repository("acme", "rocket-two", fork_of="acme/rocket")
    world.add_fork_elsewhere("acme/rocket", world.add_user("Nora"))
    rows = api.get(f"{R}/forks").values
    assert [row["workspace"]["slug"] for row in rows] == ["acme", "nora-forks"]
    assert all(row["parent"]["full_name"] == "acme/rocket" for row in rows)
    assert len(api.get("/repositories/acme").values) == 2
