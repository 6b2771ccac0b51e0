"""What happened at Halley Labs in the sixty days before the story begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from tap_bitbucket.demo.model import Pipeline, PullRequest, Repository, User

if TYPE_CHECKING:
    from tap_bitbucket.demo.example.company import Company
    from tap_bitbucket.demo.world import World

# Repository: titles, median hours to the first review, median hours to the merge.
_WORK: dict[str, tuple[tuple[str, ...], float, float]] = {
    "telescope-control": (
        (
            "Stop slewing below the horizon", "Read encoder offsets at start",
            "Park the dome when the wind rises", "Log every pointing correction",
            "Retry a lost serial connection", "Name axes by their hardware id",
            "Add a simulator for the north mount", "Drop the polling thread",
            "Calibrate against three stars",
        ), 5, 26,
    ),
    "image-pipeline": (
        (
            "Subtract dark frames per sensor", "Stack frames in parallel",
            "Write FITS headers once", "Detect satellite trails",
            "Keep sixteen bits until export", "Cache flat fields",
            "Align by star pattern",
        ), 19, 70,
    ),
    "web-portal": (
        (
            "Show the moon phase when booking", "Fix the time zone of bookings",
            "Let observers swap nights", "Translate the weather page",
            "Load the sky map lazily", "Remember the last telescope",
            "Replace the date picker", "Export a night as calendar entry",
        ), 2, 9,
    ),
    "infrastructure": (
        (
            "Move backups to another region", "Pin base images",
            "Rotate the archive keys", "Alert on a full data disk",
        ), 41, 120,
    ),
}  # fmt: skip
_REMARKS = (
    "Could this be one function?", "Nice, that was overdue.", "What happens when it is empty?",
    "Please add a test for the failing night.", "I measured it: twice as fast.",
    "The name says how, not what.", "Works on the south mount too.",
)  # fmt: skip
_OUTCOMES = ("MERGED", "MERGED", "MERGED", "OPEN", "MERGED", "DECLINED", "MERGED", "SUPERSEDED")


@dataclass
class Life:
    """One pull request's life: when what happens to it."""

    company: Company
    repo: Repository
    title: str
    author: User
    reviewers: list[User]
    opened: datetime
    random: Random
    number: int
    outcome: str
    pull_request: PullRequest | None = None
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def it(self) -> PullRequest:
        """The pull request, once it is open."""
        assert self.pull_request is not None
        return self.pull_request

    def plan(self, review_hours: float, merge_hours: float) -> None:
        """Put everything on the calendar."""
        world = self.company.world
        spread = 0.5 + self.random.random()
        review = self.opened + timedelta(hours=review_hours * spread)
        end = max(self.opened + timedelta(hours=merge_hours * spread), review + timedelta(hours=1))
        half = review + (end - review) / 2
        world.schedule(self.opened, self.open)
        world.schedule(self.opened + timedelta(minutes=1), self.build)
        world.schedule(self.opened + timedelta(minutes=9), self.built)
        world.schedule(review, self.review)
        world.schedule(half, self.discuss)
        world.schedule(end - timedelta(minutes=20), self.approve)
        if self.outcome != "OPEN":
            world.schedule(end, self.close)
            world.schedule(end + timedelta(minutes=2), self.deliver)

    def open(self, world: World) -> None:
        """Open it, as a draft now and then."""
        count = 1 + self.number % 3
        self.pull_request = world.open_pull_request(
            self.repo,
            f"feature/{self.title.lower().replace(' ', '-')[:30]}",
            title=self.title,
            author=self.author,
            reviewers=self.reviewers,
            description=f"{self.title}.\n\nSee the notes of last week's meeting.",
            draft=self.outcome == "OPEN" or self.number % 7 == 3,
            close_source_branch=self.number % 2 == 0,
            messages=[f"{self.title}, part {part + 1}" for part in range(count)],
        )

    def build(self, world: World) -> None:
        """Start a pipeline for the pull request."""
        if self.repo.slug != "infrastructure":
            self.memory["pipeline"] = world.start_pipeline(
                self.repo, pull_request=self.it, creator=self.author,
                steps=("Lint", "Test", None) if self.number % 3 == 0 else ("Test",),
                image=_private_image() if self.number % 5 == 0 else None,
            )  # fmt: skip

    def built(self, world: World) -> None:
        """Let the pipeline end, and tell so by a build status."""
        pipeline: Pipeline | None = self.memory.get("pipeline")
        if pipeline is None:
            return
        results = ("SUCCESSFUL", "SUCCESSFUL", "FAILED", "SUCCESSFUL", "STOPPED", "ERROR")
        result = results[self.number % 6]
        world.finish_pipeline(pipeline, result, user=self.author)
        state = "SUCCESSFUL" if result == "SUCCESSFUL" else "FAILED"
        ref = None if self.number % 3 else self.it.source_branch
        world.add_status(self.repo, self.it.source_hash, "pipelines", state, refname=ref)

    def review(self, world: World) -> None:
        """Comment on a line, ask for changes, set a task."""
        who, path = self.reviewers[0], "src/engine_1.py"
        inline = {"path": path, "to": 12 + self.number} if self.number % 2 else {"path": path}
        remark = _REMARKS[self.number % len(_REMARKS)]
        first = world.comment(self.it, who, remark, inline=inline)
        self.memory["comment"] = first
        if self.number % 3 == 0:
            world.request_changes(self.it, who)
            self.memory["task"] = world.add_task(self.it, who, "Add a test", comment=first)
        if self.number % 6 == 1:
            world.comment(self.it, who, "I am still thinking about this.", pending=True)
            world.add_task(self.it, who, "Update the change log")

    def discuss(self, world: World) -> None:
        """Answer, fix, resolve; some comments are edited or deleted again."""
        first = self.memory["comment"]
        reply = world.comment(self.it, self.author, "Done, thanks.", parent=first)
        if self.number % 4 == 0:
            world.push(self.repo, self.it.source_branch, messages=["Address review"],
                       user=self.author)  # fmt: skip
        if self.number % 4 == 1:
            world.edit_comment(reply, "Done in the last commit, thanks.")
        if self.number % 5 == 2:
            slip = world.comment(self.it, self.company.former, "Wrong window, sorry")
            world.delete_comment(slip)
        if "task" in self.memory:
            world.resolve_task(self.memory["task"], self.author)
        if self.number % 3 == 1:
            world.resolve_comment(first, self.reviewers[0])
        if self.number % 8 == 5:
            world.update_title(self.it, f"{self.title} (second try)")
        if self.it.draft and self.outcome != "OPEN":
            world.mark_ready(self.it)

    def approve(self, world: World) -> None:
        """Approve, unless it is declined."""
        if self.outcome == "MERGED" or self.number % 5 == 3:
            for who in self.reviewers[: 1 + self.number % 2]:
                world.approve(self.it, who)

    def close(self, world: World) -> None:
        """Merge, decline or supersede."""
        if self.outcome == "MERGED":
            world.merge(self.it, self.reviewers[0])
        elif self.outcome == "DECLINED":
            world.decline(self.it, self.reviewers[0], "Not this quarter.")
        else:
            world.supersede(self.it)

    def deliver(self, world: World) -> None:
        """Build the main branch and deploy it, to production now and then."""
        if self.outcome != "MERGED" or not self.repo.environments:
            return
        pipeline = world.start_pipeline(
            self.repo, ref="main", creator=self.company.robot, steps=("Test", "Deploy")
        )
        world.finish_pipeline(pipeline, seconds=95 + 13 * self.number)
        for place in self.repo.environments[: 1 + self.number % 3]:
            failed = self.number % 6 == 4 and place.kind == "Staging"
            done = world.deploy(self.repo, place, pipeline=pipeline, deployer=self.author)
            world.proceed(done, "COMPLETED", "FAILED" if failed else "SUCCESSFUL", seconds=41)


