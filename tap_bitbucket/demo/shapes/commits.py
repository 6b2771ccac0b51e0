"""How commits, refs, files and statuses look."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import Comment, Commit, FileChange, Ref, Repository, Status, User
from tap_bitbucket.demo.shapes.base import WEB, links, rendered
from tap_bitbucket.demo.shapes.places import PlaceShapes

Json = dict[str, Any]
MERGE_STRATEGIES = [
    "merge_commit",
    "squash",
    "fast_forward",
    "squash_fast_forward",
    "rebase_fast_forward",
    "rebase_merge",
]


class CommitShapes(PlaceShapes):
    """Commits and what hangs on them."""

    def author(self, raw: str, user: User | None) -> Json:
        """Show who wrote something; `user` is absent when the e-mail maps to no account."""
        shown: Json = {"type": "author", "raw": raw}
        if user is not None:
            shown["user"] = self.account(user)
        return shown

    def commit_ref(self, repo: Repository, name: str) -> Json:
        """Embed a commit."""
        own = f"{self.base}/repositories/{repo.full_name}/commit/{name}"
        web = f"{WEB}/{repo.full_name}/commits/{name}"
        return {"type": "commit", "hash": name, "links": links(self=own, html=web)}

    def commit(self, commit: Commit, repo: Repository) -> Json:
        """Show a commit as lists do."""
        own = f"{self.base}/repositories/{repo.full_name}"
        name = commit.hash
        return {
            "type": "commit",
            "hash": name,
            "date": times.commit(commit.date),
            "author": self.author(commit.author, commit.user),
            "message": commit.message,
            "summary": rendered(commit.message),
            "parents": [self.commit_ref(repo, parent) for parent in commit.parents],
            "repository": self.repository_ref(repo),
            "links": links(
                self=f"{own}/commit/{name}",
                html=f"{WEB}/{repo.full_name}/commits/{name}",
                diff=f"{own}/diff/{name}",
                approve=f"{own}/commit/{name}/approve",
                comments=f"{own}/commit/{name}/comments",
                statuses=f"{own}/commit/{name}/statuses",
                patch=f"{own}/patch/{name}",
            ),
        }

    def ref(self, ref: Ref, repo: Repository) -> Json:
        """Show a branch or a tag; a lightweight tag has nulls for date, tagger and message."""
        own = f"{self.base}/repositories/{repo.full_name}"
        kind = "branches" if ref.kind == "branch" else "tags"
        path = "branch" if ref.kind == "branch" else "commits/tag"
        row: Json = {
            "type": ref.kind,
            "name": ref.name,
            "target": self.commit(ref.target, repo),
            "links": links(
                self=f"{own}/refs/{kind}/{quote(ref.name)}",
                commits=f"{own}/commits/{quote(ref.name)}",
                html=f"{WEB}/{repo.full_name}/{path}/{quote(ref.name)}",
            ),
        }
        if ref.kind == "branch":
            return row | {
                "merge_strategies": MERGE_STRATEGIES,
                "default_merge_strategy": "merge_commit",
                "sync_strategies": ["merge_commit", "rebase"],
            }
        return row | {
            "message": ref.message,
            "date": times.commit(ref.date) if ref.date else None,
            "tagger": self.author(ref.tagger, ref.user) if ref.tagger else None,
        }

    def file(self, repo: Repository, commit: str, path: str) -> Json:
        """Embed a file of a commit."""
        own = f"{self.base}/repositories/{repo.full_name}/src/{commit}/{quote(path)}"
        return {
            "type": "commit_file",
            "path": path,
            "escaped_path": quote(path),
            "links": links(self=own),
        }

    def diffstat(self, change: FileChange, repo: Repository, commit: Commit) -> Json:
        """Show one changed file; `old` or `new` is null when it was added or removed."""
        before = commit.parents[0] if commit.parents else commit.hash
        old = self.file(repo, before, change.old_path or change.path)
        return {
            "type": "diffstat",
            "status": change.status,
            "lines_added": change.added,
            "lines_removed": change.removed,
            "old": None if change.status == "added" else old,
            "new": None if change.status == "removed"
            else self.file(repo, commit.hash, change.path),
        }  # fmt: skip

    def entry(self, path: str, repo: Repository, commit: Commit) -> Json:
        """Show a file in a directory; `attributes` is a list, whatever the documents say."""
        row = self.file(repo, commit.hash, path)
        own = row["links"]["self"]["href"]
        history = own.replace("/src/", "/filehistory/", 1)
        known = repo.files.get(path)
        return row | {
            "commit": self.commit_ref(repo, commit.hash),
            "attributes": list(known.attributes) if known else [],
            "mimetype": known.mimetype if known else None,
            "size": known.size if known else 100 + len(path),
            "links": links(self=own, meta=f"{own}?format=meta", history=history),
        }

    def file_history(self, repo: Repository, commit: Commit, path: str) -> Json:
        """Show a file as one commit left it."""
        row = self.file(repo, commit.hash, path)
        return row | {"commit": self.commit_ref(repo, commit.hash), "attributes": []}

    def directory(self, path: str, repo: Repository, commit: Commit) -> Json:
        """Show a directory: it has no size."""
        own = f"{self.base}/repositories/{repo.full_name}/src/{commit.hash}/{quote(path)}/"
        return {
            "type": "commit_directory",
            "path": path,
            "commit": self.commit_ref(repo, commit.hash),
            "links": links(self=own, meta=f"{own}?format=meta"),
        }

    def status(self, status: Status, repo: Repository, digits: int = 40) -> Json:
        """Show a build status; pull requests shorten the commit's hash to 12 digits."""
        name = status.commit[:digits]
        own = f"{self.base}/repositories/{repo.full_name}/commit/{name}"
        return {
            "type": "build",
            "uuid": status.uuid,
            "key": status.key,
            "refname": status.refname,
            "url": status.url,
            "state": status.state,
            "name": status.name,
            "description": status.description,
            "created_on": times.core(status.created_on),
            "updated_on": times.core(status.updated_on),
            "commit": self.commit_ref(repo, name),
            "repository": self.repository_ref(repo),
            "links": links(self=f"{own}/statuses/build/{quote(status.key)}", commit=own),
        }

    def commit_comment(self, comment: Comment, repo: Repository) -> Json:
        """Show a comment on a commit."""
        assert comment.commit is not None
        own = f"{self.base}/repositories/{repo.full_name}/commit/{comment.commit}/comments"
        web = f"{WEB}/{repo.full_name}/commits/{comment.commit}#comment-{comment.id}"
        row: Json = {
            "type": "commit_comment",
            "id": comment.id,
            "created_on": times.core(comment.created_on),
            "updated_on": times.core(comment.updated_on),
            "content": rendered(comment.raw),
            "user": self.account(comment.user),
            "deleted": comment.deleted,
            "commit": self.commit_ref(repo, comment.commit),
            "links": links(self=f"{own}/{comment.id}", html=web),
        }
        if comment.parent is not None:
            above = links(self=f"{own}/{comment.parent}")
            row["parent"] = {"id": comment.parent, "links": above}
        if comment.inline is not None:
            row["inline"] = {"from": None, "to": None} | comment.inline
        return row
