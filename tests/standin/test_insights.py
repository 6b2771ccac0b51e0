"""What machines say about commits."""

from __future__ import annotations

from urllib.parse import quote

from tap_bitbucket.demo import World
from tests.standin.client import Client

R = "/repositories/acme/rocket"


def test_reports(world: World, api: Client) -> None:
    """A report is found by its uuid and by its sender's id; sent again it is replaced."""
    head = world.repository("acme/rocket").branches["main"]
    assert api.get(f"{R}/commit/{head}/reports").values == []
    first = world.add_report("acme/rocket", head, "scan", "Scan", "SECURITY", result="PENDING")
    world.annotate(first, "Careful", severity="HIGH")
    again = world.add_report("acme/rocket", head, "scan", "Scan", "SECURITY", result="PASSED")
    (row,) = api.get(f"{R}/commit/{head}/reports").values
    assert (row["uuid"], row["result"]) == (first.uuid, "PASSED")
    assert row["updated_on"] >= row["created_on"]
    for name in (quote(first.uuid), "scan"):
        assert api.get(f"{R}/commit/{head}/reports/{name}").json == row
    assert api.get(f"{R}/commit/{head}/reports/scan/annotations").values == []
    world.delete_report("acme/rocket", again)
    assert api.get(f"{R}/commit/{head}/reports/scan").status == 404


def test_report_of_an_unknown_commit(api: Client) -> None:
    """A commit that is gone answers 404."""
    assert api.get(f"{R}/commit/{'0' * 40}/reports").message == "Commit not found"


def test_annotations(world: World, api: Client) -> None:
    """At most a thousand findings are listed; what its sender left out is absent."""
    head = world.repository("acme/rocket").branches["main"]
    report = world.add_report("acme/rocket", head, "lint", "Lint")
    for number in range(1001):
        world.annotate(report, f"Finding {number}")
    path = f"{R}/commit/{head}/reports/lint/annotations"
    page = api.get(path, pagelen=100).json
    assert page["size"] == 1000
    row = page["values"][0]
    assert not {"path", "line", "severity", "result", "details", "link"} & set(row)
    assert api.get(f"{path}/{row['external_id']}").json == row
    world.delete_annotation(report, report.annotations[0])
    assert api.get(f"{path}/{row['external_id']}").status == 404


def test_values_of_every_type(read: Client) -> None:
    """The values of a report's data are numbers, flags, texts, objects and null."""
    rows = read.server.world.rows("commit_reports")
    values = [entry["value"] for row in rows for entry in row["data"]]
    assert {type(value) for value in values} == {float, int, bool, str, dict, type(None)}
    assert any("type" not in entry for row in rows for entry in row["data"])
    assert {row["report_type"] for row in rows} == {"SECURITY", "COVERAGE", "TEST", "BUG"}
    assert {row.get("result") for row in rows} == {"PASSED", "FAILED", "PENDING", None}
    assert all(row["created_on"].endswith("Z") for row in rows)


def test_one_status(world: World, api: Client) -> None:
    """A build status is found by its key; posted again it is updated, and can be deleted."""
    head = world.repository("acme/rocket").branches["main"]
    world.add_status("acme/rocket", head, "build", "INPROGRESS")
    world.add_status("acme/rocket", head, "build", "FAILED")
    row = api.get(f"{R}/commit/{head}/statuses/build/build").json
    assert row["state"] == "FAILED"
    assert row["updated_on"] > row["created_on"]
    world.delete_status("acme/rocket", head, "build")
    assert api.get(f"{R}/commit/{head}/statuses/build/build").status == 404
    assert api.get(f"{R}/commit/{head}/statuses").values == []


def test_states_of_statuses(read: Client) -> None:
    """The example has builds in every state, with and without a ref."""
    rows = read.server.world.rows("commit_statuses")
    assert {row["state"] for row in rows} == {"FAILED", "INPROGRESS", "STOPPED", "SUCCESSFUL"}
    assert {row["refname"] is None for row in rows} == {True, False}


def test_commit_comments(world: World, api: Client) -> None:
    """Comments on commits can be inline, answers, edited, and deleted but still listed."""
    ann, head = world.user("Ann"), world.repository("acme/rocket").branches["main"]
    first = world.comment_on_commit("acme/rocket", head, ann, "Why?", inline={"path": "a", "to": 3})
    answer = world.comment_on_commit("acme/rocket", head, ann, "Because.", parent=first)
    one, two = api.get(f"{R}/commit/{head}/comments").values
    assert one["inline"] == {"path": "a", "from": None, "to": 3}
    assert "parent" not in one
    assert two["parent"]["id"] == first.id
    assert "inline" not in two
    world.edit_comment(first, "Why not?")
    world.delete_comment(answer)
    one, two = api.get(f"{R}/commit/{head}/comments").values
    assert one["updated_on"] > one["created_on"]
    assert (two["deleted"], two["content"]["raw"]) == (True, "")
    assert api.get(f"{R}/commit/{head}/comments/{first.id}").json == one
