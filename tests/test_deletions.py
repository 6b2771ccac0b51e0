"""What is deleted in Bitbucket goes from the target, at once or in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer
from tests.furniture import (
    EVERY_TIME,
    FIXED,
    KEPT,
    SOMETIMES,
    Furniture,
    differences,
    furnish,
    order_is_right,
)
from tests.story import Story, story_of
from tests.support import api_token_config, run_here, select
from tests.truth import ALL_STREAMS, STREAMS


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, of all streams."""
    everything = select(catalog, *ALL_STREAMS)
    with story_of(everything, monkeypatch, max_retries=0) as told:
        yield told


@pytest.fixture
def furniture(story: Story) -> Furniture:
    """Put things of every kind into the world, and sync them."""
    made = furnish(story)
    story.clock.later(days=1)
    run = story.sync()
    assert run.activated == EVERY_TIME | SOMETIMES
    assert differences(story) == []
    return made


def make_due(story: Story, *streams: str) -> None:
    """Let the last reconciliation have been eight days ago."""
    assert story.state is not None
    for name in streams or SOMETIMES:
        story.state["bookmarks"][name]["reconciled_at"] -= 8 * 86_400


def test_a_whole_table_is_announced_at_its_end(server: BitbucketServer) -> None:
    """ACTIVATE_VERSION comes after the last row of a pass that held everything, and only then."""
    often, sometimes = EVERY_TIME & set(STREAMS), SOMETIMES & set(STREAMS)
    first = run_here(api_token_config(server))
    assert first.activated == often | sometimes
    assert order_is_right(first)
    second = run_here(api_token_config(server), state=first.state)
    assert second.activated == often
    assert order_is_right(second)
    third = run_here(api_token_config(server, reconcile_every=0), state=second.state)
    assert third.activated == often | sometimes
    assert third.counts["branches"] == first.counts["branches"]
    assert third.counts["repositories"] == first.counts["repositories"]
    versions = [
        {m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}
        for run in (first, second, third)
    ]
    assert all(len(one) == 1 for one in versions)
    assert max(versions[0]) < max(versions[1]) < max(versions[2]) < 2**31


def test_what_is_deleted_goes(story: Story, furniture: Furniture) -> None:
    """With ``reconcile_every: 0`` a run removes what is gone, in every stream, and no more."""
    before = {stream: set(story.target[stream]) for stream in ALL_STREAMS}
    furniture.delete()
    run = story.sync(reconcile_every=0)
    assert differences(story) == []
    assert run.activated == EVERY_TIME | SOMETIMES
    assert order_is_right(run)
    shrunk = {stream for stream in ALL_STREAMS if before[stream] - set(story.target[stream])}
    assert shrunk >= set(ALL_STREAMS) - KEPT - FIXED
    assert not shrunk & KEPT


def test_what_is_deleted_goes_in_time(story: Story, furniture: Furniture) -> None:
    """Between reconciliations deleted branches and repositories stay; the next one removes them."""
    furniture.delete()
    run = story.sync()
    assert run.activated == EVERY_TIME
    assert differences(story, *EVERY_TIME, *KEPT) == []
    for stream in SOMETIMES:
        assert story.differences(stream, kept=True) == []
        assert len(story.differences(stream)) >= 1, stream
    make_due(story)
    run = story.sync()
    assert run.activated == EVERY_TIME | SOMETIMES
    assert differences(story) == []
    run = story.sync()
    assert run.activated == EVERY_TIME
    assert not SOMETIMES & set(run.counts)


@pytest.mark.usefixtures("furniture")
def test_deleted_comments_arrive_as_deleted(story: Story) -> None:
    """A comment that is deleted stays a row that says so: on requests, commits and snippets."""
    world = story.world
    (new,) = world.push(story.api, "main")
    comment = world.comment_on_commit(story.api, new, story.who("bob"), "Oops")
    story.sync()
    assert story.row("commit_comments", story.api.uuid, comment.id)["deleted"] is False
    request = story.api.pull_requests[1]
    world.delete_comment(request.comments[0])
    world.delete_comment(comment)
    snippet = next(iter(story.api.workspace.snippets.values()))
    world.delete_snippet_comment(snippet.comments[0])
    story.sync()
    assert differences(story) == []
    uuid = story.api.uuid
    held = {
        "pull_request_comments": (uuid, 1, request.comments[0].id),
        "commit_comments": (uuid, comment.id),
        "snippet_comments": (story.api.workspace.slug, snippet.id, snippet.comments[0].id),
    }
    for stream, key in held.items():
        assert story.row(stream, *key)["deleted"] is True
        others = [row["deleted"] for other, row in story.target[stream].items() if other != key]
        assert others
        assert not any(others), stream


@pytest.mark.usefixtures("furniture")
def test_the_last_row_goes(story: Story) -> None:
    """A table that has become empty in Bitbucket becomes empty in the target."""
    workspace = story.api.workspace
    for repo in list(workspace.repositories.values()):
        story.world.delete_repository(repo)
    for things in (workspace.hooks, workspace.runners, workspace.variables):
        things.clear()
    workspace.snippets.clear()
    workspace.projects.clear()
    story.sync(reconcile_every=0)
    assert differences(story) == []
    everywhere = {
        "workspaces", "workspace_members", "workspace_permissions", "users", "hook_events",
        "current_user", "current_user_emails", "current_user_ssh_keys", "current_user_gpg_keys",
    }  # fmt: skip
    assert {stream for stream in ALL_STREAMS if story.target[stream]} == KEPT | everywhere


def test_a_file_goes_when_the_next_push_is_reconciled(story: Story) -> None:
    """A head that moved brings new files at once; old ones go with the next whole pass."""
    world, streams = story.world, ("repositories", "source_files")
    world.add_file(story.api, "old.txt")
    story.sync(*streams)
    world.delete_file(story.api, "old.txt")
    world.add_file(story.api, "new.txt")
    world.push(story.api, "main")
    story.sync(*streams)
    assert (story.api.uuid, "new.txt") in story.target["source_files"]
    assert (story.api.uuid, "old.txt") in story.target["source_files"]
    make_due(story, *streams)
    story.sync(*streams)
    assert differences(story, *streams) == []
