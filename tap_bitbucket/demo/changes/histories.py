"""Changes to branches, tags and commits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from tap_bitbucket.demo.changes.ground import change
from tap_bitbucket.demo.changes.places import Places
from tap_bitbucket.demo.model import (
    Comment,
    Commit,
    FileChange,
    Json,
    Ref,
    Repository,
    Status,
    User,
)
from tap_bitbucket.demo.walk import walk

_FOLDERS = ("src", "tests", "docs", "lib")
_WORDS = ("orbit", "engine", "fuel", "launch", "guidance", "telemetry", "valve", "sensor")


class Histories(Places):
    """The world's git repositories."""

    def __init__(self, seed: str = "world") -> None:
        """Start empty."""
        super().__init__(seed)
        self._short: dict[str, tuple[dict[str, Commit], dict[str, str]]] = {}

    def _files(self, number: int) -> tuple[FileChange, ...]:
        """Make up what a commit changed; some add, remove or rename a file."""
        made = []
        for index in range(1 + number % 3):
            turn = number * 7 + index
            path = f"{_FOLDERS[turn % 4]}/{_WORDS[turn % 8]}_{index}.py"
            status = ("modified", "modified", "added", "modified", "renamed", "removed")[turn % 6]
            added = 0 if status == "removed" else 1 + turn % 40
            removed = 0 if status == "added" else turn % 17
            old = f"old/{_WORDS[turn % 8]}_{index}.py" if status == "renamed" else None
            made.append(FileChange(path, status, added, removed, old))
        return tuple(made)

    def _commit(
        self,
        repo: Repository,
        parents: Sequence[str],
        message: str,
        date: datetime,
        author: str,
        user: User | None,
        files: Sequence[FileChange] | None = None,
    ) -> Commit:
        number = self._next()
        text = f"{self.seed}:{repo.uuid}:{number}:{message}"
        name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        changes = self._files(number) if files is None else tuple(files)
        made = Commit(name, number, date, author, user, message, tuple(parents), changes)
        repo.objects[name] = made
        repo.size += 2048
        return made

    @change
    def push(
        self,
        repo: str | Repository,
        branch: str,
        n: int = 1,
        *,
        messages: Sequence[str] | None = None,
        date: datetime | None = None,
        author: str | None = None,
        user: User | None = None,
        files: Sequence[FileChange] | None = None,
        **_: Any,
    ) -> list[str]:
        """Push commits to a branch, which is made (from the main one) when there is none.

        `date` is the author's date and may lie. With `author` (raw text) and no `user`, the
        commits belong to nobody: their `author` has no `user` key.
        """
        it = self.repository(repo)
        stamp = self.now.stamp()
        if user is None and author is None:
            people = [one for one in it.workspace.members if one.user.kind == "user"]
            user = people[0].user if people else None
        raw = author or (user.raw if user else "Nobody <nobody@example.com>")
        base = it.branches.get(branch) or it.branches.get(it.mainbranch or "")
        texts = messages or [f"Change {branch} ({index + 1})" for index in range(n)]
        made = []
        for text in texts:
            parents = (base,) if base else ()
            moment = (date or stamp).replace(microsecond=0)
            commit = self._commit(it, parents, f"{text}\n", moment, raw, user, files)
            base = commit.hash
            made.append(commit.hash)
        if made:
            self._move(it, branch, made[-1], stamp)
        return made

    def _move(self, repo: Repository, branch: str, to: str, stamp: datetime) -> None:
        """Let a branch point at another commit, and tell the pull requests that follow it."""
        repo.branches[branch] = to
        repo.mainbranch = repo.mainbranch or branch
        repo.updated_on = stamp
        self._branch_moved(repo, branch, stamp)

    def _branch_moved(self, repo: Repository, branch: str, stamp: datetime) -> None:
        """Let pull requests follow their source branch; see `Reviews`."""

    @change
    def force_push(
        self,
        repo: str | Repository,
        branch: str,
        n: int = 1,
        *,
        back: int = 1,
        collect: bool = True,
        messages: Sequence[str] | None = None,
        user: User | None = None,
    ) -> list[str]:
        """Rewind a branch by `back` commits and push others; what is lost is collected."""
        it = self.repository(repo)
        for _ in range(back):
            parents = it.objects[it.branches[branch]].parents
            if parents:
                it.branches[branch] = parents[0]
        texts = messages or [f"Rewrite {branch} ({index + 1})" for index in range(n)]
        made = self.push(it, branch, messages=texts, user=user)
        if collect:
            self.collect_garbage(it)
        return made

    @change
    def collect_garbage(self, repo: str | Repository) -> None:
        """Forget commits that no branch, tag or pull request needs: they answer 404 then."""
        it = self.repository(repo)
        ends = it.heads()
        for pull_request in it.pull_requests.values():
            # Its list holds the commit of its merge, which no branch needs after a force-push.
            own = (pull_request.source_hash, pull_request.destination_hash)
            ends += [*pull_request.commits, *own]
        kept = {commit.hash for commit in walk(it.objects, ends)}
        it.objects = {name: commit for name, commit in it.objects.items() if name in kept}

    @change
    def add_branch(self, repo: str | Repository, branch: str, at: str | None = None) -> None:
        """Make a branch at a commit (default: where the main branch is)."""
        it = self.repository(repo)
        self._move(it, branch, at or it.branches[it.mainbranch or ""], self.now.stamp())

    @change
    def delete_branch(self, repo: str | Repository, branch: str) -> None:
        """Delete a branch."""
        it = self.repository(repo)
        del it.branches[branch]
        it.updated_on = self.now.stamp()

    @change
    def rename_branch(self, repo: str | Repository, branch: str, name: str) -> None:
        """Give a branch another name, which is all that changes."""
        it = self.repository(repo)
        it.branches[name] = it.branches.pop(branch)
        it.mainbranch = name if it.mainbranch == branch else it.mainbranch
        it.updated_on = self.now.stamp()

    @change
    def add_tag(
        self,
        repo: str | Repository,
        name: str,
        *,
        at: str | None = None,
        message: str | None = None,
        user: User | None = None,
    ) -> Ref:
        """Tag a commit; without a `message` the tag is lightweight: no date, no tagger."""
        it = self.repository(repo)
        stamp = self.now.stamp()
        target = it.objects[at or it.branches[it.mainbranch or ""]]
        tag = Ref(name, target, "tag")
        if message is not None:
            tag.message = f"{message}\n"
            tag.user = user
            tag.tagger = user.raw if user else "Release Robot <releases@example.com>"
            tag.date = stamp.replace(microsecond=0)
        it.tags[name] = tag
        it.updated_on = stamp
        return tag

    @change
    def delete_tag(self, repo: str | Repository, name: str) -> None:
        """Delete a tag."""
        it = self.repository(repo)
        del it.tags[name]
        it.updated_on = self.now.stamp()

    @change
    def add_status(
        self,
        repo: str | Repository,
        commit: str,
        key: str = "build",
        state: str = "SUCCESSFUL",
        *,
        refname: str | None = None,
    ) -> Status:
        """Post a build status (again, when the key is there); nothing else moves by it."""
        it = self.repository(repo)
        stamp = self.now.stamp()
        for status in it.statuses.setdefault(commit, []):
            if status.key == key:
                status.state, status.updated_on = state, stamp
                return status
        url = f"https://ci.example.com/{it.slug}/{commit[:12]}"
        made = Status(
            commit, key, state, f"{key} of {commit[:7]}", "", url, refname, stamp, stamp,
            self._uuid("status"),
        )  # fmt: skip
        it.statuses[commit].append(made)
        return made

    @change
    def comment_on_commit(
        self,
        repo: str | Repository,
        commit: str,
        user: User,
        text: str,
        *,
        parent: Comment | None = None,
        inline: Json | None = None,
    ) -> Comment:
        """Comment on a commit; `edit_comment` and `delete_comment` work on it as well."""
        it = self.repository(repo)
        stamp = self.now.stamp()
        made = Comment(7_000_000 + self._next(), user, text, stamp, stamp, commit=commit)
        made.parent, made.inline = parent.id if parent else None, inline
        it.commit_comments.setdefault(commit, []).append(made)
        return made

    @change
    def delete_status(self, repo: str | Repository, commit: str, key: str) -> None:
        """Take a build status back."""
        found = self.repository(repo).statuses[commit]
        found[:] = [one for one in found if one.key != key]

    # -- looking up ------------------------------------------------------------------------

    def find_commit(self, repo: Repository, name: str) -> Commit | None:
        """Find a commit by hash, the start of one (7 or more), a branch or a tag."""
        if name in repo.objects:
            return repo.objects[name]
        if name in repo.branches:
            return repo.objects[repo.branches[name]]
        if name in repo.tags:
            return repo.tags[name].target
        if not 7 <= len(name) < 40 or set(name) - set("0123456789abcdef"):
            return None
        if len(name) == 12:  # The length that pull requests show: worth an index.
            indexed, short = self._short.get(repo.uuid, (None, {}))
            if indexed is not repo.objects or len(short) != len(indexed):
                short = {full[:12]: full for full in repo.objects}
                self._short[repo.uuid] = (repo.objects, short)
            full = short.get(name)
            return repo.objects.get(full) if full else None
        return next((one for full, one in repo.objects.items() if full.startswith(name)), None)

    def history(
        self, repo: Repository, include: Iterable[str], exclude: Iterable[str] = ()
    ) -> list[Commit]:
        """List commits as `git log include ^exclude` does."""
        return walk(repo.objects, include, exclude)
