"""Chains of cut runs in a world that moves on: in the end nothing is missing, nothing stale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.model import Comment, Pipeline, PullRequest, Repository
from tests.chains import stopped
from tests.furniture import KEPT, SOME, SOMETIMES, furnish
from tests.story import Story, open_request, story_of
from tests.support import select
from tests.truth import ALL_STREAMS

T = TypeVar("T")

STREAMS = (
    *sorted(SOME), "pull_request_participants", "pull_request_tasks", "pull_request_commits",
    "commit_comments", "commit_report_annotations",
)  # fmt: skip


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, of streams of every way of reading."""
    assert set(STREAMS) <= set(ALL_STREAMS)
    with story_of(select(catalog, *STREAMS), monkeypatch) as told:
        furnish(told)
        told.clock.later(hours=3)
        yield told


@dataclass
class Days:
    """What people do in a company, one thing after the other."""

    story: Story
    random: Random
    running: list[Pipeline] = field(default_factory=list)
    number: int = 0

    def happen(self, times: int = 1) -> None:
        """Let some things happen."""
        ways: list[Callable[[], object]] = [
            self.say, self.say, self.say, self.revise, self.revise, self.open, self.close,
            self.approve, self.push, self.push, self.rewrite, self.branch, self.build, self.build,
            self.report, self.task, self.found, self.delete,
        ]  # fmt: skip
        for _ in range(times):
            self.random.choice(ways)()
            self.story.clock.later(seconds=self.random.choice((0, 1, 100)))

    def any(self, things: list[T]) -> T | None:
        """Return one of them, if there is one."""
        return self.random.choice(things) if things else None

    @property
    def repo(self) -> Repository:
        """Return one of the repositories."""
        return self.random.choice(list(self.story.api.workspace.repositories.values()))

    @property
    def opened(self) -> list[PullRequest]:
        """Return the pull requests that are open."""
        requests = [one for repo in self.story.world.repositories()
                    for one in repo.pull_requests.values()]  # fmt: skip
        return [one for one in requests if one.state == "OPEN"]

    def comment(self) -> Comment | None:
        """Return a comment on a pull request."""
        return self.any([one for request in self.opened for one in request.comments])

    def name(self, kind: str) -> str:
        """Return a name that nothing has."""
        self.number += 1
        return f"{kind}-{self.number}"

    def say(self) -> None:
        """Comment on a pull request, or on a commit."""
        request, world = self.any(self.opened), self.story.world
        if request is not None:
            world.comment(request, self.story.who("bob"), self.name("text"))
        repo = self.repo
        world.comment_on_commit(repo, repo.branches["main"], self.story.who("cem"), "Hm.")

    def revise(self) -> None:
        """Edit, delete or resolve a comment."""
        comment, world = self.comment(), self.story.world
        if comment is None or comment.deleted:
            return
        how = self.random.randrange(3)
        if how == 0:
            world.delete_comment(comment)
        elif how == 1:
            world.edit_comment(comment, self.name("edit"))
        else:
            world.resolve_comment(comment, self.story.who("ann"))

    def open(self) -> None:
        """Open a pull request."""
        made = open_request(self.story, self.repo, n=self.random.choice((1, 3)))
        self.story.world.add_status(made.repository, made.source_hash, "build")

    def close(self) -> None:
        """Merge or decline a pull request."""
        request = self.any(self.opened)
        if request is not None and self.random.random() < 0.5:
            self.story.world.merge(request, self.story.who("bob"))
        elif request is not None:
            self.story.world.decline(request, self.story.who("bob"), "No.")

    def approve(self) -> None:
        """Approve a pull request, or take that back."""
        request = self.any(self.opened)
        if request is not None and self.random.random() < 0.7:
            self.story.world.approve(request, self.story.who("cem"))
        elif request is not None:
            self.story.world.unapprove(request, self.story.who("cem"))

    def task(self) -> None:
        """Set a task."""
        request = self.any(self.opened)
        if request is not None:
            self.story.world.add_task(request, self.story.who("bob"), self.name("task"))

    def push(self) -> None:
        """Push, and build what was pushed."""
        repo, world = self.repo, self.story.world
        for commit in world.push(repo, "main", n=self.random.choice((1, 1, 4))):
            world.add_status(repo, commit, "build", self.name("state"))

    def rewrite(self) -> None:
        """Rewrite a branch."""
        repo, world = self.repo, self.story.world
        if "topic" not in repo.branches:
            world.push(repo, "topic", n=3)
        else:
            world.force_push(repo, "topic", 2, back=2, collect=self.random.random() < 0.5)

    def branch(self) -> None:
        """Make a branch or a tag, or delete one."""
        repo, world = self.repo, self.story.world
        made = sorted(name for name in repo.branches if name.startswith("made-"))
        if made and self.random.random() < 0.5:
            world.delete_branch(repo, made[0])
        else:
            world.add_branch(repo, self.name("made"))
            world.add_tag(repo, self.name("v"))

    def build(self) -> None:
        """Start a pipeline, or finish one and deploy."""
        repo, world = self.repo, self.story.world
        if self.running and self.random.random() < 0.6:
            pipeline = self.running.pop(0)
            world.finish_pipeline(pipeline)
            place = pipeline.repository
            if place.environments:
                world.deploy(place, place.environments[0], "COMPLETED", pipeline=pipeline)
        else:
            self.running.append(world.start_pipeline(repo))

    def report(self) -> None:
        """Report on the last commit."""
        repo, world = self.repo, self.story.world
        scan = world.add_report(repo, repo.branches["main"], self.name("scan"), "Scan")
        world.annotate(scan, "Line 1 is too long")

    def found(self) -> None:
        """Make a repository."""
        if self.random.random() < 0.4:
            world, workspace = self.story.world, self.story.api.workspace
            repo = world.add_repository(workspace, self.name("new"), project="ONE")
            world.comment(open_request(self.story, repo), self.story.who("bob"), "New here")

    def delete(self) -> None:
        """Delete a repository, or something of one."""
        repo, world = self.repo, self.story.world
        if self.random.random() < 0.15 and repo.slug not in {"api", "web"}:
            world.delete_repository(repo)
            self.running = [one for one in self.running if one.repository is not repo]
        elif repo.hooks:
            world.delete_hook(repo, repo.hooks[0])
        else:
            world.add_hook(repo, f"https://{self.name('hook')}.example.com", ["repo:push"])


