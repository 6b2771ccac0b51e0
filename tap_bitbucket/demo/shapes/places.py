"""How people, workspaces, projects and repositories look."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import (
    Hook,
    Member,
    Project,
    Repository,
    Restriction,
    User,
    Variable,
    Workspace,
)

Json = dict[str, Any]
WEB = "https://bitbucket.org"


def links(**hrefs: str) -> Json:
    """Write links as Bitbucket does: `{name: {href}}`."""
    return {name: {"href": href} for name, href in hrefs.items()}


def rendered(raw: str) -> Json:
    """Write text in its three forms."""
    html = f"<p>{raw.strip()}</p>" if raw.strip() else ""
    return {"type": "rendered", "raw": raw, "markup": "markdown", "html": html}


class PlaceShapes:
    """People and places; the condensed forms are cached, they are part of every row."""

    def __init__(self, base: str) -> None:
        """Render with links below `base` (`…/2.0`)."""
        self.base = base
        self._accounts: dict[tuple[str, str], Json] = {}
        self._repositories: dict[tuple[str, str], Json] = {}

    # -- people ----------------------------------------------------------------------------

    def account(self, user: User) -> Json:
        """Embed somebody: a user, a team (no account id) or an app user (avatar link only)."""
        key = (user.uuid, user.display_name)
        if key not in self._accounts:
            self._accounts[key] = self._account(user)
        return self._accounts[key]

    def _account(self, user: User) -> Json:
        quoted = quote(user.uuid)
        avatar = f"https://avatar-management.example.net/initials/{user.display_name[:1]}.png"
        if user.deleted:
            avatar = "https://avatar-management.example.net/default-avatar.png"
        base = {"type": user.kind, "display_name": user.display_name, "uuid": user.uuid}
        if user.kind == "app_user":
            return base | {
                "account_id": user.account_id,
                "account_status": "active",
                "kind": user.app_kind,
                "created_on": times.core(user.created_on),
                "links": links(avatar=avatar),
            }
        where = links(self=f"{self.base}/users/{quoted}", avatar=avatar, html=f"{WEB}/{quoted}/")
        if user.kind == "team":
            return base | {"username": user.nickname, "links": where}
        return base | {
            "account_id": user.account_id,
            "nickname": user.nickname,
            "links": where,
        }

    def user(self, user: User) -> Json:
        """Show somebody by themselves."""
        more = {"created_on": times.core(user.created_on)}
        if user.kind != "user":
            return self.account(user) | more
        status = "closed" if user.deleted else "active"
        return self.account(user) | more | {
            "account_status": status, "is_staff": False, "location": None,
        }  # fmt: skip

    # -- workspaces ------------------------------------------------------------------------

    def workspace_base(self, workspace: Workspace) -> Json:
        """Show a workspace as `/user/workspaces` does: without its name."""
        own = f"{self.base}/workspaces/{workspace.slug}"
        return {
            "type": "workspace_base",
            "uuid": workspace.uuid,
            "slug": workspace.slug,
            "links": links(self=own, avatar=f"{WEB}/workspaces/{workspace.slug}/avatar/"),
        }

    def workspace_ref(self, workspace: Workspace) -> Json:
        """Embed a workspace."""
        own = f"{self.base}/workspaces/{workspace.slug}"
        avatar = f"{WEB}/workspaces/{workspace.slug}/avatar/"
        return {
            "type": "workspace",
            "uuid": workspace.uuid,
            "name": workspace.name,
            "slug": workspace.slug,
            "links": links(self=own, html=f"{WEB}/{workspace.slug}/", avatar=avatar),
        }

    def workspace(self, workspace: Workspace) -> Json:
        """Show a workspace."""
        own = f"{self.base}/workspaces/{workspace.slug}"
        return self.workspace_ref(workspace) | {
            "is_private": workspace.is_private,
            "is_personal": workspace.is_personal,
            "is_privacy_enforced": False,
            "forking_mode": workspace.forking_mode,
            "created_on": times.core(workspace.created_on),
            "updated_on": times.core(workspace.updated_on),
            "links": links(
                self=own,
                html=f"{WEB}/{workspace.slug}/",
                avatar=f"{WEB}/workspaces/{workspace.slug}/avatar/",
                members=f"{own}/members",
                owners=f'{own}/members?q=permission%3D"owner"',
                projects=f"{own}/projects",
                repositories=f"{self.base}/repositories/{workspace.slug}",
                snippets=f"{self.base}/snippets/{workspace.slug}",
                hooks=f"{own}/hooks",
            ),
        }

    def member(self, member: Member) -> Json:
        """Show a membership; who is what is told by `/permissions` only."""
        where = f"{self.base}/workspaces/{member.workspace.slug}/members"
        return {
            "type": "workspace_membership",
            "user": self.account(member.user),
            "workspace": self.workspace_ref(member.workspace),
            "links": links(self=f"{where}/{quote(member.user.uuid)}"),
        }

    def permission(self, member: Member) -> Json:
        """Show a membership with its role, a field that the documentation leaves out."""
        return self.member(member) | {"permission": member.permission}

    def repository_permission(self, row: tuple[Repository, User, str]) -> Json:
        """Show what somebody may do with a repository."""
        repo, user, permission = row
        return {
            "type": "repository_permission",
            "permission": permission,
            "user": self.account(user),
            "repository": self.repository_ref(repo),
        }

    # -- projects and repositories ---------------------------------------------------------

    def project_ref(self, project: Project) -> Json:
        """Embed a project."""
        own = f"{self.base}/workspaces/{project.workspace.slug}/projects/{project.key}"
        web = f"{WEB}/{project.workspace.slug}/workspace/projects/{project.key}"
        return {
            "type": "project",
            "key": project.key,
            "uuid": project.uuid,
            "name": project.name,
            "links": links(self=own, html=web, avatar=f"{web}/avatar/32"),
        }

    def project(self, project: Project) -> Json:
        """Show a project."""
        slug = project.workspace.slug
        owner = User(
            project.workspace.uuid, "", project.workspace.name, slug, project.created_on, "team"
        )
        ref = self.project_ref(project)
        repositories = f'{self.base}/repositories/{slug}?q=project.key%3D"{project.key}"'
        return ref | {
            "owner": self.account(owner),
            "workspace": self.workspace_ref(project.workspace),
            "description": project.description,
            "is_private": project.is_private,
            "has_publicly_visible_repos": False,
            "created_on": times.core(project.created_on),
            "updated_on": times.core(project.updated_on),
            "links": ref["links"] | links(repositories=repositories),
        }

    def repository_ref(self, repo: Repository) -> Json:
        """Embed a repository."""
        key = (repo.uuid, repo.full_name)
        if key not in self._repositories:
            avatar = f"https://bytebucket.org/ravatar/{quote(repo.uuid)}?ts=default"
            self._repositories[key] = {
                "type": "repository",
                "full_name": repo.full_name,
                "name": repo.name,
                "uuid": repo.uuid,
                "links": links(
                    self=f"{self.base}/repositories/{repo.full_name}",
                    html=f"{WEB}/{repo.full_name}",
                    avatar=avatar,
                ),
            }
        return self._repositories[key]

    def repository(self, repo: Repository) -> Json:
        """Show a repository."""
        own = f"{self.base}/repositories/{repo.full_name}"
        ref = self.repository_ref(repo)
        below = {
            name: f"{own}/{path}"
            for name, path in (
                ("pullrequests", "pullrequests"), ("commits", "commits"), ("forks", "forks"),
                ("watchers", "watchers"), ("branches", "refs/branches"), ("tags", "refs/tags"),
                ("downloads", "downloads"), ("source", "src"), ("hooks", "hooks"),
            )
        }  # fmt: skip
        clone: Any = [
            {"name": "https", "href": f"https://reader@bitbucket.org/{repo.full_name}.git"},
            {"name": "ssh", "href": f"git@bitbucket.org:{repo.full_name}.git"},
        ]
        main = {"type": "branch", "name": repo.mainbranch} if repo.mainbranch else None
        return ref | {
            "slug": repo.slug,
            "description": repo.description,
            "scm": "git",
            "website": repo.website,
            "owner": self.account(repo.owner),
            "workspace": self.workspace_ref(repo.workspace),
            "project": self.project_ref(repo.project),
            "is_private": repo.is_private,
            "parent": self.repository_ref(repo.parent) if repo.parent else None,
            "fork_policy": repo.fork_policy,
            "language": repo.language,
            "size": repo.size,
            "has_issues": False,
            "has_wiki": False,
            "mainbranch": main,
            "enforced_signed_commits": None,
            "override_settings": {
                "default_merge_strategy": True,
                "branching_model": True,
            },
            "created_on": times.core(repo.created_on),
            "updated_on": times.core(repo.updated_on),
            "links": ref["links"] | links(**below) | {"clone": clone},
        }

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
            "source": None,
            "read_only": None,
            "history_enabled": True,
            "secret_set": False,
            "skip_cert_verification": False,
            "links": links(self=own),
        }

    def restriction(self, restriction: Restriction, repo: Repository) -> Json:
        """Show a branch restriction; `value` is null for kinds without a number."""
        own = f"{self.base}/repositories/{repo.full_name}/branch-restrictions/{restriction.id}"
        return {
            "type": "branchrestriction",
            "id": restriction.id,
            "kind": restriction.kind,
            "branch_match_kind": "glob",
            "pattern": restriction.pattern,
            "value": restriction.value,
            "users": [self.account(user) for user in restriction.users],
            "groups": [],
            "links": links(self=own),
        }

    def variable(self, variable: Variable) -> Json:
        """Show a pipeline variable; a secured one has no `value` key."""
        row: Json = {
            "type": "pipeline_variable",
            "uuid": variable.uuid,
            "key": variable.key,
            "secured": variable.secured,
        }
        if not variable.secured:
            row["value"] = variable.value
        return row
