"""Comments come from the repository's activity where it is whole, and are those of the lists."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault, World
from tap_bitbucket.demo.example.large import large_world
from tap_bitbucket.demo.model import Comment, PullRequest
from tests.chains import Chain, stopped
from tests.story import Story, open_request, settled, story_of
from tests.support import Run, api_token_config, merge, run_here, select, select_all
from tests.truth import Key, content, missing, truth

COMMENTS, ACTIVITY = "pull_request_comments", "pull_request_activity"
ASKED_FIRST = 12
"""So many pull requests are asked singly before the activity is trusted."""

SWITCHES = [
    dict(
        zip(("feed_deleted", "feed_comments", "count_deleted", "activity_depth"), one, strict=True)
    )
    for one in itertools.product(("shown", "hidden"), ("live", "first"), (False, True), (None, 25))
]


def called(switches: dict[str, Any]) -> str:
    """Return a name for the switches."""
    return "-".join(map(str, switches.values()))


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, of comments alone and with all that they have."""
    with story_of(select_all(catalog, COMMENTS), monkeypatch) as told:
        yield told


def turn(server: BitbucketServer, switches: dict[str, Any]) -> None:
    """Turn the switches of a stand-in."""
    for name, value in switches.items():
        setattr(server, name, value)


@dataclass
class Talk:
    """People who discuss pull requests in all the ways there are."""

    story: Story
    random: Random
    comments: list[Comment] = field(default_factory=list)

    @property
    def requests(self) -> list[PullRequest]:
        """Return all pull requests."""
        found = [self.story.api.pull_requests, self.story.web.pull_requests]
        return [one for requests in found for one in requests.values()]

    def open(self, count: int) -> None:
        """Open pull requests with a few comments each, and close some."""
        world, random = self.story.world, self.random
        for _ in range(count):
            request = open_request(self.story, random.choice((self.story.api, self.story.web)))
            for _ in range(random.choice((0, 1, 2, 5))):
                self.say(request)
            if random.random() < 0.4:
                world.merge(request, self.story.who("bob"))
            elif random.random() < 0.2:
                world.decline(request, self.story.who("bob"), "No.")
            self.story.clock.later(minutes=random.choice((0, 20)))

    def say(self, request: PullRequest) -> Comment:
        """Comment: in general or on a line, as an answer or not, as a draft or for all."""
        random, world = self.random, self.story.world
        below = [one for one in self.comments if one.pull_request is request and not one.pending]
        more: dict[str, Any] = {}
        if random.random() < 0.3:
            more["inline"] = {"path": "src/app.py", "to": random.randint(1, 99)}
        if below and random.random() < 0.4:
            more["parent"] = random.choice(below)
        who = self.story.who(random.choice(("ann", "bob", "cem")))
        pending = random.random() < 0.15
        made = world.comment(request, who, f"Text {random.random()}", pending=pending, **more)
        self.comments.append(made)
        return made

    def change(self) -> None:
        """Let one thing happen to something that was said."""
        random, world = self.random, self.story.world
        if not self.comments or random.random() < 0.2:
            self.say(random.choice(self.requests))
            return
        comment = random.choice(self.comments)
        if comment.pending:
            if random.random() < 0.5:
                world.publish(comment)
            return
        how = random.randrange(4)
        if how == 0:
            world.delete_comment(comment)
        elif how == 1:
            world.resolve_comment(comment, self.story.who("cem"))
        elif how == 2:
            world.reopen_comment(comment)
        elif not comment.deleted:
            world.edit_comment(comment, f"Changed {random.random()}")

    def go_on(self, changes: int, *, minutes: tuple[float, ...] = (0, 1, 9)) -> None:
        """Let several things happen, in some minutes."""
        for _ in range(changes):
            self.change()
            self.story.clock.later(minutes=self.random.choice(minutes))


def unseen(world: World) -> set[Key]:
    """Return the comments that need not be read: of what counts no comment, all are deleted.

    It is asked for only if it was known before, when it may have counted some.
    """
    return {
        (repo.uuid, request.id, comment.id)
        for repo in world.repositories()
        for request in repo.pull_requests.values()
        if not request.comment_count
        for comment in request.comments
        if comment.deleted
    }


