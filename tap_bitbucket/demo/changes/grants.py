"""Changes to groups and to explicit permissions."""

from __future__ import annotations

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import Group, Project, Repository, User, Workspace


class Grants(Ground):
    """Who was explicitly given what, in repositories and projects."""

    @change
    def add_group(self, workspace: str | Workspace, slug: str, name: str | None = None) -> Group:
        """Add a group of people."""
        where = self._workspace(workspace)
        made = Group(where, slug, name or slug.title())
        where.groups[slug] = made
        return made

    @change
    def set_permission(
        self, place: str | Repository | Project, who: User | Group, permission: str
    ) -> None:
        """Grant `read`, `write` or `admin` (in projects also `create-repo`) to somebody."""
        it = place if isinstance(place, Project) else self.repository(place)
        if isinstance(who, Group):
            it.group_permissions[who.slug] = permission
        else:
            it.permissions[who.uuid] = permission

    @change
    def remove_permission(self, place: str | Repository | Project, who: User | Group) -> None:
        """Take a permission back."""
        it = place if isinstance(place, Project) else self.repository(place)
        if isinstance(who, Group):
            del it.group_permissions[who.slug]
        else:
            del it.permissions[who.uuid]
