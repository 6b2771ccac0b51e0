"""What pull requests change: where that is asked for, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.model import FileChange
from tests.catalogs import only
from tests.commits import lost
from tests.pull_requests import BELOW, GATED, asked_about, several
from tests.story import Story, open_request, story_of


@pytest.fixture
def story(catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Tell a story in a small world, in which nobody waits before asking again."""
    monkeypatch.setattr("backoff._sync.time.sleep", lambda _: None)
    with story_of(only(catalog, "pull_requests", *BELOW), monkeypatch) as told:
        yield told


# -- the pull request's own link ----------------------------------------------------------------


@pytest.mark.parametrize("parent", [True, False], ids=["with pull requests", "alone"])
def test_the_link_saves_a_redirect(story: Story, parent: bool) -> None:
    """Changed files are asked for where the pull request says that they are, on long pages."""
    several(story)
    run = story.sync(*(["pull_requests"] if parent else []), "pull_request_diffstat")
    assert lost(story, "pull_request_diffstat") == []
    assert not story.asked(r"/pullrequests/\d")
    assert 302 not in {one.status for one in story.server.requests}
    assert len(story.asked("/diffstat/")) == 4
    assert len(story.asked("/diffstat/.*pagelen=5000")) == 4
    assert all("links" not in row for row in run.rows("pull_requests"))


@pytest.mark.parametrize(
    "link",
    [
        None,
        {},
        {"diffstat": {}},
        {"diffstat": {"href": None}},
        {"diffstat": {"href": "https://elsewhere.example/2.0/repositories/a/b/diffstat/c"}},
        {"diffstat": {"href": "https://api.bitbucket.org/2.0/user"}},
        {"diffstat": {"href": "not a link"}},
    ],
)
def test_a_link_that_leads_nowhere(story: Story, link: Any) -> None:
    """Without a link to use, the list below the pull request is asked, which sends elsewhere."""
    several(story)

    def without(page: dict[str, Any]) -> dict[str, Any]:
        rows = [{**row, "links": link} for row in page["values"]]
        return {**page, "values": rows}

    fault = Fault(r"/pullrequests\?", action="edit", edit=without, times=None)
    story.server.faults.add(fault)
    story.sync("pull_request_diffstat")
    assert lost(story, "pull_request_diffstat") == []
    assert len(story.asked(r"/pullrequests/\d+/diffstat")) == 4
    assert not story.server.tokens_seen_elsewhere


def test_more_files_than_a_page_holds(story: Story) -> None:
    """Where Bitbucket takes no such long page, shorter ones are asked for, once that is known."""
    files = [FileChange(f"src/{number}.py", "added", 1, 0) for number in range(230)]
    for number in range(4):
        story.world.push(story.api, f"big/{number}", 1, files=files)
        open_request(story, source=f"big/{number}")
    refuse_pages(story)
    story.sync("pull_request_diffstat", concurrency=1)
    assert lost(story, "pull_request_diffstat") == []
    assert len(story.asked("pagelen=5000")) == len(story.asked("pagelen=500(&|$)")) == 1
    assert len(story.asked("/diffstat/.*pagelen=100")) == 4 * 3
    assert len(story.target["pull_request_diffstat"]) == 4 * 230


def test_a_redirect_to_pages_that_are_too_long(story: Story) -> None:
    """The same holds where the list redirects: the answer that refuses is another list's."""
    several(story)
    edit = Fault(r"/pullrequests\?", action="edit", edit=_without_links, times=None)
    story.server.faults.add(edit)
    refuse_pages(story)
    story.sync("pull_request_diffstat", concurrency=1)
    assert lost(story, "pull_request_diffstat") == []
    assert len(story.asked(r"/pullrequests/\d+/diffstat.*pagelen=5000")) == 1


def _without_links(page: dict[str, Any]) -> dict[str, Any]:
    return {**page, "values": [{**row, "links": {}} for row in page["values"]]}


def refuse_pages(story: Story) -> None:
    """Answer as Bitbucket does when a page is too long: more than 100 files."""
    body = '{"type": "error", "error": {"message": "Invalid pagelen"}}'
    match = r"/diffstat/.*pagelen=(5000|500)\b"
    story.server.faults.add(Fault(match, status=400, body=body, times=None))


# -- what cannot be read ------------------------------------------------------------------------


def test_a_fork_that_is_gone(story: Story) -> None:
    """A pull request whose fork is gone has no commits and no files, and costs no other."""
    made = several(story)
    story.world.delete_source(made[3])
    story.world.update_title(made[3], "Orphan")
    more = open_request(story)
    story.clock.later(minutes=10)
    run = story.sync(*BELOW)
    assert 404 in {one.status for one in story.server.requests}
    assert "Skipped" not in run.log
    for stream in GATED:
        found = {row["pull_request_id"] for row in run.rows(stream) if row["repository"] == "api"}
        assert found == {made[0].id, made[1].id, made[2].id, more.id}
    assert lost(story, *BELOW) == []
    story.sync(*BELOW)
    for stream in GATED:
        assert not asked_about(story, stream), "what is gone is not asked for again"


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("stream", BELOW)
def test_access_that_is_lost_in_mid_run(story: Story, stream: str, status: int) -> None:
    """When access is lost in mid-run the repository is skipped, and comes whole the next time."""
    made = several(story)
    story.clock.later(days=3)
    story.sync(stream)
    for request in made[:3]:
        story.world.update_title(request, "Changed")
    story.world.push(story.api, made[0].source_branch, 1)
    story.world.add_status(story.api, made[0].source_hash, "late")
    story.clock.later(hours=1)
    match = r"/api/(diffstat/|pullrequests/\d)"
    lose = Fault(match, after=1, action="callback",
                 callback=lambda: story.world.forbid(story.api, status))  # fmt: skip
    story.server.faults.add(lose)
    run = story.sync(stream, concurrency=1)
    assert f"Skipped {stream} of halley-labs/api" in run.log
    story.world.allow(story.api)
    story.server.faults.clear()
    story.sync(stream)
    assert lost(story, stream) == []


@pytest.mark.parametrize("status", [400, 555])
def test_changes_that_bitbucket_cannot_tell(story: Story, status: int) -> None:
    """Files of a pull request that Bitbucket cannot make out are left out, and no others."""
    made = several(story)
    match = rf"diffstat.*from_pullrequest_id={made[0].id}\b"
    body = '{"error": {"message": "No common ancestor"}}'
    story.server.faults.add(Fault(match, status=status, body=body, times=None))
    run = story.sync("pull_request_diffstat", max_retries=0)
    assert "Skipped" not in run.log
    found = {row["pull_request_id"] for row in run.rows("pull_request_diffstat")}
    assert found == {request.id for request in made[1:]}