def wrong(story: Story) -> list[str]:
    """Return how the comments loaded differ from those of a list per pull request."""
    expected, held = truth(story.world, COMMENTS), story.target[COMMENTS]
    gone = unseen(story.world)
    found = [f"{key} is missing" for key in expected.keys() - held.keys() - gone]
    found += [f"{key} should not be there" for key in held.keys() - expected.keys()]
    for key in expected.keys() & held.keys():
        shown, whole = (
            settled(row, COMMENTS) for row in (content(held[key], COMMENTS), expected[key])
        )
        shown.pop("links", None), whole.pop("links", None)
        found += [f"{key}{what}" for what in missing(shown, whole)]
        found += [f"{key}{what} (left out)" for what in missing(whole, shown)]
    return found


def asked_singly(story: Story) -> list[str]:
    """Return the lists of comments that the last run asked for."""
    return story.asked(r"/pullrequests/\d+/comments")


@pytest.mark.parametrize("switches", SWITCHES, ids=called)
def test_however_the_feed_behaves(story: Story, switches: dict[str, Any]) -> None:
    """Whatever activity shows and whatever is counted, three runs end with all comments."""
    turn(story.server, switches)
    talk = Talk(story, Random(20261121))
    talk.open(30)
    talk.go_on(60)
    story.clock.later(days=1)
    for workers in (1, 8, 3):
        story.sync(COMMENTS, concurrency=workers)
        assert wrong(story) == []
        talk.open(3)
        talk.go_on(12)
        story.clock.later(minutes=20)


@pytest.mark.parametrize("seed", range(10))
def test_a_world_that_moves_meanwhile(story: Story, seed: int) -> None:
    """What is said, edited and deleted while a run reads is there after the next one."""
    random = Random(seed)
    turn(story.server, random.choice(SWITCHES))
    talk = Talk(story, random)
    talk.open(25)
    talk.go_on(40)
    story.clock.later(hours=random.choice((1, 50)))
    for _ in range(4):
        story.server.faults.clear()
        for place in (r"/pullrequests/activity", r"/comments", r"/pullrequests\?"):
            after = random.randint(0, 4)

            def happen(count: int = random.randint(1, 4)) -> None:
                # An answer is on its way meanwhile; that takes no longer than what is read twice.
                talk.go_on(count, minutes=(0, 0.3))
                if random.random() < 0.3:
                    talk.open(1)

            story.server.faults.add(Fault(place, after=after, action="callback", callback=happen))
        story.sync(COMMENTS, concurrency=random.choice((1, 4)), hours=random.choice((0.2, 2)))
        talk.go_on(random.randint(0, 6))
    story.server.faults.clear()
    story.clock.later(minutes=10)
    story.sync(COMMENTS)
    assert wrong(story) == []


@pytest.mark.parametrize("depth", [None, 40])
def test_a_start_date(story: Story, depth: int | None) -> None:
    """With ``start_date`` all comments of the pull requests that changed since are there."""
    story.server.activity_depth = depth
    talk = Talk(story, Random(7))
    talk.open(20)
    story.clock.later(days=30)
    start = story.clock()
    old = [one for one in talk.requests if one.comments][:3]
    story.clock.later(hours=1)
    for request in old:
        talk.say(request)
    before = set(map(id, talk.requests))
    talk.open(10)
    story.clock.later(days=1)
    story.sync(COMMENTS, start_date=start.isoformat())
    changed = [one for one in talk.requests if one.updated_on >= start]
    assert len(before & set(map(id, changed))) >= 2
    keys = {
        (one.repository.uuid, one.id, comment.id)
        for one in changed
        for comment in one.comments
        if not comment.pending
    }
    assert set(story.target[COMMENTS]) | (unseen(story.world) & keys) == keys
    assert [one for one in wrong(story) if "is missing" not in one] == []


def test_a_lookback(story: Story) -> None:
    """With ``lookback`` the comments of all pull requests of that time are written again."""
    talk = Talk(story, Random(11))
    talk.open(15)
    talk.go_on(20)
    story.clock.later(days=2)
    story.sync(COMMENTS)
    story.target[COMMENTS].clear()
    story.sync(COMMENTS, lookback={COMMENTS: 60 * 86_400})
    assert wrong(story) == []


