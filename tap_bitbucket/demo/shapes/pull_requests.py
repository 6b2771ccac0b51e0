"""How pull requests, their comments, tasks and activity look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import (
    Activity,
    Comment,
    Participant,
    PullRequest,
    Repository,
    Task,
)
from tap_bitbucket.demo.settings import Settings
from tap_bitbucket.demo.shapes.base import WEB, links, rendered
from tap_bitbucket.demo.shapes.commits import MERGE_STRATEGIES, CommitShapes

Json = dict[str, Any]
_ACTIONS = (
    "decline", "commits", "merge", "request-changes", "comments", "activity", "approve",
    "statuses",
)  # fmt: skip


class PullRequestShapes(CommitShapes):
    """Pull requests and what hangs on them.

    Attributes:
        settings: The switches of the server that shows them.
    """

    settings = Settings()

    def pull_request_ref(self, pull_request: PullRequest) -> Json:
        """Embed a pull request."""
        name = pull_request.repository.full_name
        own = f"{self.base}/repositories/{name}/pullrequests/{pull_request.id}"
        web = f"{WEB}/{name}/pull-requests/{pull_request.id}"
        return {
            "type": "pullrequest",
            "id": pull_request.id,
            "title": pull_request.title,
            "draft": pull_request.draft,
            "links": links(self=own, html=web),
        }

    def _end(self, repo: Repository | None, place: Repository, branch: str, name: str) -> Json:
        """Show one end; hashes have 12 characters, and a deleted fork leaves null."""
        short = self.commit_ref(place, name[:12])
        return {
            "branch": {"name": branch},
            "commit": short if repo is not None else None,
            "repository": self.repository_ref(repo) if repo is not None else None,
        }

    def changes_address(self, it: PullRequest, kind: str) -> str:
        """Say where a pull request's `diff` or `diffstat` is: in its repository, not below it."""
        origin = it.source_repository or it.repository
        ends = quote(f"{it.source_hash[:12]}\r{it.destination_hash[:12]}")
        place = f"{self.base}/repositories/{it.repository.full_name}/{kind}"
        return f"{place}/{origin.full_name}:{ends}?from_pullrequest_id={it.id}&topic=true"

    def pull_request(self, it: PullRequest) -> Json:
        """Show a pull request as lists do: without reviewers, participants and `rendered`."""
        name = it.repository.full_name
        own = f"{self.base}/repositories/{name}/pullrequests/{it.id}"
        hrefs = {action: f"{own}/{action}" for action in _ACTIONS}
        hrefs |= {kind: self.changes_address(it, kind) for kind in ("diff", "diffstat")}
        merged = self.commit_ref(it.repository, it.merge_hash[:12]) if it.merge_hash else None
        origin = it.source_repository
        place = it.repository
        return {
            "type": "pullrequest",
            "id": it.id,
            "title": it.title,
            "description": it.description,
            "summary": rendered(it.description),
            "state": it.state,
            "draft": it.draft,
            "queued": it.queued,
            "author": self.account(it.known_author) if it.known_author else None,
            "source": self._end(origin, origin or place, it.source_branch, it.source_hash),
            "destination": self._end(place, place, it.destination_branch, it.destination_hash),
            "merge_commit": merged,
            "comment_count": self._comment_count(it),
            "task_count": it.task_count,
            "close_source_branch": it.close_source_branch,
            "closed_by": self.account(it.closed_by) if it.closed_by else None,
            "reason": it.reason,
            "created_on": times.core(it.created_on),
            "updated_on": times.core(it.updated_on),
            "links": links(self=own, html=f"{WEB}/{name}/pull-requests/{it.id}", **hrefs),
        }

    def _comment_count(self, it: PullRequest) -> int:
        if not self.settings.count_deleted:
            return it.comment_count
        return sum(not comment.pending for comment in it.comments)

    def hidden_of_pull_requests(self) -> dict[str, Callable[[PullRequest], Any]]:
        """Say what lists leave out unless `fields=` asks for it."""
        return {
            "reviewers": lambda it: [self.account(user) for user in it.reviewers],
            "participants": lambda it: [self.participant(one) for one in it.participants.values()],
            "rendered": self._rendered,
            "destination.branch.merge_strategies": lambda _: MERGE_STRATEGIES,
            "destination.branch.default_merge_strategy": lambda _: "merge_commit",
        }

    def _rendered(self, it: PullRequest) -> Json:
        return {
            "title": rendered(it.title),
            "description": rendered(it.description),
            "reason": rendered(it.reason),
        }

    def pull_request_in_full(self, it: PullRequest) -> Json:
        """Show a pull request by itself."""
        return self.pull_request(it) | {
            "rendered": self._rendered(it),
            "reviewers": [self.account(user) for user in it.reviewers],
            "participants": [self.participant(one) for one in it.participants.values()],
        }

    def participant(self, one: Participant) -> Json:
        """Show a participant; who has done nothing yet has nulls."""
        return {
            "type": "participant",
            "user": self.account(one.user),
            "role": one.role,
            "approved": one.approved,
            "state": one.state,
            "participated_on": times.core(one.participated_on),
        }

    def comment(self, comment: Comment) -> Json:
        """Show a comment; `parent`, `inline` and `resolution` are absent when there is none."""
        pull_request = comment.pull_request
        assert pull_request is not None
        ref = self.pull_request_ref(pull_request)
        own = f"{ref['links']['self']['href']}/comments/{comment.id}"
        web = f"{ref['links']['html']['href']}/_/diff#comment-{comment.id}"
        row: Json = {
            "type": "pullrequest_comment",
            "id": comment.id,
            "created_on": times.core(comment.created_on),
            "updated_on": times.core(comment.updated_on),
            "content": rendered(comment.raw),
            "user": self.account(comment.user),
            "deleted": comment.deleted,
            "pending": comment.pending,
            "pullrequest": ref,
            "links": links(self=own, html=web),
        }
        if comment.parent is not None:
            above = f"{ref['links']['self']['href']}/comments/{comment.parent}"
            row["parent"] = {"id": comment.parent, "links": links(self=above)}
        if comment.inline is not None:
            blank = {"from": None, "to": None, "outdated": False, "context_lines": ""}
            row["inline"] = blank | comment.inline
        if comment.resolved_by is not None:
            row["resolution"] = {
                "type": "comment_resolution",
                "user": self.account(comment.resolved_by),
                "created_on": times.core(comment.resolved_on),
            }
        return row

    def task(self, task: Task) -> Json:
        """Show a task: no `type`, and nulls until it is resolved."""
        ref = self.pull_request_ref(task.pull_request)
        own = f"{ref['links']['self']['href']}/tasks/{task.id}"
        row: Json = {
            "id": task.id,
            "state": task.state,
            "content": {"raw": task.raw},
            "creator": self.account(task.creator),
            "created_on": times.core(task.created_on),
            "updated_on": times.core(task.updated_on),
            "pending": task.pending,
            "resolved_on": times.core(task.resolved_on),
            "resolved_by": self.account(task.resolved_by) if task.resolved_by else None,
            "links": links(self=own, html=ref["links"]["html"]["href"]),
        }
        if task.comment is not None:
            above = f"{ref['links']['self']['href']}/comments/{task.comment}"
            row["comment"] = {"id": task.comment, "links": links(self=above)}
        return row

    # -- activity --------------------------------------------------------------------------

    def activity(self, entry: Activity, *, first: bool = False) -> Json:
        """Show an activity entry: no id, no type, one of four keys besides `pull_request`.

        With `first` a comment is shown as it was when the entry was made.
        """
        ref = self.pull_request_ref(entry.pull_request)
        if entry.kind == "comment":
            assert entry.comment is not None
            row = self.comment(entry.comment)
            if first:
                row |= {"updated_on": times.core(entry.date)}
                if not entry.comment.deleted:
                    row |= {"content": rendered(entry.snapshot["raw"])}
                row.pop("resolution", None)
            return {"pull_request": ref, "comment": row}
        if entry.kind == "update":
            return {"pull_request": ref, "update": self._update(entry)}
        happened = {
            "date": times.core(entry.date),
            "user": self.account(entry.user),
            "pullrequest": ref,
        }
        return {"pull_request": ref, entry.kind: happened}

    def _update(self, entry: Activity) -> Json:
        it, then = entry.pull_request, entry.snapshot
        origin, place = it.source_repository, it.repository
        who = it.known_author if entry.user is it.author else entry.user
        changes = dict(then["changes"])
        if "reviewers" in changes:
            changes["reviewers"] = {
                how: [self.account(user) for user in users]
                for how, users in changes["reviewers"].items()
                if users
            }
        return {
            "date": times.core(entry.date),
            "author": self.account(who) if who else None,
            "title": then["title"],
            "description": then["description"],
            "state": then["state"],
            "draft": then["draft"],
            "reason": then["reason"],
            "reviewers": [self.account(user) for user in then["reviewers"]],
            "changes": changes,
            "source": self._end(origin, origin or place, it.source_branch, then["source_hash"]),
            "destination": self._end(place, place, it.destination_branch, then["destination_hash"]),
        }
