"""A small world in which every stream has rows, and what may be deleted in it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tap_bitbucket.demo import World
from tap_bitbucket.demo.model import FileChange, Project, Repository, User, Workspace
from tests.story import Story, open_request
from tests.support import Run
from tests.truth import ALL_STREAMS

KEPT = {
    "commits", "commit_statuses", "commit_comments", "commit_diffstat", "commit_reports",
    "commit_report_annotations", "pull_requests", "pull_request_participants",
    "pull_request_activity", "pull_request_comments", "pull_request_tasks",
    "pull_request_commits", "pull_request_diffstat", "pull_request_statuses", "pipelines",
    "pipeline_steps", "pipeline_test_reports", "pipeline_test_cases", "deployments",
    "snippet_comments", "snippet_commits",
}  # fmt: skip
"""Streams whose rows stay when Bitbucket has them no more: pull requests, commits, pipelines."""

SOMETIMES = {"projects", "repositories", "branches", "tags", "snippets", "source_files"}
"""Streams that are read whole once in ``reconcile_every`` days."""

OF_REPOSITORIES = {
    "branches", "tags", "source_files", "branch_restrictions", "branching_models",
    "branching_model_settings", "deploy_keys", "repository_hooks", "repository_user_permissions",
    "repository_group_permissions", "repository_override_settings", "default_reviewers",
    "downloads", "forks", "watchers", "pipelines_config", "pipeline_variables",
    "pipeline_schedules", "pipeline_schedule_executions", "pipeline_known_hosts",
    "pipeline_caches", "pipeline_runners", "environments", "deployment_variables",
}  # fmt: skip
"""Whole tables that are read repository by repository."""

OF_PROJECTS = {
    "project_default_reviewers", "project_user_permissions", "project_group_permissions",
    "project_branching_models", "project_deploy_keys",
}  # fmt: skip
"""Whole tables that are read project by project."""

FIXED = {
    "hook_events", "current_user", "pipelines_config", "branching_models",
    "branching_model_settings", "repository_override_settings", "workspaces",
}  # fmt: skip
"""Streams with one row for each of something, of which none can be deleted by itself."""

EVERY_TIME = set(ALL_STREAMS) - KEPT - SOMETIMES
"""Streams that are read whole in each run."""

SOME = {
    "workspaces", "workspace_members", "users", "workspace_hooks",
    "workspace_repository_permissions", "projects", "project_deploy_keys",
    "project_default_reviewers", "snippets", "snippet_comments", "repositories", "branches",
    "tags", "source_files", "commits", "commit_statuses", "pull_requests",
    "pull_request_comments", "pull_request_activity", "default_reviewers", "repository_hooks",
    "repository_group_permissions", "environments", "deployment_variables", "pipelines",
    "pipeline_steps", "deployments",
}  # fmt: skip
"""Streams of every way of reading: runs of these alone take a third of the time."""

Deletions = dict[str, Callable[[], object]]


@dataclass
class Furniture:
    """What was put into a world.

    Attributes:
        doomed: A repository that may go as a whole.
        deletions: How to delete one row of a stream, by the stream.
    """

    world: World
    doomed: Repository
    deletions: Deletions

    def delete(self) -> None:
        """Delete something in every stream that mirrors deletions."""
        for delete in self.deletions.values():
            delete()


def differences(story: Story, *streams: str) -> list[str]:
    """Return how the target differs from the truth (in all streams), but for what is kept."""
    found = (story.differences(name, kept=name in KEPT) for name in streams or ALL_STREAMS)
    return [difference for several in found for difference in several]


def order_is_right(run: Run) -> bool:
    """Whether no row of a stream follows its ACTIVATE_VERSION, and all rows carry its version."""
    done: dict[str, int] = {}
    for message in run.messages:
        if message["type"] == "ACTIVATE_VERSION":
            done[message["stream"]] = message["version"]
        elif message["type"] == "RECORD" and message["stream"] in done:
            return False
    return all(
        message["version"] == done[message["stream"]]
        for message in run.messages
        if message["type"] == "RECORD" and message["stream"] in done
    )


def furnish(story: Story) -> Furniture:
    """Put something of every kind into both repositories, and a third one that may go."""
    world, workspace = story.world, story.api.workspace
    for name in ("developers", "guests"):
        world.add_group(workspace, name)
    deletions: Deletions = {}
    for name in ("TWO", "ONE"):
        deletions |= _project(story, workspace.projects[name])
    doomed = world.add_repository(workspace, "doomed", project="TWO")
    for repo in (doomed, story.web, story.api):
        _code(story, repo)
        _delivery(story, repo)
        deletions |= _refs(story, repo) | _settings(story, repo) | _pipelines(story, repo)
    deletions |= _workspace(story, workspace) | _caller(world, story.who("ann"))
    world.add_project(workspace, "EMPTY")
    deletions["projects"] = partial(workspace.projects.pop, "EMPTY")
    deletions["repositories"] = partial(world.delete_repository, doomed)
    return Furniture(world, doomed, deletions)


def _code(story: Story, repo: Repository) -> None:
    """Add commits, a pull request, and what is said about both."""
    world, bob = story.world, story.who("bob")
    world.push(repo, "main", files=[FileChange("src/app.py", "modified", 3, 1)])
    head = repo.branches["main"]
    world.add_status(repo, head)
    world.comment_on_commit(repo, head, bob, "Why?")
    world.annotate(world.add_report(repo, head, "scan", "Scan"), "Line 1 is too long")
    request = open_request(story, repo)
    world.comment(request, bob, "Hm.")
    world.add_task(request, bob, "Explain")
    world.approve(request, bob)
    world.add_status(repo, request.source_hash)


def _delivery(story: Story, repo: Repository) -> None:
    """Run a pipeline that deploys."""
    world = story.world
    places = repo.environments or [world.add_environment(repo, "Production", "Production")]
    pipeline = world.start_pipeline(repo)
    world.add_test(pipeline.steps[0], "test_it")
    world.finish_pipeline(pipeline)
    world.deploy(repo, places[0], "COMPLETED", pipeline=pipeline)
    world.add_variable(places[0], "URL", "https://example.com")


def _refs(story: Story, repo: Repository) -> Deletions:
    world = story.world
    world.add_branch(repo, "old")
    world.add_tag(repo, "v1")
    world.add_tag(repo, "v2")
    world.add_file(repo, "README.md")
    world.add_file(repo, "gone.txt")

    def delete_file() -> None:
        world.delete_file(repo, "gone.txt")
        world.push(repo, "main")

    return {
        "branches": partial(world.delete_branch, repo, "old"),
        "tags": partial(world.delete_tag, repo, "v1"),
        "source_files": delete_file,
    }


def _settings(story: Story, repo: Repository) -> Deletions:
    world, bob, cem = story.world, story.who("bob"), story.who("cem")
    group = repo.workspace.groups["guests"]
    for who in (bob, cem, group, repo.workspace.groups["developers"]):
        world.set_permission(repo, who, "write")
    world.set_default_reviewers(repo, bob, cem)
    world.watch(repo, bob)
    world.watch(repo, cem)
    world.add_fork_elsewhere(repo, bob)
    world.add_fork_elsewhere(repo, cem)
    world.add_deploy_key(repo, "stays")
    world.add_hook(repo, "https://stays.example.com", ["repo:push"])
    world.add_download(repo, "stays.zip", 1)
    world.add_restriction(repo, "delete", "main")
    restriction = world.add_restriction(repo, "force", "main")
    return {
        "branch_restrictions": partial(world.delete_restriction, repo, restriction),
        "deploy_keys": partial(world.delete_deploy_key, world.add_deploy_key(repo, "gone")),
        "repository_hooks": partial(
            world.delete_hook, repo, world.add_hook(repo, "https://gone.example.com", [])
        ),
        "downloads": partial(world.delete_download, repo, world.add_download(repo, "gone", 1)),
        "watchers": partial(world.unwatch, repo, cem),
        "forks": repo.forks_elsewhere.pop,
        "default_reviewers": partial(world.set_default_reviewers, repo, bob),
        "repository_user_permissions": partial(world.remove_permission, repo, cem),
        "repository_group_permissions": partial(world.remove_permission, repo, group),
    }


def _pipelines(story: Story, repo: Repository) -> Deletions:
    world = story.world
    place = world.add_environment(repo, "Gone")
    world.add_variable(place, "SITE", "gone")
    world.add_variable(place, "TOKEN", "planted-of-the-environment", secured=True)
    stays = world.add_variable(repo.environments[0], "STAYS", "1")
    variable = world.add_variable(repo.environments[0], "GONE", "1")
    world.add_variable(repo, "STAYS", stays.value)
    nightly = world.add_schedule(repo, "0 0 3 * * ? *")
    world.execute(nightly, repo.pipelines[0])
    world.execute(nightly, error=("plan-service.parse.parse-error", "It cannot be read."))
    weekly = world.add_schedule(repo, "0 0 3 ? * MON *")
    world.execute(weekly, repo.pipelines[0])
    world.add_known_host(repo, "stays.example.com")
    world.add_runner(repo, "stays")
    world.add_cache(repo, "docker", repo.pipelines[0])
    world.add_key_pair(repo)

    def delete_variables() -> None:
        world.delete_variable(repo.environments[0], variable)
        repo.environments.remove(place)  # and with it what is below it

    return {
        "pipeline_variables": partial(
            world.delete_variable,
            repo,
            world.add_variable(repo, "GONE", "secured-value", secured=True),
        ),
        "environments": delete_variables,
        "pipeline_schedules": partial(world.delete_schedule, repo, weekly),
        "pipeline_schedule_executions": nightly.executions.pop,
        "pipeline_known_hosts": partial(
            world.delete_known_host, repo, world.add_known_host(repo, "gone.example.com")
        ),
        "pipeline_runners": partial(world.delete_runner, repo, world.add_runner(repo, "gone")),
        "pipeline_caches": partial(
            world.delete_cache, repo, world.add_cache(repo, "pip", repo.pipelines[0])
        ),
    }


def _project(story: Story, project: Project) -> Deletions:
    world, bob, cem = story.world, story.who("bob"), story.who("cem")
    group = project.workspace.groups["developers"]
    for who in (bob, cem, group):
        world.set_permission(project, who, "write")
    world.set_default_reviewers(project, bob, cem)
    world.set_branching_model(project, production="production")
    world.add_deploy_key(project, "stays")
    return {
        "project_default_reviewers": partial(world.set_default_reviewers, project, bob),
        "project_user_permissions": partial(world.remove_permission, project, cem),
        "project_group_permissions": partial(world.remove_permission, project, group),
        "project_branching_models": partial(world.clear_branching_model, project),
        "project_deploy_keys": partial(
            world.delete_deploy_key, world.add_deploy_key(project, "gone")
        ),
    }


def _workspace(story: Story, workspace: Workspace) -> Deletions:
    world, ann, bob = story.world, story.who("ann"), story.who("bob")
    dan = world.add_user("dan")
    world.add_member(workspace, dan)
    for name in ("stays", "gone"):
        world.add_hook(workspace, f"https://{name}.example.com", ["repo:push"])
        world.add_variable(workspace, name, name)
        world.add_runner(workspace, name)
    kept = world.add_snippet(workspace, "Kept", ann)
    world.comment_on_snippet(kept, bob, "Nice")
    gone = world.add_snippet(workspace, "Gone", ann)
    world.comment_on_snippet(gone, bob, "Not so nice")
    return {
        "workspace_hooks": workspace.hooks.pop,
        "workspace_variables": workspace.variables.pop,
        "workspace_runners": workspace.runners.pop,
        "snippets": partial(world.delete_snippet, gone),
        "workspace_members": partial(world.remove_member, workspace, dan),
    }


def _caller(world: World, user: User) -> Deletions:
    world.add_email(user, "gone@example.com")
    for name in ("stays", "gone"):
        world.add_ssh_key(user, name)
        world.add_gpg_key(user, name)
    return {
        "current_user_emails": partial(world.delete_email, user, "gone@example.com"),
        "current_user_ssh_keys": user.ssh_keys.pop,
        "current_user_gpg_keys": user.gpg_keys.pop,
    }
