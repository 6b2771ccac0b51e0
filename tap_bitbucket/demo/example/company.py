"""The example world: Halley Labs, a small company that builds telescope software."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tap_bitbucket.demo.example import furniture, history, machines, story
from tap_bitbucket.demo.model import Repository, User
from tap_bitbucket.demo.times import UTC
from tap_bitbucket.demo.world import Credentials, World

EXAMPLE_WORKSPACE = "halley-labs"
_PEOPLE = (
    ("maya", "Maya Lindqvist", "owner"),
    ("tomasz", "Tomasz Brandt", "owner"),
    ("aiko", "Aiko Tanabe", "collaborator"),
    ("ravi", "Ravi Menon", "collaborator"),
    ("lena", "Lena Fischer", "member"),
    ("diego", "Diego Ramos", "member"),
    ("priya", "Priya Nair", "member"),
)


@dataclass
class Company:
    """Who and what the story is about."""

    world: World
    anchor: datetime
    people: dict[str, User]
    former: User
    robot: User
    repositories: dict[str, Repository]


def example_world(now: datetime | None = None) -> World:
    """Make the example world as it is at `now`; the same moment gives the same world."""
    anchor = now or datetime.now(UTC)
    if anchor.tzinfo is None:
        anchor = anchor.replace(tzinfo=UTC)
    world = World(seed="halley")
    company = _found(world, anchor)
    history.schedule(company)
    world.move_on(anchor)
    furniture.furnish(company)
    machines.furnish(company)
    story.schedule(company)
    world.now = None
    _sign_in(company)
    return world


def _found(world: World, anchor: datetime) -> Company:
    """Set up people, projects and repositories, long before the story begins."""
    world.now = anchor - timedelta(days=1100)
    workspace = world.add_workspace(EXAMPLE_WORKSPACE, "Halley Labs")
    people = {}
    for name, display, role in _PEOPLE:
        people[name] = world.add_user(display, nickname=name)
        world.add_member(workspace, people[name], role)
    former = world.add_user("Oskar Holm", deleted=True)
    robot = world.add_user("Release Robot", "app_user")
    world.add_member(workspace, robot, "member")
    world.add_project(workspace, "SKY", "Skywatch", description="What observers use every night")
    world.add_project(workspace, "OPS", "Operations")
    world.add_project(workspace, "LAB", "Experiments", description="May be thrown away")
    repositories = {}

    def repository(slug: str, project: str, language: str, **more: object) -> Repository:
        made = world.add_repository(
            workspace, slug, project=project, language=language,
            name=slug.replace("-", " ").title(), **more,  # type: ignore[arg-type]
        )  # fmt: skip
        repositories[slug] = made
        return made

    old = repository("star-catalog", "LAB", "c++", description="Kept for reference")
    for year in range(4):
        world.now = anchor - timedelta(days=1000 - 40 * year)
        world.push(old, "main", 1, messages=[f"Import catalogue part {year + 1}"], user=former)
    world.add_tag(old, "v0.9")
    world.now = anchor - timedelta(days=400)
    repository("telescope-control", "SKY", "python", description="Points the telescopes")
    repository("image-pipeline", "SKY", "python", description="From raw frames to pictures")
    repository("web-portal", "SKY", "typescript", description="Where observers book nights")
    repository("infrastructure", "OPS", "shell")
    repository("sandbox", "LAB", "", empty=True)
    world.now = anchor - timedelta(days=62)
    imported = anchor - timedelta(days=3650)
    control = repositories["telescope-control"]
    world.push(
        control, "main", messages=["Import the driver of the first mount"], date=imported,
        author="Grace Keller <grace@observatory.example>",
    )  # fmt: skip
    repository("image-pipeline-gpu", "LAB", "python", fork_of=repositories["image-pipeline"])
    for slug in ("telescope-control", "image-pipeline", "web-portal"):
        world.set_default_reviewers(repositories[slug], people["maya"], people["aiko"])
        world.watch(repositories[slug], people["maya"])
        world.add_restriction(repositories[slug], "require_approvals_to_merge", "main", 1)
        world.add_restriction(repositories[slug], "force", "main")
        world.add_hook(repositories[slug], "https://ci.example.com/hook", ["repo:push"])
        world.add_variable(repositories[slug], "REGION", "eu-north")
        world.add_variable(repositories[slug], "DEPLOY_KEY", "hunter2", secured=True)
    world.set_default_reviewers(workspace.projects["SKY"], people["tomasz"])
    world.disable_pipelines(old)
    world.disable_pipelines(repositories["sandbox"], never=False)
    return Company(world, anchor, people, former, robot, repositories)


def _sign_in(company: Company) -> None:
    """Register one credential of each kind."""
    world, maya = company.world, company.people["maya"]
    workspace = world.workspace(EXAMPLE_WORKSPACE)
    made = Credentials(
        client_id="halley-tap",
        client_secret="halley-tap-secret",
        email=maya.email,
        api_token="ATATT3xFfGF0-example-api-token",
        access_token="ATCTT3xFfGN0-example-workspace-token",
    )
    world.identities.add_oauth_consumer(
        made.client_id, made.client_secret, workspace=workspace, app_user=company.robot
    )
    made.refresh_token = world.oauth.issue_refresh_token(made.client_id, maya)
    world.identities.add_api_token(made.email, made.api_token, user=maya)
    world.identities.add_access_token(made.access_token, "workspace", bound_to=workspace)
    world.secrets |= {made.client_secret, made.api_token, made.access_token}
    world.credentials = made
