"""The truth about repositories and what is set up in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Repository
from tap_bitbucket.demo.truth.kinds import OfRepository, Rows
from tap_bitbucket.demo.views import effective_model, effective_reviewers, forks_of, own_model

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World


def _repository(world: World, repo: Repository) -> Rows:
    yield None, world.shapes.repository(repo)


def _default_reviewers(world: World, repo: Repository) -> Rows:
    for user in repo.default_reviewers:
        yield None, world.shapes.account(user)


def _effective_reviewers(world: World, repo: Repository) -> Rows:
    for user, kind in effective_reviewers(repo):
        yield None, world.shapes.default_reviewer(user, kind)


def _restrictions(world: World, repo: Repository) -> Rows:
    for one in repo.restrictions:
        yield None, world.shapes.restriction(one, repo)


def _model(world: World, repo: Repository) -> Rows:
    yield None, world.shapes.branching_model(own_model(repo), repo)


def _effective_model(world: World, repo: Repository) -> Rows:
    kind = "effective_repo_branching_model"
    yield None, world.shapes.branching_model(effective_model(repo), repo, kind)


def _model_settings(world: World, repo: Repository) -> Rows:
    yield None, world.shapes.branching_settings(own_model(repo), repo)


def _deploy_keys(world: World, repo: Repository) -> Rows:
    for one in repo.deploy_keys:
        yield None, world.shapes.deploy_key(one)


def _hooks(world: World, repo: Repository) -> Rows:
    for one in repo.hooks:
        yield None, world.shapes.hook(one, repo)


def _users(world: World, repo: Repository) -> Rows:
    for uuid, given in repo.permissions.items():
        yield None, world.shapes.user_grant(repo, world.user(uuid), given)


def _groups(world: World, repo: Repository) -> Rows:
    for slug, given in repo.group_permissions.items():
        yield None, world.shapes.group_grant(repo, repo.workspace.groups[slug], given)


def _override_settings(world: World, repo: Repository) -> Rows:
    yield None, world.shapes.override_settings(repo)


def _downloads(world: World, repo: Repository) -> Rows:
    for one in repo.downloads:
        yield None, world.shapes.download(one, repo)


def _forks(world: World, repo: Repository) -> Rows:
    for one in forks_of(world, repo):
        yield None, world.shapes.repository(one)


def _watchers(world: World, repo: Repository) -> Rows:
    for one in repo.watchers:
        yield None, world.shapes.account(one)


KINDS: dict[str, OfRepository] = {
    "repositories": _repository,
    "default_reviewers": _default_reviewers,
    "effective_default_reviewers": _effective_reviewers,
    "branch_restrictions": _restrictions,
    "branching_models": _model,
    "effective_branching_models": _effective_model,
    "branching_model_settings": _model_settings,
    "deploy_keys": _deploy_keys,
    "repository_hooks": _hooks,
    "repository_user_permissions": _users,
    "repository_group_permissions": _groups,
    "repository_override_settings": _override_settings,
    "downloads": _downloads,
    "forks": _forks,
    "watchers": _watchers,
}
