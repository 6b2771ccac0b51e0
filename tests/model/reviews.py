"""What happens to pull requests."""

from __future__ import annotations

from tests.model.changes import Actors, any_of

_WHO = ("ann", "bob", "cem")


class Reviewers(Actors):
    """People who open pull requests and talk about them."""

    def open(self, which: int, how: int) -> None:
        """Open a pull request, sometimes from a fork."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        forks = [one for one in self.filled if one.parent is repo]
        self.world.open_pull_request(
            repo,
            f"feature/{self.name('work')}",
            author=self.story.who(_WHO[how % 3]),
            reviewers=[self.story.who("bob")] if how % 2 else [],
            n=1 + how % 3,
            draft=how % 4 == 3,
            close_source_branch=how % 5 == 1,
            source_repo=any_of(forks, how) if how % 4 == 2 else None,
        )

    def say(self, which: int, how: int) -> None:
        """Comment on a pull request, whatever its state; or write a draft, or publish one."""
        request = any_of(self.requests(), which)
        if request is None:
            return
        drafts = [one for one in request.comments if one.pending]
        if how % 6 == 5 and drafts:
            self.world.publish(drafts[0])
            return
        there = [one for one in request.comments if not one.pending]
        parent = any_of(there, how) if how % 3 == 1 else None
        who, text = self.story.who(_WHO[how % 3]), self.name("text")
        self.world.comment(request, who, text, parent=parent, pending=how % 6 == 4)

    def edit(self, which: int, how: int) -> None:  # noqa: ARG002
        """Edit a comment."""
        comment = any_of(self.comments(), which)
        if comment is not None:
            self.world.edit_comment(comment, self.name("edited"))

    def unsay(self, which: int, how: int) -> None:  # noqa: ARG002
        """Delete a comment."""
        comment = any_of(self.comments(), which)
        if comment is not None:
            self.world.delete_comment(comment)

    def resolve(self, which: int, how: int) -> None:
        """Resolve a thread, or open it again."""
        comment = any_of(self.comments(), which)
        if comment is not None and comment.resolved_by is not None:
            self.world.reopen_comment(comment)
        elif comment is not None:
            self.world.resolve_comment(comment, self.story.who(_WHO[how % 3]))

    def task(self, which: int, how: int) -> None:
        """Set a task, or resolve one."""
        request = any_of(self.requests(), which)
        if request is None:
            return
        left = [one for one in request.tasks if one.state != "RESOLVED" and not one.pending]
        if left and how % 2:
            self.world.resolve_task(left[0], self.story.who("ann"))
        else:
            who, pending = self.story.who("bob"), how % 6 == 4
            self.world.add_task(request, who, self.name("task"), pending=pending)

    def judge(self, which: int, how: int) -> None:
        """Approve, ask for changes, or take that back: of that ``updated_on`` says nothing."""
        request, who = any_of(self.requests("OPEN"), which), self.story.who(_WHO[how % 3])
        if request is None:
            return
        person = request.participants.get(who.uuid)
        if person is not None and person.state is not None and how % 2:
            self.world.unapprove(request, who)
        elif how % 4 < 3:
            self.world.approve(request, who)
        else:
            self.world.request_changes(request, who)

    def revise(self, which: int, how: int) -> None:
        """Give a pull request another title, other reviewers, or more commits."""
        request = any_of(self.requests("OPEN"), which)
        if request is None:
            return
        source = request.source_repository
        if how % 3 == 0:
            self.world.update_title(request, self.name("title"))
        elif how % 3 == 1:
            self.world.update_reviewers(request, [self.story.who(_WHO[how // 3 % 3])])
        elif source is not None and request.source_branch in source.branches:
            if how % 2:
                self.world.force_push(source, request.source_branch, collect=how % 4 == 1)
            else:
                self.world.push(source, request.source_branch)

    def close(self, which: int, how: int) -> None:
        """Merge, decline or supersede a pull request."""
        request, who = any_of(self.requests("OPEN"), which), self.story.who("bob")
        if request is None:
            return
        can_merge = request.destination_branch in request.repository.branches
        if how % 4 < 2 and can_merge:
            self.world.merge(request, who)
        elif how % 4 == 3:
            self.world.supersede(request, who)
        else:
            self.world.decline(request, who, "No.")
