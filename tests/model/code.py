"""What happens to code: pushes, rewritten branches, tags, builds, and talk about commits."""

from __future__ import annotations

from tap_bitbucket.demo.model import Repository
from tests.model.changes import LONG_AGO, Actors, any_of

_STATES = ("INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED")


class Coders(Actors):
    """People who write code."""

    def push(self, which: int, how: int) -> None:
        """Push to the main branch or another one, commits of today or of long ago."""
        repo = any_of(self.repositories, which)
        if repo is None:
            return
        branch = "topic" if how % 4 == 3 and repo.branches else repo.mainbranch or "main"
        date = LONG_AGO if how % 3 == 2 else None
        self.world.push(repo, branch, n=1 + how % 5, date=date)

    def rewrite(self, which: int, how: int) -> None:
        """Rewrite a branch; what is lost is forgotten at once, later or never."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        branch = (repo.mainbranch or "main") if how % 5 == 4 else "topic"
        if branch not in repo.branches:
            self.world.push(repo, branch, n=3)
        else:
            self.world.force_push(repo, branch, 1 + how % 3, back=how % 3, collect=how % 2 == 0)

    def forget(self, which: int, how: int) -> None:  # noqa: ARG002
        """Forget commits that nothing needs."""
        repo = any_of(self.repositories, which)
        if repo is not None:
            self.world.collect_garbage(repo)

    def branch(self, which: int, how: int) -> None:
        """Make, delete or rename a branch."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        others = sorted(name for name in repo.branches if name != repo.mainbranch)
        one = any_of(others, how // 3)
        if how % 3 == 0 or one is None:
            old = any_of(sorted(repo.objects), how) if how % 2 else None
            self.world.add_branch(repo, self.name("branch"), old)
        elif how % 3 == 1 or one.startswith("feature/"):
            self.world.delete_branch(repo, one)
        else:
            self.world.rename_branch(repo, one, self.name("renamed"))

    def tag(self, which: int, how: int) -> None:
        """Add, move or delete a tag."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        one = any_of(sorted(repo.tags), how // 3)
        if how % 3 == 2 and one is not None:
            self.world.delete_tag(repo, one)
        else:
            name = one if how % 3 == 1 and one else self.name("v")
            at = any_of(sorted(repo.objects), how) if how % 2 else None
            self.world.add_tag(repo, name, at=at, message="Release" if how % 2 else None)

    def build(self, which: int, how: int) -> None:
        """Say how the build of a commit goes."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        commit = self._commit(repo, how // 4)
        self.world.add_status(repo, commit, ("build", "lint")[how % 2], _STATES[how % 4])
        self.promises.said(repo, commit)

    def remark(self, which: int, how: int) -> None:
        """Comment on a commit; edit or delete such a comment."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        commit = self._commit(repo, how // 3)
        there = [one for one in repo.commit_comments.get(commit, []) if not one.deleted]
        one = any_of(there, how)
        if one is None or how % 3 == 0:
            self.world.comment_on_commit(repo, commit, self.story.who("cem"), self.name("remark"))
        elif how % 3 == 1:
            self.world.edit_comment(one, self.name("edited remark"))
        else:
            self.world.delete_comment(one)
        self.promises.said(repo, commit)

    @staticmethod
    def _commit(repo: Repository, which: int) -> str:
        """Return one of the last commits that a branch leads to."""
        heads = sorted(repo.branches.values())
        head = heads[which % len(heads)]
        parents = repo.objects[head].parents
        return parents[0] if which % 5 == 4 and parents else head
