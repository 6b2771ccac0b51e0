"""Changes to people, workspaces, projects and repositories."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import (
    EmailAddress,
    Member,
    Project,
    Repository,
    User,
    Workspace,
)


class Places(Ground):
    """The world's people and places."""

    @change
    def add_user(
        self,
        display_name: str,
        kind: str = "user",
        *,
        deleted: bool = False,
        nickname: str | None = None,
        email: str | None = None,
        app_kind: str = "repository_access_token",
    ) -> User:
        """Add somebody; `deleted` makes the "Former user" that a closed account becomes."""
        uuid = self._uuid("user")
        handle = "".join(display_name.lower().split())
        user = User(
            uuid=uuid,
            account_id=f"712020:{uuid[1:-1]}",
            display_name="Former user" if deleted else display_name,
            nickname="Former user" if deleted else (nickname or display_name),
            created_on=self.now() - timedelta(days=900),
            kind=kind,
            email=email or f"{handle}@example.com",
            deleted=deleted,
            app_kind=app_kind,
        )
        if kind == "user":
            user.emails.append(EmailAddress(user.email, is_primary=True))
        self.users[uuid] = user
        return user

    @change
    def delete_user(self, user: User) -> None:
        """Close an account: it becomes a "Former user" and keeps its ids."""
        user.deleted = True
        user.display_name = user.nickname = "Former user"

    @change
    def add_workspace(
        self, slug: str, name: str | None = None, *, is_private: bool = True
    ) -> Workspace:
        """Add a workspace."""
        now = self.now.stamp()
        made = Workspace(self._uuid("workspace"), slug, name or slug, now, now, is_private)
        self.workspaces[slug] = made
        return made

    @change
    def add_member(
        self, workspace: str | Workspace, user: User, permission: str = "member"
    ) -> Member:
        """Give somebody a place: `owner`, `collaborator` or `member`."""
        where = self._workspace(workspace)
        member = Member(where, user, permission)
        where.members.append(member)
        return member

    @change
    def remove_member(self, workspace: str | Workspace, user: User) -> None:
        """Take somebody out of a workspace."""
        where = self._workspace(workspace)
        where.members = [member for member in where.members if member.user is not user]

    @change
    def add_project(
        self,
        workspace: str | Workspace,
        key: str,
        name: str | None = None,
        *,
        description: str | None = None,
        is_private: bool = True,
    ) -> Project:
        """Add a project."""
        where = self._workspace(workspace)
        now = self.now.stamp()
        uuid = self._uuid("project")
        made = Project(where, uuid, key, name or key, description, is_private, now, now)
        where.projects[key] = made
        return made

    @change
    def update_project(
        self, project: Project, *, name: str | None = None, description: str | None = None
    ) -> None:
        """Rename or describe a project."""
        project.name = name or project.name
        project.description = description or project.description
        project.updated_on = self.now.stamp()

    @change
    def change_key(self, project: Project, key: str) -> None:
        """Give a project another key; its repositories do not say that anything changed."""
        del project.workspace.projects[project.key]
        project.key = key
        project.workspace.projects[key] = project
        project.updated_on = self.now.stamp()

    @change
    def rename_workspace(self, workspace: str | Workspace, name: str) -> None:
        """Give a workspace another name to show; its slug stays."""
        it = self._workspace(workspace)
        it.name, it.updated_on = name, self.now.stamp()

    def _owner(self, workspace: Workspace) -> User:
        """Show a workspace as the team that owns its repositories."""
        for user in self.users.values():
            if user.uuid == workspace.uuid:
                return user
        team = User(
            workspace.uuid, "", workspace.name, workspace.slug, workspace.created_on, "team"
        )
        self.users[team.uuid] = team
        return team

    @change
    def add_repository(
        self,
        workspace: str | Workspace,
        slug: str,
        *,
        project: str | Project | None = None,
        name: str | None = None,
        empty: bool = False,
        fork_of: str | Repository | None = None,
        is_private: bool = True,
        description: str = "",
        language: str = "",
    ) -> Repository:
        """Add a repository: with a first commit, or empty, or as a fork of another one."""
        where = self._workspace(workspace)
        if project is None:
            project = next(iter(where.projects), None) or self.add_project(where, "PROJ")
        holder = project if isinstance(project, Project) else where.projects[project]
        now = self.now.stamp()
        made = Repository(
            uuid=self._uuid("repository"),
            workspace=where,
            project=holder,
            slug=slug,
            name=name or slug,
            description=description,
            owner=self._owner(where),
            created_on=now,
            updated_on=now,
            is_private=is_private,
            language=language,
        )
        where.repositories[slug] = made
        where.moved.pop(slug, None)
        if fork_of is not None:
            origin = self.repository(fork_of)
            made.parent = origin
            made.mainbranch, made.size = origin.mainbranch, origin.size
            made.objects, made.branches = dict(origin.objects), dict(origin.branches)
            made.language = origin.language
        elif not empty:
            self.push(made, "main", messages=["Initial commit"])
        return made

    def push(self, repo: str | Repository, branch: str, **how: Any) -> list[str]:
        """Push commits; see `Histories`."""
        raise NotImplementedError

    @change
    def rename_repository(self, repo: str | Repository, slug: str) -> None:
        """Give a repository another slug; the old one redirects until it is used again."""
        it = self.repository(repo)
        del it.workspace.repositories[it.slug]
        it.workspace.moved[it.slug] = it
        it.slug = it.name = slug
        it.workspace.repositories[slug] = it
        it.updated_on = self.now.stamp()

    @change
    def move_project(self, repo: str | Repository, project: str | Project) -> None:
        """Put a repository into another project."""
        it = self.repository(repo)
        it.project = project if isinstance(project, Project) else it.workspace.projects[project]
        it.updated_on = self.now.stamp()

    @change
    def transfer_repository(
        self, repo: str | Repository, workspace: str | Workspace, project: str | Project
    ) -> None:
        """Give a repository to another workspace: it keeps its uuid, but no groups' rights.

        Its old address does not redirect.
        """
        it, where = self.repository(repo), self._workspace(workspace)
        del it.workspace.repositories[it.slug]
        it.workspace = where
        it.project = project if isinstance(project, Project) else where.projects[project]
        it.owner = self._owner(where)
        it.group_permissions = {}
        it.updated_on = self.now.stamp()
        where.repositories[it.slug] = it
        where.moved.pop(it.slug, None)

    @change
    def update_repository(self, repo: str | Repository, description: str) -> None:
        """Describe a repository anew."""
        it = self.repository(repo)
        it.description = description
        it.updated_on = self.now.stamp()

    @change
    def delete_repository(self, repo: str | Repository) -> None:
        """Delete a repository: pull requests from it lose their source, forks their parent."""
        it = self.repository(repo)
        del it.workspace.repositories[it.slug]
        for other in self.repositories():
            if other.parent is it:
                other.parent = None
            for pull_request in other.pull_requests.values():
                if pull_request.source_repository is it:
                    pull_request.source_repository = None

    @change
    def forbid(self, what: str | Repository | Workspace, status: int = 403) -> None:
        """Refuse a repository (`ws/slug`) or a workspace (`ws`), though it stays listed."""
        self._refusable(what).refused = status

    @change
    def allow(self, what: str | Repository | Workspace) -> None:
        """Take a `forbid` back."""
        self._refusable(what).refused = None

    def _refusable(self, what: str | Repository | Workspace) -> Repository | Workspace:
        if isinstance(what, str):
            return self.repository(what) if "/" in what else self.workspace(what)
        return what

    @change
    def disable_pipelines(self, repo: str | Repository, *, never: bool = True) -> None:
        """Switch Pipelines off: its endpoints answer 404.

        Only when it was on once (not `never`) the configuration is still there, and says so.
        """
        it = self.repository(repo)
        it.pipelines_enabled, it.pipelines_configured = False, not never

    @change
    def enable_pipelines(self, repo: str | Repository) -> None:
        """Switch Pipelines on."""
        it = self.repository(repo)
        it.pipelines_enabled = it.pipelines_configured = True

    @change
    def show_clone_user(self, repo: str | Repository, user_info: str) -> None:
        """Put user info (`name` or `name:password`) into a repository's clone URL."""
        self.repository(repo).clone_user = user_info
        _, _, password = user_info.partition(":")
        if password:
            self.plant(password)
