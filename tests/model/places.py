"""What happens to repositories, projects, and to who may do what in them."""

from __future__ import annotations

from tap_bitbucket.demo.model import Repository
from tests.model.changes import Actors, any_of

_MOST = 6
"""Repositories at most: each costs a run a dozen requests."""


class Owners(Actors):
    """People who make, move and delete places."""

    def found(self, which: int, how: int) -> None:
        """Make a repository: with a commit, empty, or as a fork; sometimes by a name of before."""
        if len(self.repositories) >= _MOST:
            return
        free = [name for name in ("api", "web") if name not in self.workspace.repositories]
        slug = free[0] if free and how % 4 == 0 else self.name("repo")
        origin = any_of(self.filled, which) if how % 3 == 2 else None
        project = any_of(list(self.workspace.projects), how)
        made = self.world.add_repository(
            self.workspace, slug, project=project, empty=how % 3 == 1, fork_of=origin
        )
        self.world.add_environment(made, "Production", "Production")

    def rename(self, which: int, how: int) -> None:
        """Rename a repository, sometimes to the name of one that is gone."""
        repo = any_of(self.repositories, which)
        if repo is None:
            return
        taken = repo.workspace.repositories
        free = [name for name in ("api", "web") if name not in taken]
        self.world.rename_repository(repo, free[0] if free and how % 2 else self.name("renamed"))

    def move(self, which: int, how: int) -> None:
        """Move a repository to another project, or to another workspace."""
        repo = any_of(self.repositories, which)
        if repo is None:
            return
        others = [one for one in self.world.workspaces.values() if one is not repo.workspace]
        where = others[0] if how % 3 == 2 and others else repo.workspace
        project = any_of(list(where.projects), how)
        if project is None or (where is not repo.workspace and repo.slug in where.repositories):
            return
        if where is repo.workspace:
            self.world.move_project(repo, project)
        else:
            self.world.transfer_repository(repo, where, project)

    def empty(self, which: int, how: int) -> None:  # noqa: ARG002
        """Delete all branches and tags of a repository in which no pull request is open."""
        repo = any_of(self.filled, which)
        if repo is None or any(repo in _places(one) for one in self.requests("OPEN")):
            return
        for branch in list(repo.branches):
            self.world.delete_branch(repo, branch)
        for tag in list(repo.tags):
            self.world.delete_tag(repo, tag)
        repo.mainbranch = None

    def vanish(self, which: int, how: int) -> None:  # noqa: ARG002
        """Delete a repository."""
        repo = any_of(self.repositories, which)
        if repo is not None and len(self.repositories) > 1:
            self.world.delete_repository(repo)

    def describe(self, which: int, how: int) -> None:
        """Describe a repository or a project anew, or give a project another key."""
        repo = any_of(self.repositories, which)
        project = any_of(list(self.workspace.projects.values()), which)
        if how % 3 == 0 and repo is not None:
            self.world.update_repository(repo, self.name("description"))
        elif how % 3 == 1 and project is not None:
            self.world.update_project(project, name=self.name("project"))
        elif project is not None:
            self.world.change_key(project, self.name("key").upper().replace("-", ""))

    def project(self, which: int, how: int) -> None:
        """Add a project, or delete one without repositories."""
        held = {one.project.uuid for one in self.repositories}
        projects = list(self.workspace.projects.values())
        free = any_of([one for one in projects if one.uuid not in held], which)
        if free is not None and len(projects) > 1 and how % 2:
            del self.workspace.projects[free.key]
        else:
            self.world.add_project(self.workspace, self.name("P").upper().replace("-", ""))

    def permit(self, which: int, how: int) -> None:
        """Give somebody a permission, or take it away; the same of groups and reviewers."""
        repo, who = any_of(self.repositories, which), self.story.who(("bob", "cem")[how % 2])
        group = self.workspace.groups["developers"]
        if repo is None:
            return
        if how % 3 == 0:
            if who.uuid in repo.permissions and how % 4 < 2:
                self.world.remove_permission(repo, who)
            else:
                self.world.set_permission(repo, who, ("read", "write", "admin")[how // 3 % 3])
        elif how % 3 == 1 and repo.workspace is self.workspace:
            if group.slug in repo.group_permissions:
                self.world.remove_permission(repo, group)
            else:
                self.world.set_permission(repo, group, "write")
        else:
            self.world.set_default_reviewers(repo, *([who] if how % 4 else []))

    def member(self, which: int, how: int) -> None:
        """Let somebody join or leave."""
        there = [one.user for one in self.workspace.members]
        gone = any_of(there[1:], which)
        if how % 2 and gone is not None and gone.nickname not in {"bob", "cem"}:
            self.world.remove_member(self.workspace, gone)
        else:
            self.world.add_member(self.workspace, self.world.add_user(self.name("user")))

    def hook(self, which: int, how: int) -> None:
        """Add a webhook, or delete one."""
        repo = any_of(self.repositories, which)
        if repo is not None and repo.hooks and how % 2:
            self.world.delete_hook(repo, repo.hooks[0])
        elif repo is not None:
            self.world.add_hook(repo, f"https://{self.name('hook')}.example.com", ["repo:push"])

    def forbid(self, which: int, how: int) -> None:
        """Forbid a repository."""
        repo = any_of(self.repositories, which)
        if repo is not None:
            self.world.forbid(repo, (403, 404)[how % 2])

    def allow(self, which: int, how: int) -> None:  # noqa: ARG002
        """Allow a repository again."""
        repo = any_of([one for one in self.repositories if one.refused], which)
        if repo is not None:
            self.world.allow(repo)


def _places(request: object) -> tuple[Repository | None, Repository | None]:
    repo: Repository | None = getattr(request, "repository", None)
    source: Repository | None = getattr(request, "source_repository", None)
    return repo, source
