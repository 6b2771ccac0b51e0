"""How what is set up looks: webhooks, restrictions, variables, branching models, downloads."""

from __future__ import annotations

from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import (
    BranchingModel,
    Download,
    Group,
    Hook,
    ModelBranch,
    Project,
    Repository,
    Restriction,
    User,
    Variable,
    Workspace,
)
from tap_bitbucket.demo.shapes.base import WEB, Json, links
from tap_bitbucket.demo.shapes.places import PlaceShapes


class SetupShapes(PlaceShapes):
    """Settings of workspaces, projects and repositories."""

    def hook(self, hook: Hook, place: Repository | Workspace) -> Json:
        """Show a webhook; the secret is never told."""
        if isinstance(place, Repository):
            subject, kind = self.repository_ref(place), "repository"
            own = f"{self.base}/repositories/{place.full_name}/hooks/{quote(hook.uuid)}"
        else:
            subject, kind = self.workspace_ref(place), "workspace"
            own = f"{self.base}/workspaces/{place.slug}/hooks/{quote(hook.uuid)}"
        return {
            "type": "webhook_subscription",
            "uuid": hook.uuid,
            "url": hook.url,
            "description": hook.description,
            "subject_type": kind,
            "subject": subject,
            "active": hook.active,
            "events": list(hook.events),
            "created_at": times.pipelines(hook.created_on),
            "source": hook.source,
            "read_only": hook.read_only,
            "history_enabled": True,
            "secret_set": hook.secret is not None,
            "skip_cert_verification": False,
            "links": links(self=own),
        }

    def restriction(self, restriction: Restriction, repo: Repository) -> Json:
        """Show a branch restriction; `value` is null for kinds without a number."""
        own = f"{self.base}/repositories/{repo.full_name}/branch-restrictions/{restriction.id}"
        row: Json = {
            "type": "branchrestriction",
            "id": restriction.id,
            "kind": restriction.kind,
            "branch_match_kind": "branching_model" if restriction.branch_type else "glob",
            "pattern": restriction.pattern,
            "value": restriction.value,
            "users": [self.account(user) for user in restriction.users],
            "groups": [self.group(group) for group in restriction.groups],
            "links": links(self=own),
        }
        if restriction.branch_type:
            row["branch_type"] = restriction.branch_type
        return row

    def variable(self, variable: Variable, kind: str = "pipeline_variable") -> Json:
        """Show a variable; a secured one has no `value` key."""
        row: Json = {
            "type": kind,
            "uuid": variable.uuid,
            "key": variable.key,
            "secured": variable.secured,
        }
        if not variable.secured:
            row["value"] = variable.value
        return row

    # -- explicit permissions --------------------------------------------------------------

    def group(self, group: Group) -> Json:
        """Embed a group."""
        return {
            "type": "group",
            "name": group.name,
            "slug": group.slug,
            "full_slug": f"{group.workspace.slug}:{group.slug}",
        }

    def _permissions_of(self, place: Repository | Project) -> tuple[str, str]:
        if isinstance(place, Repository):
            return "repository", f"{self.base}/repositories/{place.full_name}/permissions-config"
        own = f"{self.base}/workspaces/{place.workspace.slug}/projects/{place.key}"
        return "project", f"{own}/permissions-config"

    def user_grant(self, place: Repository | Project, user: User, permission: str) -> Json:
        """Show what was explicitly given to somebody."""
        kind, own = self._permissions_of(place)
        return {
            "type": f"{kind}_user_permission",
            "permission": permission,
            "user": self.account(user),
            "links": links(self=f"{own}/users/{user.account_id or quote(user.uuid)}"),
        }

    def group_grant(self, place: Repository | Project, group: Group, permission: str) -> Json:
        """Show what was explicitly given to a group."""
        kind, own = self._permissions_of(place)
        return {
            "type": f"{kind}_group_permission",
            "permission": permission,
            "group": self.group(group),
            "links": links(self=f"{own}/groups/{group.slug}"),
        }

    # -- branching models ------------------------------------------------------------------

    def _model_branch(self, branch: ModelBranch, repo: Repository | None) -> Json:
        """Show one of the two branches; `branch` is absent when it is not there."""
        main = repo.mainbranch if repo is not None else "main"
        name = main if branch.use_mainbranch else branch.name
        row: Json = {"name": name, "use_mainbranch": branch.use_mainbranch}
        if repo is not None and name in repo.branches:
            target = {"type": "commit", "hash": repo.branches[name]}
            row["branch"] = {"type": "branch", "name": name, "target": target}
        return row

    def branching_model(
        self, model: BranchingModel, place: Repository | Project, kind: str = ""
    ) -> Json:
        """Show a branching model: only what is switched on; `production` may be absent."""
        repo = place if isinstance(place, Repository) else None
        row: Json = {
            "type": kind or ("branching_model" if repo else "project_branching_model"),
            "branch_types": [
                {"kind": one.kind, "prefix": one.prefix}
                for one in model.branch_types
                if one.enabled
            ],
            "development": self._model_branch(model.development, repo),
            "links": links(self=f"{self._own(place)}/branching-model"),
        }
        if model.production.enabled:
            row["production"] = self._model_branch(model.production, repo)
        return row

    def _own(self, place: Repository | Project) -> str:
        if isinstance(place, Repository):
            return f"{self.base}/repositories/{place.full_name}"
        return f"{self.base}/workspaces/{place.workspace.slug}/projects/{place.key}"

    def branching_settings(self, model: BranchingModel, place: Repository | Project) -> Json:
        """Show a branching model as it is set; the flag for deletion is a string here."""
        rows = {}
        for name, one in (("development", model.development), ("production", model.production)):
            rows[name] = {"name": one.name, "use_mainbranch": one.use_mainbranch}
            if isinstance(place, Repository):
                rows[name]["is_valid"] = one.is_valid
        rows["production"]["enabled"] = model.production.enabled
        return {
            "type": "branching_model_settings",
            "branch_types": [
                {"kind": one.kind, "prefix": one.prefix, "enabled": one.enabled}
                for one in model.branch_types
            ],
            **rows,
            "default_branch_deletion": str(model.default_branch_deletion).lower(),
            "links": links(self=f"{self._own(place)}/branching-model/settings"),
        }

    # -- the rest --------------------------------------------------------------------------

    def override_settings(self, repo: Repository) -> Json:
        """Show which settings a repository does not take from its project."""
        return {
            "type": "repository_inheritance_state",
            "override_settings": dict(repo.override_settings),
        }

    def default_reviewer(self, user: User, kind: str) -> Json:
        """Show a default reviewer, and where that was set."""
        return {"type": "default_reviewer", "reviewer_type": kind, "user": self.account(user)}

    def download(self, download: Download, repo: Repository) -> Json:
        """Show a file that is up for download."""
        name = quote(download.name)
        own = f"{self.base}/repositories/{repo.full_name}/downloads/{name}"
        web = f"{WEB}/{repo.full_name}/downloads/{name}"
        return {
            "type": "download",
            "name": download.name,
            "size": download.size,
            "downloads": download.downloads,
            "user": self.account(download.user) if download.user else None,
            "created_on": times.core(download.created_on),
            "links": links(self=own, html=web),
        }
