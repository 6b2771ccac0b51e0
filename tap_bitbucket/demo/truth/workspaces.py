"""The truth about workspaces and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Workspace
from tap_bitbucket.demo.truth.kinds import OfWorkspace, Rows

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World


def _workspace(world: World, workspace: Workspace) -> Rows:
    yield None, world.shapes.workspace(workspace)


def _members(world: World, workspace: Workspace) -> Rows:
    for one in workspace.members:
        yield None, world.shapes.member(one)


def _permissions(world: World, workspace: Workspace) -> Rows:
    for one in workspace.members:
        yield None, world.shapes.permission(one)


def _repository_permissions(world: World, workspace: Workspace) -> Rows:
    for row in world.permissions(workspace):
        yield None, world.shapes.repository_permission(row)


def _hooks(world: World, workspace: Workspace) -> Rows:
    for one in workspace.hooks:
        yield None, world.shapes.hook(one, workspace)


def _variables(world: World, workspace: Workspace) -> Rows:
    for one in workspace.variables:
        yield None, world.shapes.variable(one)


def _runners(world: World, workspace: Workspace) -> Rows:
    for one in workspace.runners:
        yield None, world.shapes.runner(one)


def _projects(world: World, workspace: Workspace) -> Rows:
    for one in workspace.projects.values():
        yield None, world.shapes.project(one)


def _project_reviewers(world: World, workspace: Workspace) -> Rows:
    for project in workspace.projects.values():
        for user in project.default_reviewers:
            yield project.key, world.shapes.default_reviewer(user, "project")


def _project_users(world: World, workspace: Workspace) -> Rows:
    for project in workspace.projects.values():
        for uuid, given in project.permissions.items():
            yield project.key, world.shapes.user_grant(project, world.user(uuid), given)


def _project_groups(world: World, workspace: Workspace) -> Rows:
    for project in workspace.projects.values():
        for slug, given in project.group_permissions.items():
            yield project.key, world.shapes.group_grant(project, workspace.groups[slug], given)


def _project_models(world: World, workspace: Workspace) -> Rows:
    for project in workspace.projects.values():
        if project.branching_model is not None:
            yield project.key, world.shapes.branching_model(project.branching_model, project)


def _project_model_settings(world: World, workspace: Workspace) -> Rows:
    for project in workspace.projects.values():
        if project.branching_model is not None:
            yield project.key, world.shapes.branching_settings(project.branching_model, project)


def _project_deploy_keys(world: World, workspace: Workspace) -> Rows:
    for project in workspace.projects.values():
        for key in project.deploy_keys:
            yield project.key, world.shapes.deploy_key(key)


def _snippets(world: World, workspace: Workspace) -> Rows:
    for one in workspace.snippets.values():
        yield None, world.shapes.snippet(one)


def _snippet_comments(world: World, workspace: Workspace) -> Rows:
    for snippet in workspace.snippets.values():
        for one in snippet.comments:
            yield snippet.id, world.shapes.snippet_comment(one, snippet)


def _snippet_commits(world: World, workspace: Workspace) -> Rows:
    for snippet in workspace.snippets.values():
        for one in reversed(snippet.commits):
            yield snippet.id, world.shapes.snippet_commit(one, snippet)


KINDS: dict[str, OfWorkspace] = {
    "workspaces": _workspace,
    "members": _members,
    "permissions": _permissions,
    "workspace_repository_permissions": _repository_permissions,
    "workspace_hooks": _hooks,
    "workspace_variables": _variables,
    "workspace_runners": _runners,
    "projects": _projects,
    "project_default_reviewers": _project_reviewers,
    "project_user_permissions": _project_users,
    "project_group_permissions": _project_groups,
    "project_branching_models": _project_models,
    "project_branching_model_settings": _project_model_settings,
    "project_deploy_keys": _project_deploy_keys,
    "snippets": _snippets,
    "snippet_comments": _snippet_comments,
    "snippet_commits": _snippet_commits,
}
