"""What happens at Halley Labs from now on: events with due times, the same in every process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import PullRequest, Repository, User

if TYPE_CHECKING:
    from tap_bitbucket.demo.example.company import Company
    from tap_bitbucket.demo.world import World

_BUSY = ("telescope-control", "image-pipeline", "web-portal", "infrastructure")
EVENTS = 320


def schedule(company: Company) -> None:
    """Put the story on the calendar: lively for ten minutes, then every few minutes."""
    random = Random("story")
    at = company.anchor
    for number in range(EVENTS):
        lively = at < company.anchor + timedelta(minutes=10)
        at += timedelta(seconds=random.uniform(5, 10) if lively else random.uniform(120, 300))
        happen = _CYCLE[number % len(_CYCLE)]
        company.world.schedule(at, partial(_one, company=company, happen=happen, number=number))


def _one(world: World, *, company: Company, happen: Happening, number: int) -> None:
    random = Random(f"story:{number}")
    gone = {repo.uuid for repo in world.repositories()}
    slugs = [slug for slug in _BUSY if company.repositories[slug].uuid in gone]
    if slugs:
        repo = company.repositories[random.choice(slugs)]
        person = random.choice(list(company.people.values()))
        happen(world, repo, person, random)


def _open(repo: Repository) -> list[PullRequest]:
    """List open pull requests whose ends are still there."""
    return [
        one
        for one in repo.pull_requests.values()
        if one.state == "OPEN" and one.source_repository is repo
        and one.source_branch in repo.branches
    ]  # fmt: skip


def _push(world: World, repo: Repository, person: User, random: Random) -> None:
    count = random.randint(1, 3)
    world.push(repo, "main", count, user=person)


def _push_to_request(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in _open(repo)[-1:]:
        world.push(repo, one.source_branch, messages=["Address review"], user=one.author)


def _open_request(world: World, repo: Repository, person: User, random: Random) -> None:
    number = len(repo.pull_requests) + 1
    others = [member.user for member in repo.workspace.members if member.user is not person]
    world.open_pull_request(
        repo, f"feature/idea-{number}", title=f"Idea number {number}", author=person,
        reviewers=random.sample(others, 2), n=random.randint(1, 2), close_source_branch=True,
    )  # fmt: skip


def _comment(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in _open(repo)[-1:]:
        world.comment(one, person, "How does this behave in the rain?")


def _delete_comment(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in _open(repo)[-3:]:
        for comment in [c for c in one.comments if not c.deleted and not c.pending][-1:]:
            world.delete_comment(comment)
            return


def _approve(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in _open(repo)[-1:]:
        world.approve(one, one.reviewers[0] if one.reviewers else person)


def _request_changes(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in _open(repo)[-2:-1]:
        world.request_changes(one, person)


def _merge(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in _open(repo)[:1]:
        world.merge(one, person)


def _decline(world: World, repo: Repository, person: User, random: Random) -> None:
    if len(_open(repo)) > 3:
        world.decline(_open(repo)[0], person, "Superseded by events.")


def _start(world: World, repo: Repository, person: User, random: Random) -> None:
    world.start_pipeline(repo, ref="main", creator=person, steps=("Test", "Deploy"))


def _finish(world: World, repo: Repository, person: User, random: Random) -> None:
    running = [one for one in repo.pipelines if one.result is None]
    for one in running[:2]:
        world.finish_pipeline(one, random.choice(("SUCCESSFUL", "SUCCESSFUL", "FAILED")))


def _deploy(world: World, repo: Repository, person: User, random: Random) -> None:
    if repo.environments:
        done = [one for one in repo.pipelines if one.result == "SUCCESSFUL"]
        place = random.choice(repo.environments)
        pipeline = done[-1] if done else None
        world.deploy(repo, place, "UNDEPLOYED", pipeline=pipeline, deployer=person)


def _proceed(world: World, repo: Repository, person: User, random: Random) -> None:
    for one in [one for one in repo.deployments if one.state != "COMPLETED"][:2]:
        world.proceed(one, result=random.choice(("SUCCESSFUL", "SUCCESSFUL", "FAILED")))


def _delete_branch(world: World, repo: Repository, person: User, random: Random) -> None:
    used = {one.source_branch for one in _open(repo)} | {repo.mainbranch}
    for branch in [name for name in repo.branches if name not in used][:1]:
        world.delete_branch(repo, branch)


def _tag(world: World, repo: Repository, person: User, random: Random) -> None:
    world.add_tag(repo, f"build-{len(repo.tags) + 1}", message="Automatic", user=person)


Happening = Callable[["World", Repository, User, Random], None]
_CYCLE: tuple[Happening, ...] = (
    _push, _open_request, _finish, _comment, _proceed, _approve, _start, _push_to_request,
    _merge, _deploy, _comment, _finish, _delete_comment, _open_request, _proceed,
    _request_changes, _delete_branch, _merge, _tag, _decline,
)  # fmt: skip