def wrong(story: Story, kept: set[str]) -> list[str]:
    """Return how the target differs from the truth; of the streams ``kept`` rows may be old.

    Of a pull request that counts no comment, nobody asks for the deleted ones.
    """
    unseen = [
        f"pull_request_comments {(repo.uuid, request.id, comment.id)} is missing"
        for repo in story.world.repositories()
        for request in repo.pull_requests.values()
        for comment in request.comments
        if comment.deleted and not request.comment_count
    ]
    found = [one for name in STREAMS for one in story.differences(name, kept=name in kept)]
    return [one for one in found if one not in unseen]


@pytest.mark.parametrize("seed", range(6))
def test_a_world_that_moves_between_the_runs(story: Story, seed: int) -> None:
    """What happens between the runs of a chain, and while they read, is there after the next."""
    random = Random(seed)
    days = Days(story, random)
    days.happen(20)
    rounds = 0
    for _ in range(60):
        if random.random() < 0.5:
            place = random.choice(("/pullrequests", "/commits", "/refs", "/pipelines", "/activity"))
            story.server.faults.add(
                Fault(place, after=random.randint(0, 6), action="callback", callback=days.happen)
            )
        limit = random.choice((25, 40, 70))
        run = story.sync(hours=0.3, max_requests=limit, concurrency=random.choice((1, 8)))
        days.happen(random.randint(0, 4))
        rounds += not stopped(run)
        if rounds == 2:
            break
    assert rounds, "no chain ended"
    story.server.faults.clear()
    story.clock.later(minutes=10)
    for _ in range(2):
        assert not stopped(story.sync(hours=0.3))
    assert wrong(story, KEPT | SOMETIMES) == []
    story.sync(reconcile_every=0)
    assert wrong(story, KEPT) == []


@pytest.mark.parametrize("limit", [40, 90])
def test_deletions_between_the_runs(story: Story, limit: int) -> None:
    """What is deleted in the middle of a round is gone after the next one, and nothing else."""
    days = Days(story, Random(limit))
    story.sync()
    world, workspace = story.world, story.api.workspace
    steps: list[Callable[[], object]] = [
        lambda: world.delete_repository(workspace.repositories["doomed"]),
        lambda: world.delete_branch(story.web, "old"),
        lambda: world.delete_branch(story.api, "old"),
        lambda: world.delete_hook(story.web, story.web.hooks[0]),
        lambda: world.delete_hook(story.api, story.api.hooks[0]),
        lambda: world.remove_member(workspace, story.who("cem")),
    ]
    for _ in range(60):
        run = story.sync(hours=0.1, max_requests=limit, reconcile_every=0)
        if not stopped(run):
            break
        if steps:
            steps.pop(0)()
        days.push()
    assert not stopped(run)
    for step in steps:
        step()
    story.clock.later(minutes=10)
    story.sync(reconcile_every=0)
    assert wrong(story, KEPT) == []


def test_a_repository_that_goes_while_it_is_read(story: Story) -> None:
    """A repository that is deleted while a chain is amid its streams does not stop the chain."""
    world, doomed = story.world, story.api.workspace.repositories["doomed"]
    for number in range(12):
        request = open_request(story, doomed)
        world.comment(request, story.who("bob"), f"{number}")
        world.add_status(doomed, request.source_hash, "build")
    story.clock.later(hours=1)
    for _ in range(60):
        run = story.sync(hours=0.1, max_requests=30)
        held = [key for key in story.target["pull_request_comments"] if key[0] == doomed.uuid]
        if held and doomed.slug in story.api.workspace.repositories:
            world.delete_repository(doomed)
        if not stopped(run):
            break
    assert not stopped(run)
    assert held
    story.sync(reconcile_every=0)
    assert wrong(story, KEPT) == []