def schedule(company: Company) -> None:
    """Put sixty days of work on the calendar."""
    world, people = company.world, company.people
    random = Random("halley")
    authors = [people[name] for name in ("aiko", "ravi", "lena", "diego", "priya")]
    seniors = [people[name] for name in ("maya", "tomasz", "aiko")]
    for slug, (titles, review_hours, merge_hours) in _WORK.items():
        repo = company.repositories[slug]
        world.schedule(company.anchor - timedelta(days=61), _environments(repo))
        for index, title in enumerate(titles):
            start = 58 - index * (56 / len(titles)) - random.random()
            author = authors[random.randrange(len(authors))]
            reviewers = [one for one in seniors if one is not author][:2]
            outcome = _OUTCOMES[(index + len(slug)) % len(_OUTCOMES)]
            Life(
                company, repo, title, author, reviewers,
                company.anchor - timedelta(days=start), random, index, outcome,
            ).plan(review_hours, merge_hours)  # fmt: skip
    for hours, event in _odd_events(company):
        world.schedule(company.anchor - timedelta(hours=hours), event)


def _environments(repo: Repository) -> Any:
    def set_up(world: World) -> None:
        for name, kind in (("Test", "Test"), ("Staging", "Staging"), ("Production", "Production")):
            world.add_environment(repo, name, kind)

    return set_up


