"""What a rule for the least number of requests consists of, and what it is applied to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from tap_bitbucket.demo import World
from tap_bitbucket.demo.model import Repository, User, Workspace

CORE = 100
"""Rows on the longest page of most lists."""

DAY = timedelta(days=1)
OVERLAP = timedelta(minutes=5)
"""How far behind its clock Bitbucket's index may be: rows so new are asked for again."""

_NEEDS: dict[str, tuple[str, ...]] = {
    "users": ("workspace_members",),
    "current_user_ssh_keys": ("current_user",),
    "current_user_gpg_keys": ("current_user",),
    "snippet_comments": ("snippets",),
    "snippet_commits": ("snippets",),
    "pull_request_participants": ("pull_requests",),
    "pull_request_activity": ("pull_requests",),
    "pull_request_comments": ("pull_requests",),
    "pull_request_tasks": ("pull_requests",),
    "pull_request_commits": ("pull_requests",),
    "pull_request_diffstat": ("pull_requests",),
    "pull_request_statuses": ("pull_requests",),
    "commit_statuses": ("commits",),
    "commit_comments": ("commits",),
    "commit_diffstat": ("commits",),
    "commit_reports": ("commits",),
    "commit_report_annotations": ("commits", "commit_reports"),
    "pipeline_steps": ("pipelines",),
    "pipeline_test_reports": ("pipelines", "pipeline_steps"),
    "pipeline_test_cases": ("pipelines", "pipeline_steps"),
    "pipeline_schedule_executions": ("pipeline_schedules",),
    "deployment_variables": ("environments",),
}
"""The lists without which nobody knows what to ask for."""

_IN_PROJECTS = "project_"


def pages(rows: int | Sized, length: int = CORE) -> int:
    """Count the pages of a list; an empty one has one, which says so."""
    count = rows if isinstance(rows, int) else len(rows)
    return max(1, -(-count // length))


class Scene:
    """What a pass is about: a world, and the streams that are read from it.

    Args:
        world: The world.
        streams: Those that are selected.
    """

    def __init__(self, world: World, streams: Iterable[str]) -> None:
        self.world = world
        self.selected = frozenset(streams)
        self.now: datetime = world.now()

    @cached_property
    def read(self) -> frozenset[str]:
        """The streams whose lists are read: the selected ones, and those that they need."""
        found = set(self.selected)
        for name in self.selected:
            found.update(_NEEDS.get(name, ()))
            if name.startswith(_IN_PROJECTS):
                found.add("projects")
            if name not in OUTSIDE and not name.startswith(_IN_PROJECTS):
                found.add("repositories")
        return frozenset(found)

    @cached_property
    def me(self) -> User:
        """The person whose token is used."""
        keys = self.world.credentials
        assert keys is not None  # noqa: S101 - for the type checker
        return next(user for user in self.world.users.values() if user.email == keys.email)

    def recent(self, moment: datetime) -> bool:
        """Whether something happened so lately that it is asked for again."""
        return moment >= self.now - OVERLAP

    def lately(self, moment: datetime) -> bool:
        """Whether something happened within a day, so that more may be said about it."""
        return moment >= self.now - DAY


OUTSIDE = frozenset(
    {
        *("workspaces", "workspace_members", "workspace_permissions", "users", "projects"),
        *("workspace_repository_permissions", "workspace_hooks", "workspace_variables"),
        *("workspace_runners", "snippets", "snippet_comments", "snippet_commits", "hook_events"),
        *("current_user", "current_user_emails", "current_user_ssh_keys"),
        "current_user_gpg_keys",
    }
)
"""The streams that ask nothing about repositories."""

Count = Callable[[Any, Scene], int]


@dataclass(frozen=True)
class Rule:
    """How the least is counted for a stream.

    Attributes:
        of: What it is counted for: the `run`, each `workspace`, `project` or `repository`.
        full: Requests of a full pass.
        idle: Requests of a pass right after it, which find that nothing changed.
        formula: The full pass in words.
        again: The idle pass in words.
        why: What follows from what.
    """

    of: str
    full: Count
    idle: Count
    formula: str
    again: str
    why: str


def whole(
    of: str, rows: Callable[[Any, Scene], int | Sized], what: str, why: str, length: int = CORE
) -> Rule:
    """Make the rule of a list that nothing tells about: it is read whole each time."""

    def count(place: Repository | Workspace | User, scene: Scene) -> int:
        return pages(rows(place, scene), length)

    formula = f"⌈{what} / {length}⌉"
    return Rule(of, count, count, formula, "the same", why)


def one(of: str, why: str, times: int = 1) -> Rule:
    """Make the rule of what is a single object, and not a list."""
    text = f"{times} per {of}"
    return Rule(of, lambda *_: times, lambda *_: times, text, "the same", why)


def nothing(of: str, why: str) -> Rule:
    """Make the rule of what other lists carry."""
    return Rule(of, lambda *_: 0, lambda *_: 0, "0", "0", why)
