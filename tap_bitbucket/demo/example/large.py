"""A large world for benchmarks: made fast, of any size, skewed as real ones are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from tap_bitbucket.demo.example.company import EXAMPLE_WORKSPACE
from tap_bitbucket.demo.example.lives import Life
from tap_bitbucket.demo.model import Repository, User, Workspace
from tap_bitbucket.demo.times import UTC
from tap_bitbucket.demo.world import Credentials, World

_PROJECTS = ("ALPHA", "BETA", "GAMMA")
_YEAR = timedelta(days=365)
_QUIET = timedelta(hours=1)
"""Nothing happens in the last hour, so that nothing is new to who reads twice."""


@dataclass
class _Place:
    """A repository, its share of what happens, and until when something does."""

    repository: Repository
    weight: float
    end: datetime


def large_world(
    repositories: int = 200,
    pull_requests: int = 20_000,
    comments: int = 100_000,
    *,
    skew: float = 1.5,
    seed: str | int = "large",
    pipelines: int | None = None,
    commits: int | None = None,
    tasks: int | None = None,
    deployments: int | None = None,
    idle: int | None = None,
    empty: int | None = None,
    now: datetime | None = None,
) -> World:
    """Make a world in which few repositories have most of what happened within a year.

    `skew` 0 spreads it evenly; 1 follows Zipf's law; a large one puts all in the first. By
    default the first of 200 has two fifths; a third of them are idle for half a year or longer,
    a twentieth are empty. Pipelines are a tenth, commits pushed beside the pull requests half,
    tasks a tenth of the pull requests; deployments a quarter of the pipelines.
    """
    random = Random(str(seed))
    world = World(seed=str(seed))
    anchor = now or datetime.now(UTC)
    world.now = anchor - _YEAR
    workspace = world.add_workspace(EXAMPLE_WORKSPACE, "A large company")
    people = [world.add_user(f"Person {number}") for number in range(40)]
    for number, person in enumerate(people):
        world.add_member(workspace, person, "owner" if number == 0 else "member")
    for key in _PROJECTS:
        world.add_project(workspace, key)
    bare = repositories // 20 if empty is None else empty
    asleep = repositories // 3 if idle is None else idle
    places = _found(world, workspace, random, (repositories, asleep, bare), skew)
    _happen(
        world, people, places, random,
        pull_requests=pull_requests,
        comments=comments,
        pipelines=pull_requests // 10 if pipelines is None else pipelines,
        commits=pull_requests // 2 if commits is None else commits,
        tasks=pull_requests // 10 if tasks is None else tasks,
        deployments=deployments,
    )  # fmt: skip
    world.now = None
    _sign_in(world, workspace, people[0])
    return world


def _found(
    world: World, workspace: Workspace, random: Random, sizes: tuple[int, int, int], skew: float
) -> list[_Place]:
    """Add the repositories, the busiest first and the empty ones last; tell those with a history.

    Of the idle ones, which come before the empty ones, every fifth has Pipelines switched off.
    """
    total, idle, empty = sizes
    began = world.now()
    places = []
    for number in range(total):
        world.now = began + number * timedelta(minutes=1)
        bare = number >= total - empty
        key = _PROJECTS[number % len(_PROJECTS)]
        repo = world.add_repository(
            workspace, f"service-{number:04d}", project=key, empty=bare, language="python"
        )
        if bare:
            continue
        asleep = number >= total - empty - idle
        if asleep and number % 5 == 0:
            world.disable_pipelines(repo, never=number % 2 == 0)
        end = timedelta(days=random.uniform(30, 180)) if asleep else _YEAR - _QUIET
        places.append(_Place(repo, (number + 1) ** -skew, began + end))
    return places


def _happen(
    world: World,
    people: list[User],
    places: list[_Place],
    random: Random,
    *,
    deployments: int | None,
    **amounts: int,
) -> None:
    """Share out what happens, and let it happen, one repository after the other."""
    built = [one for one in places if one.repository.pipelines_enabled]
    shares = {
        what: _shared(random, built if what == "pipelines" else places, count)
        for what, count in amounts.items()
        if what in ("pull_requests", "pipelines", "commits")
    }
    wanted = amounts["pipelines"] // 4 if deployments is None else deployments
    shares["deployments"] = _shared(random, built, wanted)
    # What is said below pull requests: much below some, nothing below many.
    opened = [
        (place.repository.uuid, number)
        for place in places
        for number in range(shares["pull_requests"][place.repository.uuid])
    ]
    talk = [random.expovariate(1) if random.random() < 0.7 else 0.0 for _ in opened]
    if not any(talk):
        talk = [1.0] * len(opened)
    said = Counter(_chosen(random, opened, talk, amounts["comments"]))
    asked = Counter(_chosen(random, opened, talk, amounts["tasks"]))
    for rank, place in enumerate(places):
        uuid = place.repository.uuid
        life = Life(world, place.repository, people, random, place.end)
        size = shares["pull_requests"][uuid]
        life.set_up(
            branches=rank % 3 + min(size // 25, 300),
            tags=rank % 5 + min(size // 30, 250),
            deploys=shares["deployments"][uuid] > 0,
        )
        for number in range(size):
            life.plan_review(said[uuid, number], asked[uuid, number])
        life.plan_pushes(shares["commits"][uuid])
        life.plan_pipelines(shares["pipelines"][uuid], shares["deployments"][uuid])
        life.live()


def _chosen(
    random: Random, opened: list[tuple[str, int]], weights: list[float], count: int
) -> list[tuple[str, int]]:
    if not opened:
        return []
    return random.choices(opened, cum_weights=list(accumulate(weights)), k=count)


def _shared(random: Random, places: list[_Place], count: int) -> Counter[str]:
    """Share something out among repositories, by their weights."""
    if not places or not count:
        return Counter()
    weights = [one.weight for one in places]
    return Counter(one.repository.uuid for one in random.choices(places, weights, k=count))


def _sign_in(world: World, workspace: Workspace, person: User) -> None:
    """Register one credential of each kind."""
    identities = world.identities
    identities.add_oauth_consumer("large-tap", "large-tap-secret", workspace=workspace)
    made = Credentials(
        "large-tap", "large-tap-secret", person.email, "large-api-token", "large-access-token"
    )
    made.refresh_token = world.oauth.issue_refresh_token("large-tap", person)
    identities.add_api_token(person.email, "large-api-token", user=person)
    identities.add_access_token("large-access-token", "workspace", bound_to=workspace)
    world.credentials = made
