"""A year in the life of a repository: reviews, pushes, pipelines and deployments in their order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random

from tap_bitbucket.demo.model import Comment, PullRequest, Repository, User
from tap_bitbucket.demo.world import World

DAY = 86_400.0
_REMARKS = (
    "Looks good to me, with one question.", "Could this be one function?",
    "Please add a test for the empty list.", "The name says how, not what.",
    "Done in the last commit, thanks.", "Why not reuse what the other module has?",
)  # fmt: skip


class Life:
    """What happens in one repository, from its first day until nothing does any more.

    Everything is planned first and then happens in order, so that dates, numbers and activity
    fit together as they do in Bitbucket.
    """

    def __init__(
        self, world: World, repo: Repository, people: Sequence[User], random: Random, end: datetime
    ) -> None:
        """Begin with nothing planned."""
        self._world = world
        self._repo = repo
        self._people = people
        self._random = random
        self._begin = repo.created_on + timedelta(minutes=1)
        self._end = (end - self._begin).total_seconds()
        self._calendar: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def _at(self, seconds: float, happen: Callable[[], object]) -> None:
        moment = min(seconds, self._end)
        heapq.heappush(self._calendar, (moment, next(self._order), happen))

    def live(self) -> None:
        """Let everything happen that is planned, and what follows from it."""
        world, calendar = self._world, self._calendar
        while calendar:
            seconds, _, happen = heapq.heappop(calendar)
            world.now = self._begin + timedelta(seconds=seconds)
            happen()

    # -- what is there at once -------------------------------------------------------------------

    def set_up(self, *, branches: int, tags: int, deploys: bool) -> None:
        """Plan branches that nobody merges, tags, reviewers and environments."""
        world, repo, random = self._world, self._repo, self._random
        if deploys or (repo.pipelines_enabled and random.random() < 0.3):
            for kind in ("Test", "Staging", "Production"):
                self._at(0, partial(world.add_environment, repo, kind, kind))
        if random.random() < 0.5:
            self._at(0, partial(world.set_default_reviewers, repo, *random.sample(self._people, 2)))
        for number in range(branches):
            who, size = random.choice(self._people), random.randint(1, 3)
            branch = partial(world.push, repo, f"topic/{number}", size, user=who)
            self._at(random.uniform(0, self._end), branch)
        for number in range(tags):
            text = f"Release {number}" if number % 2 else None
            tag = partial(world.add_tag, repo, f"v0.{number}", message=text)
            self._at(random.uniform(0, self._end), tag)

    def plan_pushes(self, commits: int) -> None:
        """Plan commits that go to the main branch without a review."""
        while commits > 0:
            size = min(commits, self._random.randint(1, 5))
            who = self._random.choice(self._people)
            push = partial(self._world.push, self._repo, "main", size, user=who)
            self._at(self._random.uniform(0, self._end), push)
            commits -= size

    # -- reviews ---------------------------------------------------------------------------------

    def plan_review(self, comments: int, tasks: int) -> None:
        """Plan a pull request, what is said below it, and its end: one in 70 stays open."""
        self._at(self._random.uniform(0, self._end), partial(self._open, comments, tasks))

    def _open(self, comments: int, tasks: int) -> None:
        world, random = self._world, self._random
        author, *reviewers = random.sample(self._people, random.randint(2, 3))
        made = world.open_pull_request(
            self._repo, author=author, reviewers=reviewers, n=random.choice((1, 1, 1, 2, 3)),
            close_source_branch=True, draft=random.random() < 0.02,
        )  # fmt: skip
        opened = (world.now() - self._begin).total_seconds()
        days = min(random.expovariate(0.5) * DAY, self._end - opened)
        if random.random() < 0.6:
            report = partial(world.add_status, self._repo, made.source_hash, "build")
            self._at(opened + 600, report)
        for _ in range(comments):
            # Some of what is said comes after the end.
            self._at(opened + random.uniform(0, 1.1) * days, partial(self._say, made))
        for _ in range(tasks):
            self._at(opened + random.uniform(0, 1) * days, partial(self._ask, made))
        for reviewer in reviewers:
            verdict = world.approve if random.random() < 0.9 else world.request_changes
            self._at(opened + random.uniform(0.2, 1) * days, partial(verdict, made, reviewer))
        if random.random() < 0.1:
            fix = partial(self._fix, made)
            self._at(opened + random.uniform(0, 1) * days, fix)
        if random.random() > 1 / 70:
            self._at(opened + days, partial(self._close, made, reviewers[0]))

    def _fix(self, made: PullRequest) -> None:
        if made.state == "OPEN":
            self._world.push(self._repo, made.source_branch, user=made.author)

    def _close(self, made: PullRequest, who: User) -> None:
        chance = self._random.random()
        if chance < 0.92:
            self._world.merge(made, who)
            return
        if chance < 0.99:
            self._world.decline(made, who, "Not now.")
        else:
            self._world.supersede(made, who)
        self._world.delete_branch(self._repo, made.source_branch)

    def _say(self, made: PullRequest) -> None:
        """Comment: a third on a line, a third in answer; some is changed or taken back later."""
        world, random = self._world, self._random
        fate = random.random()
        parent = None
        if made.comments and random.random() < 0.33:
            parent = random.choice(made.comments)
            parent = None if parent.pending or parent.deleted else parent
        inline = None
        if parent is None and random.random() < 0.5:
            inline = {"path": "src/engine_1.py", "to": random.randint(1, 400)}
        said = world.comment(
            made, random.choice(self._people), random.choice(_REMARKS), parent=parent,
            inline=inline, pending=fate > 0.995,
        )  # fmt: skip
        later = (world.now() - self._begin).total_seconds() + random.expovariate(4) * DAY
        if fate < 0.05:
            self._at(later, partial(world.edit_comment, said, f"{said.raw} (edited)"))
        elif fate < 0.08:
            self._at(later, partial(world.delete_comment, said))
        elif parent is None and fate < 0.3:
            self._at(later, partial(self._resolve, said, made.author))

    def _resolve(self, said: Comment, who: User) -> None:
        self._world.resolve_comment(said, who)
        if self._random.random() < 0.05:
            self._world.reopen_comment(said)

    def _ask(self, made: PullRequest) -> None:
        """Set a task; most are resolved."""
        world, random = self._world, self._random
        about = made.comments[-1] if made.comments else None
        about = None if about is None or about.pending or about.deleted else about
        who = random.choice(made.reviewers)
        task = world.add_task(made, who, "Add a test", comment=about)
        if random.random() < 0.8:
            later = (world.now() - self._begin).total_seconds() + random.expovariate(4) * DAY
            self._at(later, partial(world.resolve_task, task, made.author))

    # -- pipelines -------------------------------------------------------------------------------

    def plan_pipelines(self, pipelines: int, deployments: int) -> None:
        """Plan pipelines, and deployments of what some of them built."""
        moments = sorted(self._random.uniform(0, self._end) for _ in range(pipelines))
        deploys = set(self._random.sample(range(pipelines), min(pipelines, deployments)))
        for number, moment in enumerate(moments):
            last = number == pipelines - 1 and pipelines > 20
            run = partial(self._run, deploys=number in deploys, runs_on=last)
            self._at(moment, run)

    def _run(self, *, deploys: bool, runs_on: bool) -> None:
        """Start a pipeline and plan its end; one in 500 waits for somebody for ever."""
        world, random = self._world, self._random
        steps = ("Lint", "Test", "Package")[: random.randint(1, 3)]
        who = random.choice(self._people)
        made = world.start_pipeline(self._repo, ref="main", creator=who, steps=steps)
        fate = random.random()
        if fate > 0.998:
            world.pause_pipeline(made)
        elif not runs_on:
            result = "SUCCESSFUL" if fate < 0.85 else random.choice(("FAILED", "STOPPED", "ERROR"))
            world.finish_pipeline(made, result, seconds=random.randint(30, 900))
        if deploys and self._repo.environments:
            place = random.choice(self._repo.environments)
            if fate < 0.97:
                result = "SUCCESSFUL" if fate < 0.9 else "FAILED"
                done = world.deploy(self._repo, place, pipeline=made, deployer=who)
                world.proceed(done, "COMPLETED", result, seconds=random.randint(5, 300))
            else:
                state = random.choice(("UNDEPLOYED", "IN_PROGRESS"))
                world.deploy(self._repo, place, state, pipeline=made, deployer=who)