def as_nobody(story: Story, state: dict[str, Any] | None) -> Run:
    """Sync with an access token, which is nobody's."""
    config = {**api_token_config(story.server), "access_token": "access"}
    config = {name: value for name, value in config.items() if name not in {"email", "api_token"}}
    run = run_here(config, state=state, catalog=select(story.catalog, COMMENTS))
    assert run.code == 0, run.log
    merge(story.target, run)
    return run


@pytest.mark.parametrize("switches", SWITCHES[::5], ids=called)
def test_an_access_token(story: Story, switches: dict[str, Any]) -> None:
    """Who is nobody sees nobody's drafts, and all that is published."""
    turn(story.server, switches)
    story.world.identities.add_access_token("access", bound_to=story.api.workspace)
    talk = Talk(story, Random(3))
    talk.open(25)
    talk.go_on(40)
    assert any(one.pending for one in talk.comments)
    story.clock.later(days=1)
    state = as_nobody(story, None).state
    assert wrong(story) == []
    talk.go_on(20)
    story.clock.later(hours=1)
    as_nobody(story, state)
    assert wrong(story) == []


# -- what is asked ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> Iterator[BitbucketServer]:
    """Serve a world with comments on 240 pull requests."""
    world = large_world(2, 280, 200)
    for repo in world.repositories():
        for number, request in enumerate(repo.pull_requests.values()):
            for text in ("One", "Two", "Three")[: number % 7]:
                world.comment(request, request.author, text)
    with BitbucketServer(world) as server:
        yield server


def edit_some(server: BitbucketServer) -> None:
    """Edit, resolve and delete comments here and there."""
    world = server.world
    requests = [one for repo in world.repositories() for one in repo.pull_requests.values()]
    for request in [one for one in requests if len(one.comments) > 1][::9]:
        world.edit_comment(request.comments[0], "On second thought")
        world.resolve_comment(request.comments[0], request.author)
        if not request.comments[1].deleted:
            world.delete_comment(request.comments[1])


def lists(server: BitbucketServer) -> int:
    """Return how many lists of comments were asked for."""
    return sum(bool(re.search(r"/pullrequests/\d+/comments", one.url)) for one in server.requests)


