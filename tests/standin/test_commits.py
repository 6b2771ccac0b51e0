"""Walking commits: include, exclude, names, POST, and what is not there any more."""

from __future__ import annotations

from datetime import datetime, timezone

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import CONTROL, REPOS, Client

COMMITS = "/repositories/acme/rocket/commits"


def _hashes(rows: list[dict[str, str]]) -> list[str]:
    return [row["hash"] for row in rows]


def test_all_refs_newest_first(world: World, api: Client) -> None:
    """Without `include` all refs are walked, whatever the authors' dates say."""
    old = world.push("acme/rocket", "main", 2)
    odd = world.push("acme/rocket", "dev", date=datetime(1999, 1, 1, tzinfo=timezone.utc))
    rows = api.get(COMMITS).values
    assert _hashes(rows)[:3] == [odd[0], old[1], old[0]]
    assert rows[0]["date"] == "1999-01-01T00:00:00+00:00"


def test_include_and_exclude(world: World, api: Client) -> None:
    """`include` and `exclude` may be repeated and take hashes, branches and tags."""
    first = world.push("acme/rocket", "main", 2)
    world.add_tag("acme/rocket", "v1")
    dev = world.push("acme/rocket", "dev", 2)
    more = world.push("acme/rocket", "main", 1)
    assert _hashes(api.get(COMMITS, include="dev", exclude=first[1]).values) == dev[::-1]
    assert _hashes(api.get(COMMITS, include=["dev", "main"], exclude="v1").values) == [
        *more, *dev[::-1],
    ]  # fmt: skip
    assert _hashes(api.get(f"{COMMITS}/dev", exclude="main").values) == dev[::-1]
    assert api.get(COMMITS, include="main", exclude="main").values == []


def test_unknown_hashes(api: Client) -> None:
    """Unknown commits answer 404 and are all named."""
    names = ["a" * 40, "b" * 40]
    answer = api.get(COMMITS, include=["main", names[0]], exclude=names[1])
    assert answer.status == 404
    assert answer.message == "Commit not found"
    assert answer.json["error"]["data"]["shas"] == names


def test_force_push(world: World, api: Client) -> None:
    """What a force push left behind is unknown afterwards."""
    lost = world.push("acme/rocket", "main", 2)
    world.force_push("acme/rocket", "main", back=1)
    answer = api.ask("POST", COMMITS, form=[("include", "main"), ("exclude", lost[1])])
    assert answer.json["error"]["data"]["shas"] == [lost[1]]
    assert lost[0] in _hashes(api.get(COMMITS).values)


def test_short_hashes_after_a_force_push(world: World, api: Client) -> None:
    """As many commits as before, but others: their twelve characters lead to them."""
    lost = world.push("acme/rocket", "main", 1)[0]
    assert api.get(f"/repositories/acme/rocket/commit/{lost[:12]}").status == 200
    made = world.force_push("acme/rocket", "main", back=1)[0]
    assert api.get(f"/repositories/acme/rocket/commit/{made[:12]}").json["hash"] == made
    assert api.get(f"/repositories/acme/rocket/commit/{lost[:12]}").status == 404


def test_post_pages_need_the_body(world: World, api: Client) -> None:
    """The next page of a POST must be POSTed with the body: GET walks all refs instead."""
    base = world.push("acme/rocket", "main", 3)
    dev = world.push("acme/rocket", "dev", 4)
    body = [("include", "dev"), ("exclude", base[2])]
    first = api.ask("POST", f"{COMMITS}?pagelen=2", form=body)
    assert _hashes(first.values) == dev[:1:-1]
    assert "include" not in first.json["next"]
    second = api.ask("POST", first.json["next"], form=body)
    assert _hashes(second.values) == dev[1::-1]
    assert "next" not in second.json
    wrong = api.get(first.json["next"])
    assert "next" in wrong.json


def test_get_pages_keep_the_parameters(world: World, api: Client) -> None:
    """The next page of a GET keeps include and exclude."""
    base = world.push("acme/rocket", "main", 3)
    dev = world.push("acme/rocket", "dev", 5)
    rows = api.all(COMMITS, include="dev", exclude=base[2], pagelen=2)
    assert _hashes(rows) == dev[::-1]


