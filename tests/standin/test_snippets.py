"""Snippets, their comments and their commits."""

from __future__ import annotations

from tap_bitbucket.demo import World
from tests.standin.client import Client

S = "/snippets/acme"


def test_ids_are_words(world: World, api: Client) -> None:
    """A snippet's id is text; it changes neither with the title nor with the files."""
    ann = world.user("Ann")
    made = world.add_snippet("acme", "Notes", ann, files=["a.txt"])
    before = api.get(S).values[0]
    assert isinstance(before["id"], str)
    assert not before["id"].isdigit()
    world.rename_snippet(made, "More notes")
    world.push_snippet(made, "Write more", ann)
    row = api.get(S).values[0]
    assert (row["id"], row["title"]) == (before["id"], "More notes")
    assert row["updated_on"] > before["updated_on"]
    assert row["created_on"] == before["created_on"]


def test_files_are_shown_by_itself_only(world: World, api: Client) -> None:
    """The list leaves the files out."""
    made = world.add_snippet("acme", "Notes", world.user("Ann"), files=["a.txt", "b.txt"])
    assert "files" not in api.get(S).values[0]
    assert list(api.get(f"{S}/{made.id}").json["files"]) == ["a.txt", "b.txt"]


def test_role(world: World, api: Client) -> None:
    """`role` knows three words."""
    world.add_snippet("acme", "Mine", world.user("Ann"))
    world.add_snippet("acme", "Bob's", world.add_user("Bob"))
    assert [row["title"] for row in api.get(S, role="owner").values] == ["Mine"]
    assert len(api.get(S, role="member").values) == 2
    assert api.get(S, role="admin").status == 400


def test_no_query(api: Client) -> None:
    """Snippets can be neither filtered nor sorted."""
    assert api.get(S, q='title="x"').status == 400
    assert api.get(S, sort="-updated_on").status == 400


def test_deleted(world: World, api: Client) -> None:
    """A deleted snippet is not listed any more and answers 410; one that never was, 404."""
    made = world.add_snippet("acme", "Notes", world.user("Ann"))
    world.delete_snippet(made)
    assert api.get(S).values == []
    for path in (f"{S}/{made.id}", f"{S}/{made.id}/comments", f"{S}/{made.id}/commits"):
        assert api.get(path).status == 410
    assert api.get(f"{S}/nothing").status == 404


def test_comments(world: World, api: Client) -> None:
    """Comments are listed with answers and deleted ones; whether they touch is a choice."""
    ann = world.user("Ann")
    made = world.add_snippet("acme", "Notes", ann)
    before = api.get(S).values[0]["updated_on"]
    quiet = world.comment_on_snippet(made, ann, "First", touch=False)
    assert api.get(S).values[0]["updated_on"] == before
    answer = world.comment_on_snippet(made, ann, "Second", parent=quiet)
    assert api.get(S).values[0]["updated_on"] > before
    world.edit_snippet_comment(quiet, "First!")
    world.delete_snippet_comment(answer)
    one, two = api.get(f"{S}/{made.id}/comments").values
    assert one["content"]["raw"] == "First!"
    assert (two["deleted"], two["parent"]["id"]) == (True, quiet.id)
    assert one["snippet"]["id"] == made.id
    assert api.get(f"{S}/{made.id}/comments/{quiet.id}").json == one


def test_commits(world: World, api: Client) -> None:
    """Commits come newest first, by opaque pages, and name no repository."""
    ann = world.user("Ann")
    made = world.add_snippet("acme", "Notes", ann)
    for number in range(3):
        world.push_snippet(made, f"Change {number}", ann)
    rows = api.all(f"{S}/{made.id}/commits", pagelen=2)
    assert [row["summary"]["raw"] for row in rows] == [
        "Change 2\n", "Change 1\n", "Change 0\n", "Add Notes\n",
    ]  # fmt: skip
    assert "size" not in api.get(f"{S}/{made.id}/commits").json
    assert "repository" not in rows[0]
    assert rows[0]["parents"][0]["hash"] == rows[1]["hash"]
    assert api.get(f"{S}/{made.id}/commits/{rows[0]['hash']}").json == rows[0]


def test_example(read: Client) -> None:
    """The example has snippets without a creator and without a title."""
    rows = read.get("/snippets/halley-labs").values
    assert {row["creator"] is None for row in rows} == {True, False}
    assert {row["title"] == "" for row in rows} == {True, False}
    assert {row["is_private"] for row in rows} == {True, False}
