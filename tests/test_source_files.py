"""The files at the head of the main branch: when they are listed, and that none is missed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.model import FileChange
from tests.catalogs import only
from tests.commits import lost
from tests.story import Story, story_of

HEAD = r"/api/refs/branches"
LISTING = r"/api/src/"


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, in which nobody waits before asking again."""
    monkeypatch.setattr("backoff._sync.time.sleep", lambda _: None)
    with story_of(only(catalog, "source_files", "branches"), monkeypatch) as told:
        yield told


def added(*paths: str) -> list[FileChange]:
    """Return a commit's new files."""
    return [FileChange(path, "added", 1, 0) for path in paths]


def paths(story: Story) -> set[str]:
    """Return the files and folders of the first repository that the target holds."""
    return {path for uuid, path in story.target["source_files"] if uuid == story.api.uuid}


# -- when they are listed -----------------------------------------------------------------------


def test_only_when_the_head_moved(story: Story) -> None:
    """Files are listed when the main branch moved; a push to another branch costs one request."""
    story.world.push(story.api, "main", 3)
    story.sync("source_files")
    assert lost(story, "source_files") == []
    story.sync("source_files")
    assert not story.asked("/api/")
    story.world.push(story.api, "feature", 1)
    assert story.sync("source_files").counts == {}
    assert len(story.asked("/api/")) == len(story.asked(HEAD)) == 1
    story.sync("source_files")
    assert not story.asked("/api/")
    story.world.push(story.api, "main", 1, files=added("src/new.py"))
    run = story.sync("source_files")
    assert len(story.asked(LISTING)) == 1
    assert not story.asked("/web/")
    head = story.api.branches["main"]
    assert {row["commit_hash"] for row in run.rows("source_files")} == {head}
    assert lost(story, "source_files", kept=True) == []


def test_a_push_in_mid_run(story: Story) -> None:
    """Files are those of one commit; what is pushed meanwhile comes with the next run."""
    story.sync("source_files")
    for at in (HEAD, LISTING):
        story.world.push(story.api, "main", 1, files=added("src/first.py"))
        story.clock.later(minutes=10)
        fault = Fault(at, action="callback", callback=lambda: story.world.push(
            story.api, "main", 1, files=added("src/second.py")))  # fmt: skip
        story.server.faults.add(fault)
        run = story.sync("source_files")
        assert len({row["commit_hash"] for row in run.rows("source_files")}) == 1
        story.sync("source_files")
        assert lost(story, "source_files", kept=True) == []


def test_files_that_went(story: Story) -> None:
    """A file that was removed goes from the table with the next whole pass."""
    story.world.push(story.api, "main", 1, files=added("src/old.py", "src/kept.py"))
    story.sync("source_files", reconcile_every=0)
    assert "src/old.py" in paths(story)
    gone = [FileChange("src/old.py", "removed", 0, 1)]
    story.world.push(story.api, "main", 1, files=gone)
    run = story.sync("source_files", reconcile_every=0)
    assert "source_files" in run.activated
    assert lost(story, "source_files") == []
    assert "src/old.py" not in paths(story)


def test_an_empty_repository(story: Story) -> None:
    """A repository without commits has no files, costs no request, and is read when it has some."""
    new = story.world.add_repository(story.api.workspace, "newborn", project="TWO", empty=True)
    story.sync("source_files")
    assert not story.asked("/newborn")
    story.world.push(new, "trunk", 1)
    story.sync("source_files")
    assert lost(story, "source_files") == []


# -- which branch is the main one ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["trunk", "release/2026.11", 'odd "name"', "back\\slash", "ü&?#%"])
def test_another_main_branch(story: Story, name: str) -> None:
    """A main branch that is renamed is found by its new name, whatever characters are in it."""
    story.sync("source_files")
    rename(story, name)
    story.world.push(story.api, name, 1, files=added("src/renamed.py"))
    story.sync("source_files")
    assert len(story.asked(HEAD)) == 1
    assert "src/renamed.py" in paths(story)
    assert lost(story, "source_files", kept=True) == []


def rename(story: Story, name: str) -> None:
    """Give the main branch another name."""
    with story.world.lock:
        story.world.add_branch(story.api, name)
        story.api.mainbranch = name
        story.world.delete_branch(story.api, "main")


@pytest.mark.parametrize("every", [0, 7], ids=["whole pass", "usual pass"])
def test_a_main_branch_that_is_renamed_in_mid_run(story: Story, every: int) -> None:
    """Between the list of repositories and the question for the head: no file looks deleted."""
    story.sync("source_files")
    before = paths(story)
    story.world.push(story.api, "main", 1, files=added("src/new.py"))
    fault = Fault(HEAD, action="callback", callback=lambda: rename(story, "trunk"))
    story.server.faults.add(fault)
    story.sync("source_files", reconcile_every=every)
    assert before <= paths(story)
    story.sync("source_files", reconcile_every=every)
    assert lost(story, "source_files", kept=True) == []


