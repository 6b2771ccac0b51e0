"""How snippets, their comments and their commits look."""

from __future__ import annotations

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import Commit, Snippet, SnippetComment, User
from tap_bitbucket.demo.shapes.base import WEB, Json, links, rendered
from tap_bitbucket.demo.shapes.commits import CommitShapes


class SnippetShapes(CommitShapes):
    """Snippets; the ids are words."""

    def _snippet_address(self, snippet: Snippet) -> tuple[str, str]:
        place = f"snippets/{snippet.workspace.slug}/{snippet.id}"
        return f"{self.base}/{place}", f"{WEB}/{snippet.workspace.slug}/workspace/snippets"

    def snippet_ref(self, snippet: Snippet) -> Json:
        """Embed a snippet."""
        own, web = self._snippet_address(snippet)
        return {
            "type": "snippet",
            "id": snippet.id,
            "title": snippet.title,
            "links": links(self=own, html=f"{web}/{snippet.id}"),
        }

    def snippet(self, snippet: Snippet) -> Json:
        """Show a snippet as lists do: without its files."""
        own, web = self._snippet_address(snippet)
        where = snippet.workspace
        team = User(where.uuid, "", where.name, where.slug, where.created_on, "team")
        git = f"bitbucket.org/snippets/{where.slug}/{snippet.id}/snippet.git"
        clone = [
            {"name": "https", "href": f"https://{git}"},
            {"name": "ssh", "href": f"git@{git.replace('/', ':', 1)}"},
        ]
        hrefs = {name: f"{own}/{name}" for name in ("comments", "commits", "watchers")}
        return {
            "type": "snippet",
            "id": snippet.id,
            "title": snippet.title,
            "scm": "git",
            "is_private": snippet.is_private,
            "owner": self.account(team),
            "creator": self.account(snippet.creator) if snippet.creator else None,
            "created_on": times.core(snippet.created_on),
            "updated_on": times.core(snippet.updated_on),
            "links": links(self=own, html=f"{web}/{snippet.id}", **hrefs) | {"clone": clone},
        }

    def snippet_in_full(self, snippet: Snippet) -> Json:
        """Show a snippet by itself: with its files."""
        own, web = self._snippet_address(snippet)
        files = {
            name: {"links": links(self=f"{own}/files/{name}", html=f"{web}/{snippet.id}#{name}")}
            for name in snippet.files
        }
        return self.snippet(snippet) | {"files": files}

    def snippet_comment(self, comment: SnippetComment, snippet: Snippet) -> Json:
        """Show a comment on a snippet."""
        own, web = self._snippet_address(snippet)
        row: Json = {
            "type": "snippet_comment",
            "id": comment.id,
            "created_on": times.core(comment.created_on),
            "updated_on": times.core(comment.updated_on),
            "content": rendered(comment.raw),
            "user": self.account(comment.user),
            "deleted": comment.deleted,
            "snippet": self.snippet_ref(snippet),
            "links": links(
                self=f"{own}/comments/{comment.id}",
                html=f"{web}/{snippet.id}#comment-{comment.id}",
            ),
        }
        if comment.parent is not None:
            above = links(self=f"{own}/comments/{comment.parent}")
            row["parent"] = {"id": comment.parent, "links": above}
        return row

    def snippet_commit(self, commit: Commit, snippet: Snippet) -> Json:
        """Show a commit of a snippet: it names the snippet, and no repository."""
        own, web = self._snippet_address(snippet)
        return {
            "type": "snippet_commit",
            "hash": commit.hash,
            "date": times.commit(commit.date),
            "author": self.author(commit.author, commit.user),
            "message": commit.message,
            "summary": rendered(commit.message),
            "parents": [
                {"type": "commit", "hash": name, "links": links(self=f"{own}/commits/{name}")}
                for name in commit.parents
            ],
            "snippet": self.snippet_ref(snippet),
            "links": links(
                self=f"{own}/commits/{commit.hash}",
                html=f"{web}/{snippet.id}/revisions/{commit.hash}",
                diff=f"{own}/{commit.hash}/diff",
            ),
        }
