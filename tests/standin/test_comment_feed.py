"""What activity shows of comments, and what is counted, is not documented: switches choose."""

from __future__ import annotations

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.model import PullRequest, User
from tests.standin.client import Client

PULLS = "/repositories/acme/rocket/pullrequests"
FEEDS = (f"{PULLS}/activity", f"{PULLS}/1/activity")


def _talk(world: World, *texts: str) -> tuple[PullRequest, User]:
    """Open a pull request and comment on it."""
    ann = world.user("Ann")
    made = world.open_pull_request("acme/rocket", author=ann)
    for text in texts:
        world.comment(made, ann, text)
    return made, ann


def _said(api: Client, feed: str, pagelen: int = 50) -> list[str]:
    """Return what the comments of a feed say, newest first."""
    rows = api.all(feed, pagelen=pagelen)
    return [row["comment"]["content"]["raw"] for row in rows if "comment" in row]


@pytest.mark.parametrize("feed", FEEDS)
def test_deleted_comments(world: World, server: BitbucketServer, api: Client, feed: str) -> None:
    """A deleted comment is in the activity, empty and marked, or is not in it at all."""
    made, _ = _talk(world, "one", "two", "three")
    world.delete_comment(made.comments[1])
    shown = [row["comment"] for row in api.get(feed).values if "comment" in row]
    assert [row["deleted"] for row in shown] == [False, True, False]
    assert _said(api, feed) == ["three", "", "one"]
    server.feed_deleted = "hidden"
    assert _said(api, feed) == ["three", "one"]


def test_hiding_does_not_shift_pages(world: World, server: BitbucketServer, api: Client) -> None:
    """What is deleted while somebody leafs through the activity makes nobody miss another entry."""
    made, _ = _talk(world, "one", "two", "three", "four")
    server.feed_deleted = "hidden"
    first = api.get(FEEDS[0], pagelen=2)
    world.delete_comment(made.comments[3])
    second = api.get(first.json["next"])
    texts = [row["comment"]["content"]["raw"] for row in (*first.values, *second.values)]
    assert texts == ["four", "three", "two", "one"]
    assert _said(api, FEEDS[0], pagelen=2) == ["three", "two", "one"]


@pytest.mark.parametrize("feed", FEEDS)
def test_comments_as_they_were(
    world: World, server: BitbucketServer, api: Client, feed: str
) -> None:
    """A comment is shown as it is now, or as it was published: text, date and no resolution."""
    made, ann = _talk(world, "first")
    draft = world.comment(made, ann, "draft", pending=True)
    world.edit_comment(draft, "better draft")
    world.publish(draft)
    for comment in made.comments:
        world.edit_comment(comment, "last")
        world.resolve_comment(comment, ann)
    assert _said(api, feed) == ["last", "last"]
    assert all("resolution" in row["comment"] for row in api.get(feed).values[:2])
    server.feed_comments = "first"
    assert _said(api, feed) == ["better draft", "first"]
    new, old = (row["comment"] for row in api.get(feed).values[:2])
    assert old["updated_on"] == old["created_on"]
    assert new["updated_on"] > new["created_on"]
    assert not {"resolution"} & (set(new) | set(old))
    alone = api.get(f"{PULLS}/1/comments").values
    assert {row["content"]["raw"] for row in alone} == {"last"}
    world.delete_comment(made.comments[0])
    assert _said(api, feed) == ["better draft", ""]


def test_counting_deleted_comments(world: World, server: BitbucketServer, api: Client) -> None:
    """The number of comments counts deleted ones or not, and drafts never."""
    made, ann = _talk(world, "one", "two", "three")
    world.comment(made, ann, "draft", pending=True)
    world.delete_comment(made.comments[0])
    for switch, count in ((False, 2), (True, 3)):
        server.count_deleted = switch
        assert api.get(f"{PULLS}/1").json["comment_count"] == count
        assert api.get(PULLS).values[0]["comment_count"] == count
        assert world.rows("pull_requests")[0]["comment_count"] == count
