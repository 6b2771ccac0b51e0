"""A large world for benchmarks: made fast, of any size."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from tap_bitbucket.demo.example.company import EXAMPLE_WORKSPACE
from tap_bitbucket.demo.model import PullRequest
from tap_bitbucket.demo.times import UTC
from tap_bitbucket.demo.world import Credentials, World


def large_world(
    repositories: int = 200,
    pull_requests: int = 20_000,
    comments: int = 100_000,
    *,
    skew: float = 1.0,
    seed: str | int = "large",
    pipelines: int = 0,
    now: datetime | None = None,
) -> World:
    """Make a world in which few repositories have most of the pull requests.

    `skew` 0 spreads them evenly; 1 follows Zipf's law; a large one puts all in the first.
    """
    random = Random(str(seed))
    world = World(seed=str(seed))
    anchor = now or datetime.now(UTC)
    total = repositories * 4 + pull_requests * 2 + comments + pipelines * 2
    step = timedelta(days=365) / max(1, total)
    moment = anchor - timedelta(days=365)

    def tick() -> None:
        nonlocal moment
        moment += step
        world.now = moment

    tick()
    workspace = world.add_workspace(EXAMPLE_WORKSPACE, "A large company")
    people = [world.add_user(f"Person {number}") for number in range(40)]
    for number, person in enumerate(people):
        world.add_member(workspace, person, "owner" if number == 0 else "member")
    for key in ("ALPHA", "BETA", "GAMMA"):
        world.add_project(workspace, key)
    places = []
    for number in range(repositories):
        tick()
        key = ("ALPHA", "BETA", "GAMMA")[number % 3]
        places.append(world.add_repository(workspace, f"service-{number:04d}", project=key))
    weights = [1 / (rank + 1) ** skew for rank in range(repositories)]
    opened: list[PullRequest] = []
    for repo in random.choices(places, weights, k=pull_requests):
        tick()
        author, reviewer = random.sample(people, 2)
        made = world.open_pull_request(repo, author=author, reviewers=[reviewer])
        opened.append(made)
        del repo.branches[made.source_branch]
        if random.random() < 0.97:
            tick()
            world.approve(made, reviewer)
            world.merge(made, reviewer)
    for made in random.choices(opened, k=comments if opened else 0):
        tick()
        world.comment(made, random.choice(people), "Looks good to me, with one question.")
    for repo in random.choices(places, weights, k=pipelines):
        tick()
        world.finish_pipeline(world.start_pipeline(repo, steps=("Build", "Test")), seconds=60)
    world.now = None
    world.identities.add_oauth_consumer("large-tap", "large-tap-secret", workspace=workspace)
    made_credentials = Credentials(
        "large-tap", "large-tap-secret", people[0].email, "large-api-token", "large-access-token"
    )
    token = world.oauth.issue_refresh_token("large-tap", people[0])
    made_credentials.refresh_token = token
    world.identities.add_api_token(people[0].email, "large-api-token", user=people[0])
    world.identities.add_access_token("large-access-token", "workspace", bound_to=workspace)
    world.credentials = made_credentials
    return world
