"""How a repository is set up: branches, keys, what it takes over from its project."""

from __future__ import annotations

from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.scopes import RepositoryStream


class BranchRestrictions(RepositoryStream):
    """What may be done to which branches, and what a merge has to wait for."""

    name = "branch_restrictions"
    path = "/repositories/{workspace}/{repository}/branch-restrictions"
    primary_keys = ("repository_uuid", "id")
    incremental = FullTable()
    scope = "repository:admin"
    admin = True
    selected_by_default = False


class BranchingModels(RepositoryStream):
    """How branches are named, as it is in effect."""

    name = "branching_models"
    path = "/repositories/{workspace}/{repository}/branching-model"
    primary_keys = ("repository_uuid",)
    incremental = FullTable()
    paging = Paging.ENTITY
    selected_by_default = False


class BranchingModelSettings(RepositoryStream):
    """How branches are named, as it is set."""

    name = "branching_model_settings"
    path = "/repositories/{workspace}/{repository}/branching-model/settings"
    primary_keys = ("repository_uuid",)
    incremental = FullTable()
    scope = "repository:admin"
    paging = Paging.ENTITY
    admin = True
    selected_by_default = False


class DeployKeys(RepositoryStream):
    """The SSH keys that may read a repository."""

    name = "deploy_keys"
    path = "/repositories/{workspace}/{repository}/deploy-keys"
    primary_keys = ("repository_uuid", "id")
    incremental = FullTable()
    scope = "repository, repository:admin"
    admin = True
    selected_by_default = False


class RepositoryOverrideSettings(RepositoryStream):
    """Which settings a repository does not take over from its project."""

    name = "repository_override_settings"
    path = "/repositories/{workspace}/{repository}/override-settings"
    primary_keys = ("repository_uuid",)
    incremental = FullTable()
    scope = "repository:admin"
    paging = Paging.ENTITY
    admin = True
    selected_by_default = False
