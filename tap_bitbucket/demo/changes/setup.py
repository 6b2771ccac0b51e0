"""Changes to what is set up in workspaces, projects and repositories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import (
    BranchingModel,
    Download,
    Environment,
    Group,
    Hook,
    ModelBranch,
    Project,
    Repository,
    Restriction,
    TreeFile,
    User,
    Variable,
    Workspace,
)


class Setup(Ground):
    """The world's settings: reviewers, variables, webhooks, restrictions, branching models."""

    @change
    def set_default_reviewers(self, place: str | Repository | Project, *users: User) -> None:
        """Say who reviews by default, in a repository or a project."""
        it = place if isinstance(place, Project) else self.repository(place)
        it.default_reviewers = list(users)

    # -- variables -------------------------------------------------------------------------

    @change
    def add_variable(
        self,
        place: str | Repository | Workspace | Environment,
        key: str,
        value: str,
        *,
        secured: bool = False,
    ) -> Variable:
        """Add a pipeline variable to a repository, a workspace or an environment."""
        it = place if isinstance(place, Workspace | Environment) else self.repository(place)
        made = Variable(self._uuid("variable"), key, value, secured)
        if secured:
            self.plant(value)
        it.variables.append(made)
        return made

    @change
    def set_variable(self, variable: Variable, value: str, *, secured: bool | None = None) -> None:
        """Give a variable another value."""
        variable.value = value
        variable.secured = variable.secured if secured is None else secured
        if variable.secured:
            self.plant(value)

    @change
    def delete_variable(
        self, place: str | Repository | Workspace | Environment, variable: Variable
    ) -> None:
        """Delete a variable."""
        it = place if isinstance(place, Workspace | Environment) else self.repository(place)
        it.variables.remove(variable)

    # -- webhooks --------------------------------------------------------------------------

    @change
    def add_hook(
        self,
        place: str | Repository | Workspace,
        url: str,
        events: list[str],
        *,
        description: str = "",
        secret: str | None = None,
    ) -> Hook:
        """Add a webhook to a repository or a workspace."""
        it = place if isinstance(place, Workspace) else self.repository(place)
        made = Hook(self._uuid("hook"), url, description, events, self.now.stamp(), secret=secret)
        if secret is not None:
            self.plant(secret)
        it.hooks.append(made)
        return made

    @change
    def update_hook(
        self, hook: Hook, *, url: str | None = None, active: bool | None = None
    ) -> None:
        """Let a webhook call another place, or switch it off or on."""
        hook.url = url or hook.url
        hook.active = hook.active if active is None else active

    @change
    def delete_hook(self, place: str | Repository | Workspace, hook: Hook) -> None:
        """Delete a webhook."""
        it = place if isinstance(place, Workspace) else self.repository(place)
        it.hooks.remove(hook)

    # -- branches --------------------------------------------------------------------------

    @change
    def add_restriction(
        self,
        repo: str | Repository,
        kind: str,
        pattern: str,
        value: int | None = None,
        *,
        users: Sequence[User] = (),
        groups: Sequence[Group] = (),
        branch_type: str | None = None,
    ) -> Restriction:
        """Restrict branches."""
        number = 17_000_000 + self._next()
        made = Restriction(
            number, kind, pattern, value, list(users), list(groups), branch_type
        )  # fmt: skip
        self.repository(repo).restrictions.append(made)
        return made

    @change
    def update_restriction(self, restriction: Restriction, value: int | None) -> None:
        """Give a restriction another number."""
        restriction.value = value

    @change
    def delete_restriction(self, repo: str | Repository, restriction: Restriction) -> None:
        """Lift a restriction."""
        self.repository(repo).restrictions.remove(restriction)

    @change
    def set_branching_model(
        self,
        place: str | Repository | Project,
        *,
        development: str | None = None,
        production: str | None = None,
        prefixes: dict[str, str | None] | None = None,
        is_valid: bool | None = True,
    ) -> BranchingModel:
        """Set up a branching model; without `development` the main branch is developed on.

        `prefixes` says how branches of a kind begin; None switches the kind off.
        """
        it = place if isinstance(place, Project) else self.repository(place)
        made = BranchingModel()
        if development is not None:
            made.development = ModelBranch(development, is_valid=is_valid)
        if production is not None:
            made.production = ModelBranch(production, is_valid=is_valid)
        for one in made.branch_types:
            prefix = (prefixes or {}).get(one.kind, one.prefix)
            one.enabled, one.prefix = prefix is not None, prefix or one.prefix
        it.branching_model = made
        return made

    @change
    def clear_branching_model(self, place: str | Repository | Project) -> None:
        """Let a place go by the model above it again."""
        it = place if isinstance(place, Project) else self.repository(place)
        it.branching_model = None

    @change
    def set_override(self, repo: str | Repository, name: str, value: bool) -> None:
        """Say whether a repository goes by its own setting or by its project's."""
        self.repository(repo).override_settings[name] = value

    # -- files and people ------------------------------------------------------------------

    @change
    def add_download(
        self, repo: str | Repository, name: str, size: int, user: User | None = None
    ) -> Download:
        """Put a file up for download; one of the same name is replaced."""
        it = self.repository(repo)
        it.downloads = [one for one in it.downloads if one.name != name]
        made = Download(name, size, user, self.now.stamp())
        it.downloads.append(made)
        return made

    @change
    def count_download(self, download: Download, times: int = 1) -> None:
        """Let somebody fetch a file."""
        download.downloads += times

    @change
    def delete_download(self, repo: str | Repository, download: Download) -> None:
        """Delete a file that was put up for download."""
        self.repository(repo).downloads.remove(download)

    @change
    def add_file(
        self,
        repo: str | Repository,
        path: str,
        size: int = 100,
        *,
        attributes: Sequence[str] = (),
        mimetype: str | None = None,
    ) -> TreeFile:
        """Add a file that is in every commit: link, executable, subrepository, binary, lfs."""
        made = TreeFile(path, size, tuple(attributes), mimetype)
        self.repository(repo).files[path] = made
        return made

    @change
    def delete_file(self, repo: str | Repository, path: str) -> None:
        """Take back an `add_file`."""
        del self.repository(repo).files[path]

    @change
    def watch(self, repo: str | Repository, user: User) -> None:
        """Make somebody watch a repository."""
        self.repository(repo).watchers.append(user)

    @change
    def unwatch(self, repo: str | Repository, user: User) -> None:
        """Make somebody stop watching."""
        self.repository(repo).watchers.remove(user)

    @change
    def add_fork_elsewhere(
        self, repo: str | Repository, owner: User, slug: str | None = None, **more: Any
    ) -> Repository:
        """Add a public fork in somebody's own workspace, which nobody here is a member of."""
        origin = self.repository(repo)
        now = self.now.stamp()
        handle = "".join(owner.nickname.lower().split())
        where = Workspace(self._uuid("workspace"), f"{handle}-forks", owner.nickname, now, now)
        project = Project(where, self._uuid("project"), "FORK", "Forks", None, False, now, now)
        name = slug or origin.slug
        made = Repository(
            self._uuid("repository"), where, project, name, name, "", owner, now, now,
            is_private=False, parent=origin, mainbranch=origin.mainbranch, **more,
        )  # fmt: skip
        origin.forks_elsewhere.append(made)
        return made
