"""target-postgres with ``hard_delete`` mirrors Bitbucket: what is gone goes, the rest stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.furniture import FIXED, KEPT, Furniture, furnish
from tests.loading import Warehouse, by_key, warehouse
from tests.story import Story, open_request, story_of
from tests.support import Row, Run, select
from tests.truth import ALL_STREAMS, Key

Tables = dict[str, dict[Key, Row]]

WITHOUT_REPOSITORY = {
    stream
    for stream in ALL_STREAMS
    if stream.startswith(("workspace", "project_", "projects", "users", "current", "snippet"))
} | {"repositories", "hook_events"}
"""Streams that are not read repository by repository."""


@dataclass
class Mirror:
    """What the database holds after each sync, and how that differs from Bitbucket."""

    story: Story
    database: Warehouse
    furniture: Furniture
    tables: dict[str, Tables] = field(default_factory=dict)
    differences: dict[str, list[str]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def sync(self, name: str) -> None:
        """Sync, and note what a target that does as it is told holds then."""
        self.runs.append(self.story.sync())
        self.tables[name] = {
            stream: by_key(stream, self.story.target[stream].values()) for stream in ALL_STREAMS
        }
        self.differences[name] = [
            one
            for stream in ALL_STREAMS
            for one in self.story.differences(stream, kept=stream in KEPT)
        ]

    def load(self, name: str) -> None:
        """Load what was synced since the last time; the database must hold the same."""
        self.database.load(*self.runs)
        self.runs.clear()
        for stream, rows in self.tables[name].items():
            assert self.database.rows(stream) == rows, (name, stream)


@pytest.fixture(scope="module")
def mirror(catalog: dict[str, Any]) -> Iterator[Mirror]:
    """Load a world; delete in it; sync while a repository is forbidden; sync once more."""
    everything = select(catalog, *ALL_STREAMS)
    with (
        pytest.MonkeyPatch.context() as patch,
        story_of(everything, patch, max_retries=0, reconcile_every=0) as story,
        warehouse() as database,
    ):
        made = Mirror(story, database, furnish(story))
        comment = story.world.comment(open_request(story), story.who("bob"), "To be deleted")
        story.clock.later(days=1)
        made.sync("full")
        made.load("full")
        made.furniture.delete()
        story.world.delete_comment(comment)
        made.sync("deleted")
        story.world.forbid(story.api)
        _more_deletions(story)
        made.sync("forbidden")
        made.load("forbidden")
        story.world.allow(story.api)
        made.sync("allowed")
        made.load("allowed")
        yield made


def _more_deletions(story: Story) -> None:
    """Delete in the repository that is forbidden, in another one, and in the workspace."""
    world = story.world
    for repo in (story.api, story.web):
        world.delete_branch(repo, "feature/1")
        world.delete_tag(repo, "v2")
        for things in (repo.hooks, repo.deploy_keys, repo.restrictions, repo.known_hosts):
            things.clear()
        repo.variables.clear()
        repo.environments.clear()
        repo.schedules.clear()
        repo.watchers.clear()
        world.set_default_reviewers(repo)
    world.remove_member(story.api.workspace, story.who("cem"))
    story.api.workspace.hooks.clear()


def of(tables: Tables, uuid: str) -> Tables:
    """Return the rows of a repository."""
    return {
        stream: {key: row for key, row in rows.items() if row.get("repository_uuid") == uuid}
        for stream, rows in tables.items()
        if stream not in WITHOUT_REPOSITORY
    }


def test_everything_is_loaded(mirror: Mirror) -> None:
    """Every stream has its table, with a row for each thing that Bitbucket has."""
    assert mirror.differences["full"] == []
    assert [stream for stream, rows in mirror.tables["full"].items() if not rows] == []


def test_what_is_deleted_goes(mirror: Mirror) -> None:
    """After the next sync the tables hold what Bitbucket holds, and no row that is gone."""
    assert mirror.differences["deleted"] == []
    full, deleted = mirror.tables["full"], mirror.tables["deleted"]
    shrunk = {stream for stream in ALL_STREAMS if full[stream].keys() - deleted[stream].keys()}
    everything = set(ALL_STREAMS) - KEPT
    assert shrunk >= everything - FIXED
    assert not shrunk & KEPT


def test_a_deleted_comment_is_kept_as_deleted(mirror: Mirror) -> None:
    """A comment that was deleted is still a row, which says so."""
    comments = mirror.tables["deleted"]["pull_request_comments"].values()
    assert [row["deleted"] for row in comments if row["deleted"]] == [True]
    before = mirror.tables["full"]["pull_request_comments"].values()
    assert not any(row["deleted"] for row in before)


def test_a_repository_that_is_forbidden_loses_nothing(mirror: Mirror) -> None:
    """While a repository is forbidden, none of its rows vanishes or changes, in any table."""
    uuid = mirror.story.api.uuid
    before, after = of(mirror.tables["deleted"], uuid), of(mirror.tables["forbidden"], uuid)
    assert after == before
    assert [stream for stream, rows in before.items() if not rows] == []


def test_the_rest_is_mirrored_while_one_is_forbidden(mirror: Mirror) -> None:
    """What is not read by repository is exact all the same."""
    wrong = [one for one in mirror.differences["forbidden"] if one.split()[0] in WITHOUT_REPOSITORY]
    assert wrong == []
    before, after = mirror.tables["deleted"], mirror.tables["forbidden"]
    for stream in ("workspace_hooks", "workspace_members", "users"):
        assert len(after[stream]) < len(before[stream]), stream


def test_all_is_exact_when_it_comes_back(mirror: Mirror) -> None:
    """When the repository can be read again, the next sync makes up for everything."""
    assert mirror.differences["forbidden"] != []
    assert mirror.differences["allowed"] == []
    for stream in ("branches", "tags", "environments", "deployment_variables", "repository_hooks"):
        gone = mirror.tables["forbidden"][stream].keys() - mirror.tables["allowed"][stream].keys()
        assert mirror.story.api.uuid in {
            mirror.tables["forbidden"][stream][key]["repository_uuid"] for key in gone
        }, stream
