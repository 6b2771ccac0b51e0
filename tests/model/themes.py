"""What a history is about: what happens in it, and which streams are read."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.model.changes import Change
from tests.model.code import Coders
from tests.model.delivery import Machines
from tests.model.places import Owners
from tests.model.reviews import Reviewers

_ANYWHERE = ("rename", "move", "vanish", "found", "forbid", "allow")
"""What happens to any repository, whatever the history is about."""


def _ways(kind: type) -> tuple[str, ...]:
    return tuple(name for name in vars(kind) if not name.startswith("_"))


@dataclass(frozen=True)
class Theme:
    """What a history is about.

    Attributes:
        ways: What happens, the more often the more often it is named.
        streams: What is read.
        places: The lists during which something happens.
        before: What happened before.
        workspaces: How many workspaces there are.
    """

    ways: tuple[str, ...]
    streams: tuple[str, ...]
    places: tuple[str, ...]
    before: tuple[str, ...]
    workspaces: int = 1

    @property
    def beginnings(self) -> list[Change]:
        """Return what happened before, to one thing after the other."""
        return [Change(way, number, number) for number, way in enumerate(self.before)]

    @property
    def changes(self) -> SearchStrategy[Change]:
        """Return what may happen."""
        return st.builds(
            Change, st.sampled_from(self.ways), which=st.integers(0, 7), how=st.integers(0, 11)
        )

    @property
    def choices(self) -> SearchStrategy[tuple[str, ...]]:
        """Return what may be selected: each stream must be right without the others."""
        some = st.lists(st.sampled_from(self.streams), min_size=2, unique=True)
        return st.one_of(st.just(self.streams), some.map(tuple))

    @property
    def moments(self) -> SearchStrategy[tuple[str, int]]:
        """Return the moments in a sync: a request, and how many like it come before."""
        anywhere = st.tuples(st.just(""), st.integers(0, 40))
        return st.one_of(anywhere, st.tuples(st.sampled_from(self.places), st.integers(0, 4)))


CODE = Theme(
    (*_ways(Coders), *_ways(Coders), *_ways(Coders), *_ANYWHERE, "empty"),
    ("repositories", "branches", "tags", "commits", "commit_statuses", "commit_comments"),
    ("/refs/branches", "/refs/tags", "/refs", "/commits", "/commit/"),
    ("push", "push", "branch", "rewrite", "rewrite", "branch", "branch", "tag", "tag", "build",
     "remark", "build", "remark"),
)  # fmt: skip

REVIEWS = Theme(
    (*_ways(Reviewers), *_ways(Reviewers), *_ways(Reviewers), "say", "say", "open", *_ANYWHERE,
     "push", "rewrite", "build"),
    ("pull_requests", "pull_request_participants", "pull_request_activity",
     "pull_request_comments", "pull_request_tasks", "pull_request_commits",
     "pull_request_diffstat", "pull_request_statuses"),
    ("/pullrequests\\?", "/pullrequests/activity", "/comments", "/tasks", "/pullrequests/\\d"),
    (*["open"] * 5, *["say"] * 7, "edit", "unsay", "task", "task", "judge", "close", "build"),
)  # fmt: skip

DELIVERY = Theme(
    (*_ways(Machines), *_ways(Machines), *["start"] * 4, *["finish"] * 2, *_ANYWHERE, "push"),
    ("pipelines", "pipeline_steps", "environments", "deployments"),
    ("/pipelines/\\?", "/steps", "/environments/", "/deployments/"),
    (*["start"] * 6, *["finish"] * 3, *["deploy"] * 4, "environment", "proceed"),
)

PLACES = Theme(
    (*_ways(Owners), *_ways(Owners), "push", "branch"),
    ("workspaces", "workspace_members", "workspace_repository_permissions", "users", "projects",
     "repositories", "branches", "tags", "default_reviewers", "repository_user_permissions",
     "repository_group_permissions", "repository_hooks", "commits", "environments"),
    ("/repositories/[^/]+\\?", "/projects", "/members", "/permissions", "/hooks", "/reviewers"),
    ("found", "found", "permit", "permit", "permit", "permit", "hook", "project", "member"),
    workspaces=2,
)  # fmt: skip

_THEMES = (CODE, REVIEWS, DELIVERY, PLACES)

EVERYTHING = Theme(
    tuple(sorted({way for theme in _THEMES for way in theme.ways})),
    tuple(dict.fromkeys(stream for theme in _THEMES for stream in theme.streams)),
    tuple(place for theme in _THEMES for place in theme.places),
    tuple(way for theme in _THEMES for way in theme.before),
    workspaces=2,
)

THEMES = {
    "code": CODE,
    "reviews": REVIEWS,
    "delivery": DELIVERY,
    "places": PLACES,
    "everything": EVERYTHING,
}
