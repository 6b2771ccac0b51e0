"""The least for workspaces, people, projects and what is set up in repositories."""

from __future__ import annotations

from benchmarks.least_rules import Rule, Scene, nothing, one, pages, whole
from tap_bitbucket.demo.hook_events import HOOK_EVENTS
from tap_bitbucket.demo.model import Snippet, User, Workspace
from tap_bitbucket.demo.views import effective_reviewers, forks_of

_SILENT = "nothing tells that it did not change"
_BELOW = "below projects: no list for all of them"


def _projects(where: Workspace, scene: Scene) -> int:
    """Count the projects that an idle pass has to be told."""
    below = any(name.startswith("project_") for name in scene.selected)
    told = [one for one in where.projects.values() if below or scene.recent(one.updated_on)]
    return pages(told)


def _snippet_comments(where: Workspace, _: Scene) -> int:
    return sum(pages(one.comments) for one in where.snippets.values())


def _snippet_commits(where: Workspace, _: Scene) -> int:
    return sum(pages(one.commits) for one in where.snippets.values())


def _new_snippets(where: Workspace, scene: Scene) -> list[Snippet]:
    return [one for one in where.snippets.values() if scene.recent(one.updated_on)]


def _events(_: User, __: Scene) -> int:
    return sum(pages(list(events)) for events in HOOK_EVENTS.values())


def _keys(user: User, _: Scene) -> list[object]:
    return [*user.gpg_keys]


RULES: dict[str, Rule] = {
    "workspaces": one("workspace", "the lists of workspaces leave out their names"),
    "workspace_members": whole("workspace", lambda w, _: w.members, "members", _SILENT),
    "workspace_permissions": whole("workspace", lambda w, _: w.members, "members", _SILENT),
    "users": nothing("workspace", "the members carry their accounts"),
    "current_user": one("run", _SILENT),
    "current_user_emails": whole("run", lambda u, _: u.emails, "addresses", _SILENT),
    "current_user_ssh_keys": whole("run", lambda u, _: u.ssh_keys, "keys", _SILENT),
    "current_user_gpg_keys": whole("run", _keys, "keys", _SILENT),
    "projects": Rule(
        "workspace", lambda w, _: pages(w.projects), _projects, "⌈projects / 100⌉",
        "the same where streams below are read, else 1",
        "`updated_on` of the list filters, but a stream below needs all of them",
    ),
    "project_default_reviewers": whole(
        "project", lambda p, _: p.default_reviewers, "reviewers", _BELOW
    ),
    "project_user_permissions": whole("project", lambda p, _: p.permissions, "people", _BELOW),
    "project_group_permissions": whole(
        "project", lambda p, _: p.group_permissions, "groups", _BELOW
    ),
    "project_branching_models": one("project", "404 where there is none"),
    "project_deploy_keys": whole("project", lambda p, _: p.deploy_keys, "keys", _BELOW),
    "snippets": whole(
        "workspace", lambda w, _: w.snippets, "snippets", "the list does not filter"
    ),
    "snippet_comments": Rule(
        "workspace", _snippet_comments, _snippet_comments, "Σ snippets ⌈comments / 100⌉",
        "the same", "that a comment moves its snippet is not documented",
    ),
    "snippet_commits": Rule(
        "workspace", _snippet_commits, lambda w, s: len(_new_snippets(w, s)),
        "Σ snippets ⌈commits / 100⌉", "0", "a commit moves its snippet's `updated_on`",
    ),
    "repositories": whole(
        "workspace", lambda w, _: w.repositories, "repositories",
        "neither pull requests nor pipelines move `updated_on`, so that all have to be known",
    ),
    "workspace_repository_permissions": whole(
        "workspace", lambda w, s: s.world.permissions(w), "(repository, person) pairs", _SILENT
    ),
    "repository_user_permissions": whole(
        "repository", lambda r, _: r.permissions, "people", _SILENT
    ),
    "repository_group_permissions": whole(
        "repository", lambda r, _: r.group_permissions, "groups", _SILENT
    ),
    "workspace_hooks": whole("workspace", lambda w, _: w.hooks, "webhooks", _SILENT),
    "repository_hooks": whole("repository", lambda r, _: r.hooks, "webhooks", _SILENT),
    "hook_events": Rule(
        "run", _events, _events, "1 per kind of subject", "the same",
        "there are two kinds, each with a list of its own",
    ),
    "default_reviewers": whole(
        "repository", lambda r, _: effective_reviewers(r), "reviewers", _SILENT
    ),
    "branch_restrictions": whole(
        "repository", lambda r, _: r.restrictions, "restrictions", _SILENT
    ),
    "branching_models": one("repository", _SILENT),
    "branching_model_settings": one("repository", _SILENT),
    "deploy_keys": whole("repository", lambda r, _: r.deploy_keys, "keys", _SILENT),
    "repository_override_settings": one("repository", _SILENT),
    "downloads": whole("repository", lambda r, _: r.downloads, "files", _SILENT),
    "forks": whole("repository", lambda r, s: forks_of(s.world, r), "forks", _SILENT),
    "watchers": whole("repository", lambda r, _: r.watchers, "watchers", _SILENT),
    "workspace_variables": whole("workspace", lambda w, _: w.variables, "variables", _SILENT),
    "workspace_runners": whole("workspace", lambda w, _: w.runners, "runners", _SILENT),
}  # fmt: skip


def absent(scene: Scene) -> int:
    """Count the projects of which a list answers 404."""
    if "project_branching_models" not in scene.selected:
        return 0
    return sum(
        project.branching_model is None
        for where in scene.world.workspaces.values()
        for project in where.projects.values()
    )
