"""What is renamed or moved stays what it is: keys are uuids, and bookmarks go by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.catalogs import only
from tests.furniture import KEPT, OF_PROJECTS, OF_REPOSITORIES, SOME, differences, furnish
from tests.story import Story, story_of
from tests.support import Run, select
from tests.truth import Key

Held = set[tuple[str, Key]]

AT_ONCE = SOME & OF_REPOSITORIES - {"source_files"}
"""Whole tables of a repository that are read again when it is renamed, whatever it holds."""


class Steady(Story):
    """A story that begins when all was synced twice.

    Attributes:
        idle: How many requests a sync makes that finds nothing new.
    """

    idle: int

    @property
    def extra(self) -> int:
        """Return how many more requests the last sync made."""
        return len(self.server.requests) - self.idle

    def held(self) -> Held:
        """Return what the target holds."""
        return {(stream, key) for stream in SOME for key in self.target[stream]}

    def told(self, column: str, streams: set[str], **of: str) -> set[str]:
        """Return what the rows of these streams hold in a column."""
        ((name, value),) = of.items()
        return {
            row[column]
            for stream in streams
            for row in self.target[stream].values()
            if row[name] == value
        }


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Steady]:
    """Tell a story of two workspaces in which every stream has rows."""
    some = only(select(catalog, *SOME), *SOME)
    with story_of(some, monkeypatch) as plain:
        told = Steady(plain.server, plain.clock, some, max_retries=0)
        furnish(told)
        second = told.world.add_workspace("second", "Second")
        told.world.add_member(second, told.who("ann"), "owner")
        told.world.add_project(second, "P")
        told.settings["workspaces"] = [told.api.workspace.slug, "second"]
        told.clock.later(days=3)
        told.sync()
        told.sync()
        assert differences(told, *SOME) == []
        told.idle = len(told.server.requests)
        yield told


def wrong(story: Steady) -> list[str]:
    """Return how the target differs from the truth, but for addresses in rows that are history."""
    return [one for one in differences(story, *SOME) if "https://bitbucket.org/" not in one]


def nothing_again(run: Run, uuid: str) -> bool:
    """Whether a run wrote no row of a repository that only a loss of bookmarks brings again."""
    known = KEPT - {"pull_requests", "pull_request_participants"}  # open ones, as they changed
    return not [
        row for stream in known for row in run.rows(stream) if row.get("repository_uuid") == uuid
    ]


def test_a_repository_with_another_name(story: Steady) -> None:
    """A renamed repository keeps its rows and bookmarks; what is read of it has the new name."""
    before, repo = story.held(), story.api
    story.world.rename_repository(repo, "backend")
    run = story.sync()
    assert story.held() == before
    assert nothing_again(run, repo.uuid)
    assert story.told("repository", AT_ONCE, repository_uuid=repo.uuid) == {"backend"}
    names = story.told("repository_full_name", AT_ONCE, repository_uuid=repo.uuid)
    assert names == {"halley-labs/backend"}
    assert story.row("repositories", repo.uuid)["slug"] == "backend"
    assert wrong(story) == []
    assert story.extra <= 6 < story.idle / 8
    story.sync(reconcile_every=0)
    assert story.told("repository", {"source_files"}, repository_uuid=repo.uuid) == {"backend"}
    story.world.push(repo, "main")
    run = story.sync()
    assert [row["repository"] for row in run.rows("commits")] == ["backend"]
    assert wrong(story) == []


def test_repositories_that_swap_their_names(story: Steady) -> None:
    """Two repositories that take each other's names stay apart."""
    before, api, web = story.held(), story.api, story.web
    for repo, slug in ((api, "between"), (web, "api"), (api, "web")):
        story.world.rename_repository(repo, slug)
    run = story.sync()
    assert story.held() == before
    assert nothing_again(run, api.uuid)
    assert nothing_again(run, web.uuid)
    assert story.told("repository", AT_ONCE, repository_uuid=api.uuid) == {"web"}
    assert story.told("repository", AT_ONCE, repository_uuid=web.uuid) == {"api"}
    assert wrong(story) == []


def test_a_repository_in_another_project(story: Steady) -> None:
    """A repository that is moved to another project keeps everything but what that decides."""
    before = story.held()
    story.world.move_project(story.api, "TWO")
    run = story.sync()
    assert story.held() == before
    assert nothing_again(run, story.api.uuid)
    assert story.row("repositories", story.api.uuid)["project"]["key"] == "TWO"
    assert story.target["projects"].keys() == {
        (project.uuid,)
        for workspace in story.world.workspaces.values()
        for project in workspace.projects.values()
    }
    assert wrong(story) == []
    assert story.extra <= 6


