"""What the tap need not notice, exactly as its README says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tap_bitbucket.demo import World
from tap_bitbucket.demo.model import Pipeline, Repository
from tests.story import Clock

Late = set[tuple[str, object]]

WINDOW = timedelta(days=1)
"""For how long it is asked again about a commit."""

_ON_COMMITS = ("commit_statuses", "commit_comments")


class Promises:
    """Notes what happens that may go unnoticed, and forgives it.

    What is said about a commit is read for a day after the commit was new. On the first run it is
    not known when commits were pushed: their own dates have to do.
    A pipeline that had ended and runs again is found on the pages that are read anyway, of which
    the first one is always read. What a build says of a closed pull request moves nothing in it.
    A new pull request that counts no comments is not asked for any: all may have been deleted.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self._world, self._clock = world, clock
        self._born: dict[tuple[str, str], datetime] = {
            (repo.uuid, one.hash): one.date
            for repo in world.repositories()
            for one in repo.objects.values()
        }
        self._known: dict[str, datetime] = {}
        self._said: list[tuple[Repository, str, datetime]] = []
        self._again: list[Pipeline] = []
        self._late: Late = set()

    def look(self) -> None:
        """Note which commits are new."""
        for repo in self._world.repositories():
            for name in repo.objects:
                self._born.setdefault((repo.uuid, name), self._clock())

    def said(self, repo: Repository, commit: str) -> None:
        """Note that something was said about a commit."""
        self.look()
        self._said.append((repo, commit, self._clock()))

    def ran_again(self, pipeline: Pipeline) -> None:
        """Note that a pipeline that had ended runs again."""
        self._again.append(pipeline)

    def begins(self, first_page: int) -> None:
        """Decide, when a sync begins, what of all that it may leave unread."""
        self.look()
        now = self._clock()
        for repo, name, when in self._said:
            if not self._asked_again(repo, name, now):
                self._late |= {(stream, name) for stream in _ON_COMMITS}
            for request in repo.pull_requests.values():
                open_or_changed = request.state == "OPEN" or request.updated_on >= when
                if name in request.commits and not open_or_changed:
                    self._late.add(("pull_request_statuses", name[:12]))
        for pipeline in self._again:
            newer = pipeline.repository.pipelines[pipeline.build_number :]
            if len(newer) >= first_page:
                self._late |= {("pipelines", pipeline.uuid), ("pipeline_steps", pipeline.uuid)}

        for repo in self._world.repositories():
            known = self._known.get(repo.uuid)
            for request in repo.pull_requests.values():
                new = known is None or request.created_on > known
                if new and all(one.deleted or one.pending for one in request.comments):
                    ids = [one.id for one in request.comments]
                    self._late |= {("pull_request_comments", number) for number in ids}

    def _asked_again(self, repo: Repository, name: str, now: datetime) -> bool:
        born = self._born[repo.uuid, name]
        if born < now - WINDOW:
            return False
        known, commit = self._known.get(repo.uuid), repo.objects.get(name)
        recent = commit is not None and commit.date >= now - WINDOW
        return recent or (known is not None and born > known)

    def kept(self) -> None:
        """Note that a sync has read everything, so that nothing said before is open any more."""
        for repo in self._world.repositories():
            if not repo.refused:
                self._known.setdefault(repo.uuid, self._clock())
        self._said = [one for one in self._said if one[0].refused]
        self._again = [one for one in self._again if one.repository.refused]

    def forgives(self, stream: str, keys: Iterable[object]) -> bool:
        """Whether a row may differ: one of these values is of something that may be late."""
        return any((stream, key) in self._late for key in keys)