def _private_image() -> dict[str, Any]:
    """Give a step's image from a private registry: the API shows its credentials."""
    return {
        "name": "registry.example.com/builder:7",
        "username": "builder",
        "password": "do-not-store-me",
        "email": "builder@example.com",
    }


def _odd_events(company: Company) -> list[tuple[float, Any]]:
    """List what makes the world less tidy, by hours before the story begins."""
    people, places = company.people, company.repositories
    control, images, portal = (
        places["telescope-control"], places["image-pipeline"], places["web-portal"],
    )  # fmt: skip

    def from_fork(world: World) -> None:
        gpu = places["image-pipeline-gpu"]
        world.push(gpu, "cuda", 2, user=people["ravi"])
        world.open_pull_request(
            images, "cuda", source_repo=gpu, title="Stack on the graphics card",
            author=people["ravi"], reviewers=[people["maya"]],
        )  # fmt: skip

    def from_lost_fork(world: World) -> None:
        fork = world.add_repository(
            control.workspace, "telescope-control-oskar", project="LAB", fork_of=control
        )
        lost = world.open_pull_request(
            control, "night-mode", source_repo=fork, title="Night mode", author=company.former
        )
        world.comment(lost, people["maya"], "Whose is this?")
        world.delete_source(lost)

    def by_robot(world: World) -> None:
        made = world.open_pull_request(
            portal, "bump/leaflet", title="Update leaflet to 1.9.4", author=company.robot,
            reviewers=[people["lena"]],
        )  # fmt: skip
        world.add_status(portal, made.source_hash, "licences", "INPROGRESS")

    def release(world: World) -> None:
        for repo in (control, images):
            world.add_tag(repo, "v1.0.0", message="First release", user=people["maya"])
            world.add_tag(repo, "nightly")
        head = control.branches["main"]
        world.comment_on_commit(control, head, people["tomasz"], "This is the one on site.")

    def unfinished(world: World) -> None:
        world.start_pipeline(control, ref="main", creator=people["aiko"], steps=("Test", "Deploy"))
        paused = world.start_pipeline(
            portal, commit=portal.branches["main"], trigger="MANUAL", creator=people["lena"],
            selector={"type": "custom", "pattern": "screenshots"},
        )  # fmt: skip
        world.pause_pipeline(paused)
        tagged = world.start_pipeline(control, tag="v1.0.0", trigger="MANUAL")
        world.halt_pipeline(tagged)
        world.deploy(control, control.environments[1], "IN_PROGRESS")
        world.deploy(control, control.environments[2], "UNDEPLOYED")
        waiting = world.deploy(portal, portal.environments[2], "UNDEPLOYED")
        portal.environments[2].locked_by = waiting

    def outsider(world: World) -> None:
        future = company.anchor + timedelta(days=400)
        world.push(
            images, "experiments/lens", messages=["Try another lens model"], date=future,
            author="unknown <none@nowhere.example>",
        )  # fmt: skip

    return [
        (700, from_fork), (650, from_lost_fork), (300, by_robot), (200, release),
        (90, outsider), (0.2, unfinished),
    ]  # fmt: skip