@pytest.mark.parametrize("every", [0, 7])
def test_a_repository_in_another_workspace(story: Steady, every: int) -> None:
    """A repository that is transferred to another workspace that is read stays what it is."""
    story.settings["reconcile_every"] = every
    rights = {"workspace_repository_permissions", "repository_group_permissions"}
    before, repo = story.held(), story.api
    story.world.transfer_repository(repo, "second", "P")
    run = story.sync()
    assert {stream for stream, _ in story.held() ^ before} == rights  # members and groups differ
    assert nothing_again(run, repo.uuid)
    assert story.told("workspace", AT_ONCE, repository_uuid=repo.uuid) == {"second"}
    assert story.row("repositories", repo.uuid)["workspace"] == "second"
    assert wrong(story) == []
    story.world.push(repo, "main")
    run = story.sync()
    assert [row["workspace"] for row in run.rows("commits")] == ["second"]
    assert wrong(story) == []


def test_a_repository_that_leaves(story: Steady) -> None:
    """A repository that goes to a workspace that is not read is like one that was deleted."""
    elsewhere = story.world.add_workspace("elsewhere")
    story.world.add_project(elsewhere, "Q")
    repo, before = story.api, story.held()
    story.world.transfer_repository(repo, elsewhere, "Q")
    story.sync(reconcile_every=0)
    lost = before - story.held()
    assert {stream for stream, _ in lost} == SOME & (
        OF_REPOSITORIES | {"repositories", "workspace_repository_permissions"}
    )


def test_a_project_with_another_key(story: Steady) -> None:
    """A project whose key changes keeps its rows; what is read in it has the new key."""
    before, project = story.held(), story.api.project
    story.world.change_key(project, "UNO")
    story.sync()
    assert story.held() == before
    assert story.row("projects", project.uuid)["key"] == "UNO"
    assert story.told("project_key", OF_PROJECTS, project_uuid=project.uuid) == {"UNO"}
    assert story.asked("/projects/UNO/")
    assert not story.asked("/projects/ONE/")
    assert wrong(story) == []
    assert story.extra == 0


def test_a_branch_with_another_name(story: Steady) -> None:
    """A renamed branch is a new row, the old one goes in time, and no commit comes again."""
    uuid = story.api.uuid
    story.world.rename_branch(story.api, "old", "older")
    story.world.rename_branch(story.api, "main", "trunk")
    run = story.sync()
    assert nothing_again(run, uuid)
    assert not run.rows("source_files")
    assert {(uuid, "older"), (uuid, "trunk"), (uuid, "old")} <= set(story.target["branches"])
    assert story.row("repositories", uuid)["mainbranch"]["name"] == "trunk"
    assert story.extra <= 6
    story.sync(reconcile_every=0)
    assert wrong(story) == []


def test_a_workspace_with_another_name(story: Steady) -> None:
    """A workspace that shows another name is the same workspace."""
    before, uuid = story.held(), story.api.workspace.uuid
    story.world.rename_workspace(story.api.workspace, "Halley & Sons")
    run = story.sync()
    assert story.held() == before
    assert story.row("workspaces", uuid)["name"] == "Halley & Sons"
    assert nothing_again(run, story.api.uuid)
    assert story.extra == 0


def test_a_repository_that_is_made_again(story: Steady) -> None:
    """A repository under the slug of a deleted one is another one; of the old one history stays."""
    old, before = story.api, story.held()
    kept = {one for one in before if one[0] in KEPT and _uuid(story, one) == old.uuid}
    story.world.delete_repository(old)
    new = story.world.add_repository(old.workspace, "api", project="ONE")
    story.world.push(new, "main", 2)
    story.world.finish_pipeline(story.world.start_pipeline(new))
    story.world.open_pull_request(new, author=story.who("ann"))
    run = story.sync(reconcile_every=0)
    assert wrong(story) == []
    assert kept <= story.held()
    assert {stream for stream, _ in kept} == SOME & KEPT - {"snippet_comments"}
    assert not [row for row in run.rows("commits") if row["repository_uuid"] == old.uuid]
    assert story.told("repository_uuid", SOME & OF_REPOSITORIES, repository="api") == {new.uuid}


def _uuid(story: Steady, one: tuple[str, Key]) -> str | None:
    """Return the repository of a row in the target."""
    uuid: str | None = story.target[one[0]][one[1]].get("repository_uuid")
    return uuid


@pytest.mark.parametrize("what", ["renamed", "moved"])
def test_a_change_in_the_middle_of_a_run(story: Steady, what: str) -> None:
    """What gets another address while it is read is read on; the next run has it all right."""
    repo = story.api

    def change() -> None:
        if what == "moved":
            story.world.transfer_repository(repo, "second", "P")
        else:
            story.world.rename_repository(repo, "backend")

    story.world.push(repo, "main")
    story.server.faults.add(Fault("/api/refs/branches", action="callback", callback=change))
    story.sync()
    story.sync(reconcile_every=0)
    assert wrong(story) == []
    assert {key[0] for key in story.target["commits"]} <= {
        one.uuid for one in story.world.repositories()
    }
