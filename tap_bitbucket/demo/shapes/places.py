"""How projects and repositories look."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import Project, Repository, User
from tap_bitbucket.demo.shapes.base import WEB, Json, links
from tap_bitbucket.demo.shapes.people import PeopleShapes


class PlaceShapes(PeopleShapes):
    """Projects and repositories."""

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
            {
                "name": "https",
                "href": f"https://{repo.clone_user}@bitbucket.org/{repo.full_name}.git",
            },
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
            "override_settings": dict(repo.override_settings),
            "created_on": times.core(repo.created_on),
            "updated_on": times.core(repo.updated_on),
            "links": ref["links"] | links(**below) | {"clone": clone},
        }

    def repository_permission(self, row: tuple[Repository, User, str]) -> Json:
        """Show what somebody may do with a repository."""
        repo, user, permission = row
        return {
            "type": "repository_permission",
            "permission": permission,
            "user": self.account(user),
            "repository": self.repository_ref(repo),
        }