def test_empty_repository(server: BitbucketServer, world: World, api: Client) -> None:
    """An empty repository has an empty list, or 404, as the switch says."""
    world.add_repository("acme", "void", empty=True)
    assert api.get("/repositories/acme/void/commits").values == []
    server.empty_repository = "404"
    assert api.get("/repositories/acme/void/commits").status == 404


def test_author_without_account(world: World, api: Client) -> None:
    """An e-mail that maps to no account leaves `author.user` absent."""
    world.push("acme/rocket", "main", author="Nobody <n@example.com>")
    author = api.get(COMMITS).values[0]["author"]
    assert author == {"type": "author", "raw": "Nobody <n@example.com>"}


def test_path(world: World, api: Client) -> None:
    """`path` keeps the commits that touched it."""
    world.push("acme/rocket", "main", 6)
    rows = api.get(COMMITS, path="no/such/file").values
    assert rows == []


def test_merge_commit_comes_first(read: Client) -> None:
    """The commits of a merged pull request begin with the merge commit."""
    one = read.get(f"{CONTROL}/pullrequests", state="MERGED").values[0]
    first = read.get(f"{CONTROL}/pullrequests/{one['id']}/commits").values[0]
    assert first["hash"].startswith(one["merge_commit"]["hash"])
    assert len(first["parents"]) == 2


def test_tags(read: Client) -> None:
    """A lightweight tag has no message, date or tagger; a branch name may hold a slash."""
    tags = {row["name"]: row for row in read.get(f"{CONTROL}/refs/tags").values}
    assert [tags["nightly"][key] for key in ("message", "date", "tagger")] == [None] * 3
    assert tags["v1.0.0"]["tagger"]["raw"]
    name = next(row["name"] for row in read.get(f"{CONTROL}/refs/branches").values
                if "/" in row["name"])  # fmt: skip
    assert read.get(f"{CONTROL}/refs/branches/{name}").json["name"] == name


def test_diffstat(read: Client) -> None:
    """Added files have no `old`, removed ones no `new`."""
    seen = set()
    for commit in read.all(f"{CONTROL}/commits"):
        for row in read.get(f"{CONTROL}/diffstat/{commit['hash']}").values:
            seen.add(row["status"])
            assert (row["old"] is None) == (row["status"] == "added")
            assert (row["new"] is None) == (row["status"] == "removed")
    assert seen == {"added", "removed", "modified", "renamed"}


def test_source(read: Client) -> None:
    """`src` sends to the head; directories have no size, files have a list of attributes."""
    answer = read.get(f"{CONTROL}/src")
    assert answer.status == 302
    rows = read.all(answer.headers["location"])
    kinds = {row["type"]: row for row in rows}
    assert "size" not in kinds["commit_directory"]
    assert kinds["commit_file"]["attributes"] == []
    missing = read.get(f"{answer.headers['location']}nothing/here")
    assert missing.message.startswith("No such file or directory")


def test_statuses_and_comments(world: World, api: Client) -> None:
    """Statuses are posted by key; comments hang on one commit."""
    (made,) = world.push("acme/rocket", "main")
    world.add_status("acme/rocket", made, "ci", "INPROGRESS")
    world.add_status("acme/rocket", made, "ci", "FAILED")
    world.comment_on_commit("acme/rocket", made, world.user("Ann"), "Hm")
    place = f"/repositories/acme/rocket/commit/{made}"
    assert [row["state"] for row in api.get(f"{place}/statuses").values] == ["FAILED"]
    assert [row["content"]["raw"] for row in api.get(f"{place}/comments").values] == ["Hm"]


def test_fork(read: Client) -> None:
    """A fork knows its parent, and is listed by it."""
    rows = read.get(f"{REPOS}/image-pipeline/forks").values
    assert [row["parent"]["full_name"] for row in rows] == ["halley-labs/image-pipeline"]
