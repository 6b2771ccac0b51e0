"""How people and workspaces look."""

from __future__ import annotations

from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import Member, User, Workspace
from tap_bitbucket.demo.shapes.base import WEB, Json, links


class PeopleShapes:
    """People and workspaces; the condensed forms are cached, they are part of every row."""

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
