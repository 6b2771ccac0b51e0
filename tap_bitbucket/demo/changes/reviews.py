"""Changes to pull requests: their counters, dates and activity stay as Bitbucket keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tap_bitbucket.demo.changes.ground import change
from tap_bitbucket.demo.changes.histories import Histories
from tap_bitbucket.demo.model import (
    Activity,
    Comment,
    Json,
    Participant,
    PullRequest,
    Repository,
    Task,
    User,
)
from tap_bitbucket.demo.walk import walk


class Reviews(Histories):
    """The world's pull requests."""

    def pull_request(self, repo: str | Repository, number: int) -> PullRequest:
        """Find a pull request."""
        return self.repository(repo).pull_requests[number]

    @change
    def open_pull_request(
        self,
        repo: str | Repository,
        source: str | None = None,
        destination: str | None = None,
        *,
        title: str | None = None,
        author: User | None = None,
        description: str = "",
        source_repo: str | Repository | None = None,
        reviewers: Iterable[User] = (),
        draft: bool = False,
        close_source_branch: bool = False,
        n: int = 1,
        messages: Sequence[str] | None = None,
    ) -> PullRequest:
        """Open a pull request; the source branch gets `n` commits when it is not there yet."""
        it = self.repository(repo)
        origin = self.repository(source_repo) if source_repo else it
        number = len(it.pull_requests) + 1
        branch = source or f"feature/{number}"
        target = destination or it.mainbranch or "main"
        who = author or it.workspace.members[0].user
        base = it.branches[target]
        if branch not in origin.branches:
            commits = self.push(origin, branch, n, messages=messages, user=who)[::-1]
        else:
            shared = {**it.objects, **origin.objects} if origin is not it else it.objects
            commits = [one.hash for one in walk(shared, [origin.branches[branch]], [base])]
        for name in commits:
            it.objects.setdefault(name, origin.objects[name])
        stamp = self.now.stamp()
        made = PullRequest(
            id=number,
            repository=it,
            title=title or f"Merge {branch}",
            description=description,
            author=who,
            source_repository=origin,
            source_branch=branch,
            source_hash=origin.branches[branch],
            destination_branch=target,
            destination_hash=base,
            created_on=stamp,
            updated_on=stamp,
            draft=draft,
            close_source_branch=close_source_branch,
            reviewers=list(reviewers),
            commits=commits,
        )
        for user in made.reviewers:
            made.participants[user.uuid] = Participant(user, "REVIEWER")
        it.pull_requests[number] = made
        origin.followers.setdefault(branch, []).append(made)
        self._record(made, "update", stamp, who, changes={})
        return made

    def _record(
        self,
        pull_request: PullRequest,
        kind: str,
        date: datetime,
        user: User,
        *,
        comment: Comment | None = None,
        changes: Json | None = None,
    ) -> None:
        entry = Activity(kind, date, pull_request, user, comment)
        if kind == "update":
            entry.snapshot = {
                "title": pull_request.title,
                "description": pull_request.description,
                "state": pull_request.state,
                "draft": pull_request.draft,
                "reason": pull_request.reason,
                "reviewers": list(pull_request.reviewers),
                "source_hash": pull_request.source_hash,
                "destination_hash": pull_request.destination_hash,
                "changes": changes or {},
            }
        if comment is not None:
            entry.snapshot = {"raw": comment.raw}
        pull_request.activity.append(entry)
        pull_request.repository.activity.append(entry)

    def _take_part(self, pull_request: PullRequest, user: User, date: datetime) -> Participant:
        person = pull_request.participants.get(user.uuid)
        if person is None:
            person = Participant(user, "PARTICIPANT")
            pull_request.participants[user.uuid] = person
        person.participated_on = date
        return person

    def _branch_moved(self, repo: Repository, branch: str, stamp: datetime) -> None:
        for pull_request in repo.followers.get(branch, ()):
            self._follow(pull_request, repo, repo.branches[branch], stamp)

    def _follow(
        self, pull_request: PullRequest, origin: Repository, head: str, stamp: datetime
    ) -> None:
        it = pull_request.repository
        shared = {**it.objects, **origin.objects} if origin is not it else it.objects
        commits = walk(shared, [head], [pull_request.destination_hash])
        pull_request.commits = [commit.hash for commit in commits]
        for commit in commits:
            it.objects.setdefault(commit.hash, commit)
        pull_request.source_hash = head
        pull_request.updated_on = stamp
        self._record(pull_request, "update", stamp, pull_request.author, changes={})

    @change
    def forget_author(self, pull_request: PullRequest) -> None:
        """Forget who opened a pull request: its author is null from now on."""
        pull_request.author_forgotten = True

    # -- talking ---------------------------------------------------------------------------

    @change
    def comment(
        self,
        pull_request: PullRequest,
        user: User,
        text: str,
        *,
        inline: Json | None = None,
        parent: Comment | int | None = None,
        pending: bool = False,
    ) -> Comment:
        """Comment; a `pending` one is its author's draft and moves nothing."""
        stamp = self.now.stamp()
        above = parent.id if isinstance(parent, Comment) else parent
        number = 500_000_000 + self._next()
        made = Comment(number, user, text, stamp, stamp, pull_request, None, above, inline, pending)
        pull_request.comments.append(made)
        if not pending:
            self._publish(made, stamp)
        return made

    def _publish(self, comment: Comment, stamp: datetime) -> None:
        pull_request = comment.pull_request
        assert pull_request is not None
        pull_request.updated_on = stamp
        self._take_part(pull_request, comment.user, stamp)
        self._record(pull_request, "comment", stamp, comment.user, comment=comment)

    @change
    def publish(self, comment: Comment) -> None:
        """Publish a pending comment."""
        comment.pending = False
        self._publish(comment, self._touch(comment))

    def _touch(self, comment: Comment) -> datetime:
        stamp = self.now.stamp()
        comment.updated_on = stamp
        if comment.pull_request is not None and not comment.pending:
            comment.pull_request.updated_on = stamp
        return stamp

    @change
    def edit_comment(self, comment: Comment, text: str) -> None:
        """Change what a comment says."""
        comment.raw = text
        self._touch(comment)

    @change
    def delete_comment(self, comment: Comment) -> None:
        """Delete a comment: it stays listed, empty, and is not counted any more."""
        comment.deleted, comment.raw = True, ""
        self._touch(comment)

    @change
    def resolve_comment(self, comment: Comment, user: User) -> None:
        """Resolve a thread."""
        comment.resolved_by, comment.resolved_on = user, self._touch(comment)

    @change
    def reopen_comment(self, comment: Comment) -> None:
        """Reopen a resolved thread."""
        self._touch(comment)
        comment.resolved_by = comment.resolved_on = None

    @change
    def add_task(
        self,
        pull_request: PullRequest,
        user: User,
        text: str,
        *,
        comment: Comment | None = None,
        pending: bool = False,
    ) -> Task:
        """Set a task, about a comment or about the whole pull request."""
        stamp = self.now.stamp()
        number = 40_000_000 + self._next()
        made = Task(number, pull_request, user, text, stamp, stamp, pending=pending)
        made.comment = comment.id if comment else None
        pull_request.tasks.append(made)
        if not pending:
            pull_request.updated_on = stamp
        return made

    @change
    def resolve_task(self, task: Task, user: User) -> None:
        """Resolve a task."""
        stamp = self.now.stamp()
        task.state, task.resolved_by, task.resolved_on = "RESOLVED", user, stamp
        task.updated_on = task.pull_request.updated_on = stamp
