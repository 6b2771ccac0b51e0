"""Judging and closing pull requests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tap_bitbucket.demo.changes.ground import change
from tap_bitbucket.demo.changes.reviews import Reviews
from tap_bitbucket.demo.model import Json, Participant, PullRequest, User


class Verdicts(Reviews):
    """Approvals, requests for changes, merges and the other ends."""

    @change
    def approve(self, pull_request: PullRequest, user: User) -> None:
        """Approve; this leaves `updated_on` alone, only activity and participants tell."""
        stamp = self.now.stamp()
        person = self._take_part(pull_request, user, stamp)
        person.approved, person.state = True, "approved"
        self._record(pull_request, "approval", stamp, user)

    @change
    def unapprove(self, pull_request: PullRequest, user: User) -> None:
        """Take an approval (or a request for changes) back: its activity entry goes too."""
        person = self._take_part(pull_request, user, self.now.stamp())
        person.approved, person.state = False, None
        for place in (pull_request.activity, pull_request.repository.activity):
            place[:] = [
                entry
                for entry in place
                if not (
                    entry.pull_request is pull_request
                    and entry.user is user
                    and entry.kind in ("approval", "changes_requested")
                )
            ]

    @change
    def request_changes(self, pull_request: PullRequest, user: User) -> None:
        """Request changes; like an approval this leaves `updated_on` alone."""
        stamp = self.now.stamp()
        person = self._take_part(pull_request, user, stamp)
        person.approved, person.state = False, "changes_requested"
        self._record(pull_request, "changes_requested", stamp, user)

    # -- changing and closing --------------------------------------------------------------

    def _updated(self, pull_request: PullRequest, user: User | None, changes: Json) -> datetime:
        stamp = self.now.stamp()
        pull_request.updated_on = stamp
        who = user or pull_request.author
        self._record(pull_request, "update", stamp, who, changes=changes)
        return stamp

    @change
    def update_title(self, pull_request: PullRequest, title: str, user: User | None = None) -> None:
        """Change the title."""
        changes = {"title": {"old": pull_request.title, "new": title}}
        pull_request.title = title
        self._updated(pull_request, user, changes)

    @change
    def update_reviewers(
        self, pull_request: PullRequest, reviewers: Iterable[User], user: User | None = None
    ) -> None:
        """Change who shall review."""
        new = list(reviewers)
        old = pull_request.reviewers
        changes = {
            "reviewers": {
                "added": [one for one in new if one not in old],
                "removed": [one for one in old if one not in new],
            }
        }
        pull_request.reviewers = new
        for one in new:
            person = pull_request.participants.setdefault(one.uuid, Participant(one, "REVIEWER"))
            person.role = "REVIEWER"
        for one in changes["reviewers"]["removed"]:
            person = pull_request.participants[one.uuid]
            person.role = "PARTICIPANT"
            if person.participated_on is None:
                del pull_request.participants[one.uuid]
        self._updated(pull_request, user, changes)

    @change
    def mark_ready(self, pull_request: PullRequest) -> None:
        """Make a draft an ordinary pull request."""
        pull_request.draft = False
        self._updated(pull_request, None, {"draft": {"old": "True", "new": "False"}})

    def _close(self, pull_request: PullRequest, state: str, user: User | None) -> None:
        changes = {"status": {"old": pull_request.state.lower(), "new": state.lower()}}
        pull_request.state = state
        origin = pull_request.source_repository
        if origin is not None:
            origin.followers[pull_request.source_branch].remove(pull_request)
        pull_request.closed_by = user or pull_request.author
        self._updated(pull_request, pull_request.closed_by, changes)

    @change
    def merge(
        self, pull_request: PullRequest, user: User | None = None, message: str | None = None
    ) -> str:
        """Merge; when it happened is told by the activity only. Returns the merge commit."""
        it = pull_request.repository
        who = user or pull_request.author
        stamp = self.now.stamp()
        head = it.branches[pull_request.destination_branch]
        title = f"Merged in {pull_request.source_branch} (pull request #{pull_request.id})"
        text = f"{message or title}\n\n{pull_request.title}\n"
        files = [file for name in pull_request.commits for file in it.objects[name].files]
        parents = (head, pull_request.source_hash)
        date = stamp.replace(microsecond=0)
        made = self._commit(it, parents, text, date, who.raw, who, files)
        pull_request.merge_hash = made.hash
        pull_request.destination_hash = head
        pull_request.commits.insert(0, made.hash)
        self._close(pull_request, "MERGED", who)
        self._move(it, pull_request.destination_branch, made.hash, stamp)
        source = pull_request.source_repository
        if pull_request.close_source_branch and source is not None:
            source.branches.pop(pull_request.source_branch, None)
        return made.hash

    @change
    def decline(
        self, pull_request: PullRequest, user: User | None = None, reason: str = ""
    ) -> None:
        """Decline."""
        pull_request.reason = reason
        self._close(pull_request, "DECLINED", user)

    @change
    def supersede(self, pull_request: PullRequest, user: User | None = None) -> None:
        """Close because another pull request replaced it."""
        self._close(pull_request, "SUPERSEDED", user)

    @change
    def delete_source(self, pull_request: PullRequest) -> None:
        """Delete the fork that a pull request came from: `source.repository` becomes null."""
        fork = pull_request.source_repository
        if fork is None or fork is pull_request.repository:
            return
        if fork.workspace.repositories.get(fork.slug) is fork:
            self.delete_repository(fork)