def test_many_branches(story: Story) -> None:
    """The main branch is found among many, by one request."""
    for number in range(150):
        story.world.add_branch(story.api, f"topic/{number}")
        story.world.add_branch(story.api, f"main{number}")
    story.sync("source_files")
    assert len(story.asked(HEAD)) == 1
    assert lost(story, "source_files") == []


def test_a_server_that_does_not_filter_branches(story: Story) -> None:
    """Where Bitbucket refuses the filter, the main branch is looked for in the whole list."""
    for number in range(150):
        story.world.add_branch(story.api, f"a/{number}")
    story.api.branches = {**story.api.branches, "main": story.api.branches.pop("main")}
    body = '{"error": {"message": "Invalid query"}}'
    story.server.faults.add(Fault(f"{HEAD}.*[?&]q=", status=400, body=body, times=None))
    story.sync("source_files")
    assert lost(story, "source_files") == []


# -- how deep -----------------------------------------------------------------------------------

DEEP = "a/b/c/d/e/f/g/h/i/j/k/l.py"
ODD = ("Straße/no space/100%/q?x=1&y/#1.txt", "src/{braces}/[x]/+plus.py", "dot.d/.hidden/..x")


@pytest.mark.parametrize("limit", [None, 1, 2, 3, 5, 9])
def test_listings_that_take_too_long(story: Story, limit: int | None) -> None:
    """Where Bitbucket gives up (555) on many levels it is asked for fewer: no file is missed."""
    story.world.push(story.api, "main", 1, files=added(DEEP, "a/b/z.py", *ODD))
    for path in ("README.txt", "lib/x.bin"):
        story.world.add_file(story.api, path)
    story.world.add_file(story.api, "vendor/module", attributes=["subrepository"])
    story.world.push(story.web, "main", 1, files=added(*(f"big/{n}.py" for n in range(230))))
    story.server.source_depth_limit = limit
    run = story.sync("source_files")
    assert "Skipped" not in run.log
    assert lost(story, "source_files") == []
    assert "a/b/c/d/e/f/g/h/i/j" in paths(story)
    assert "a/b/c/d/e/f/g/h/i/j/k" not in paths(story), "ten levels are the default"


@pytest.mark.parametrize("limit", [None, 1, 2])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_source_max_depth(story: Story, depth: int, limit: int | None) -> None:
    """``source_max_depth`` says how many levels are read, however they have to be asked for."""
    story.world.push(story.api, "main", 1, files=added(DEEP, "a/x.py", "a/b/y.py", "top.py"))
    story.server.source_depth_limit = limit
    story.sync("source_files", source_max_depth=depth)
    steps = DEEP.split("/")
    levels = {"/".join(steps[:number]) for number in range(1, depth + 1)}
    found = {path for path in paths(story) if path.startswith("a") or path == "top.py"}
    more = (
        {"top.py"} | ({"a/x.py"} if depth > 1 else set()) | ({"a/b/y.py"} if depth > 2 else set())
    )
    assert found == levels | more


def test_how_often_what_takes_too_long_is_asked_for(story: Story) -> None:
    """Folders that are listed one by one are not each asked for in vain three times before."""
    wide = [f"d{one}/e{two}/f{three}/x.py" for one in range(3) for two in range(3)
            for three in range(3)]  # fmt: skip
    story.world.push(story.api, "main", 1, files=added(*wide))
    story.server.source_depth_limit = 2
    story.sync("source_files", max_retries=8)
    assert lost(story, "source_files") == []
    slow = [one for one in story.server.requests if one.status == 555 and "/api/" in one.url]
    folders = len([path for path in paths(story) if not re.search(r"\.\w+$", path)])
    assert len(slow) <= folders


def test_a_top_folder_that_takes_too_long(story: Story) -> None:
    """Where even the first level takes too long, the repository is skipped and loses no file."""
    story.sync("source_files")
    before = paths(story)
    story.world.push(story.api, "main", 1)
    story.server.faults.add(Fault(LISTING, status=555, times=None))
    run = story.sync("source_files", reconcile_every=0)
    assert "Skipped source_files of halley-labs/api" in run.log
    assert before <= paths(story)
    story.server.faults.clear()
    story.sync("source_files")
    assert lost(story, "source_files", kept=True) == []


def test_a_head_that_is_rewritten_in_mid_run(story: Story) -> None:
    """A head that Bitbucket forgot before its files were listed is a skip, not an empty folder."""
    story.sync("source_files")
    before = paths(story)
    story.world.push(story.api, "main", 1, files=added("src/gone.py"))
    fault = Fault(LISTING, action="callback", callback=lambda: story.world.force_push(
        story.api, "main", 1))  # fmt: skip
    story.server.faults.add(fault)
    run = story.sync("source_files", reconcile_every=0)
    assert "Skipped source_files of halley-labs/api" in run.log
    assert before <= paths(story)
    story.sync("source_files", reconcile_every=0)
    assert lost(story, "source_files") == []