@pytest.mark.parametrize("others", [(), (ACTIVITY,), ("pull_requests", ACTIVITY)], ids=len)
def test_few_lists_are_asked_for(
    large: BitbucketServer, catalog: dict[str, Any], others: tuple[str, ...]
) -> None:
    """The comments of 200 pull requests come with the activity, whether that is selected or not."""
    edit_some(large)
    chain = Chain(large, select(catalog, COMMENTS, *others))
    chain.run()
    repositories = large.world.repositories()
    requests = [one for repo in repositories for one in repo.pull_requests.values()]
    assert sum(bool(one.comment_count) for one in requests) > 200
    assert lists(large) <= ASKED_FIRST
    pages = sum(-(-len(repo.activity) // 50) for repo in repositories)
    assert sum("/pullrequests/activity" in one.url for one in large.requests) == pages
    held = set(chain.target[COMMENTS]) | unseen(large.world)
    assert held == set(truth(large.world, COMMENTS))
    assert ACTIVITY in others or not chain.target[ACTIVITY]
    chain.run()
    assert lists(large) == 0
    assert chain.runs[-1].counts[COMMENTS] == 0


def test_what_changed_is_asked_singly(large: BitbucketServer, catalog: dict[str, Any]) -> None:
    """Of known pull requests only those that changed are asked about."""
    chain = Chain(large, select(catalog, COMMENTS))
    chain.run()
    (repo, *_) = large.world.repositories()
    changed = list(repo.pull_requests.values())[:20:5]
    for request in changed:
        large.world.comment(request, request.author, "One more thing.")
    chain.run()
    assert lists(large) <= len(changed)
    assert chain.runs[-1].counts[COMMENTS] >= len(changed)
    held = set(chain.target[COMMENTS]) | unseen(large.world)
    assert held == set(truth(large.world, COMMENTS))


def test_a_count_that_disagrees(story: Story) -> None:
    """Where the feed holds less than what is counted, that pull request alone is asked about."""
    talk = Talk(story, Random(5))
    talk.open(60)
    lost = next(one for one in talk.requests if one.comment_count > 1)
    for entry in [one for one in lost.activity if one.comment in lost.comments[:1]]:
        lost.repository.activity.remove(entry)
    story.clock.later(days=1)
    story.sync(COMMENTS)
    assert wrong(story) == []
    assert len(asked_singly(story)) <= ASKED_FIRST + 1


@pytest.mark.parametrize("links", [COMMENTS, ACTIVITY, "both", "none"])
def test_links_of_one_stream(story: Story, catalog: dict[str, Any], links: str) -> None:
    """What is selected of comments does not depend on what is selected of the activity."""
    talk = Talk(story, Random(13))
    talk.open(25)
    talk.go_on(20)
    story.clock.later(days=1)
    chosen = select(catalog, COMMENTS, ACTIVITY)
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == ["properties", "links"]:
                entry["metadata"]["selected"] = links in {stream["tap_stream_id"], "both"}
    story.catalog = chosen
    story.sync()
    expected = truth(story.world, COMMENTS)
    held = story.target[COMMENTS]
    assert set(held) | unseen(story.world) == set(expected)
    for key, row in held.items():
        assert row.get("links") == (expected[key]["links"] if links in {COMMENTS, "both"} else None)
        assert row["content"]["raw"] == expected[key]["content"]["raw"]
    assert story.differences(ACTIVITY) == []


def test_nothing_else_of_activity_is_needed(story: Story, catalog: dict[str, Any]) -> None:
    """Whatever little is selected of a comment, what is not there is found out."""
    talk = Talk(story, Random(17))
    talk.open(25)
    talk.go_on(30)
    story.server.feed_comments, story.server.feed_deleted = "first", "hidden"
    story.clock.later(days=1)
    chosen = select(catalog, COMMENTS)
    for stream in chosen["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] and stream["tap_stream_id"] == COMMENTS:
                entry["metadata"]["selected"] = entry["breadcrumb"][1] in {"id", "content"}
    story.catalog = chosen
    story.sync()
    expected = truth(story.world, COMMENTS)
    assert set(story.target[COMMENTS]) | unseen(story.world) == set(expected)
    for key, row in story.target[COMMENTS].items():
        assert row["content"]["raw"] == expected[key]["content"]["raw"]
        assert "deleted" not in row


@pytest.mark.parametrize("limit", [6, 15])
@pytest.mark.parametrize("switches", SWITCHES[::3], ids=called)
def test_runs_that_are_cut(story: Story, switches: dict[str, Any], limit: int) -> None:
    """Comments are whole as well when it takes several runs to read them, while people talk."""
    turn(story.server, switches)
    talk = Talk(story, Random(limit))
    talk.open(40)
    talk.go_on(40)
    story.clock.later(days=1)
    for number in range(60):
        run = story.sync(COMMENTS, max_requests=limit, hours=0.2)
        if not stopped(run):
            break
        if number % 3 == 0:
            talk.go_on(2)
    assert not stopped(run)
    story.clock.later(minutes=10)
    story.sync(COMMENTS)
    assert wrong(story) == []


def test_an_edit_that_something_else_hides(story: Story) -> None:
    """An edit shows in no date of the pull request's when it is closed after that."""
    story.server.feed_comments = "first"
    talk = Talk(story, Random(23))
    for _ in range(60):
        request = open_request(story)
        comment = story.world.comment(request, story.who("bob"), "Hm.")
        story.clock.later(minutes=1)
        if request.id % 3 == 0:
            story.world.edit_comment(comment, "Hm!")
        story.world.merge(request, story.who("cem"))
        story.clock.later(minutes=1)
    assert len(talk.requests) == 60
    story.clock.later(days=1)
    story.sync(COMMENTS)
    assert wrong(story) == []
    assert story.clock() - talk.requests[-1].updated_on > timedelta(hours=20)
