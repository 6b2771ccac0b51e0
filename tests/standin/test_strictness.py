"""What is misspelt, withdrawn or out of range is refused."""

from __future__ import annotations

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import CONTROL, REPOS, Client, W


@pytest.mark.parametrize("path", ["/nope", f"{CONTROL}/pull-requests", f"{W}/repositories", "/"])
def test_unknown_route(read: Client, path: str) -> None:
    """A path that Bitbucket does not have answers 404."""
    assert read.get(path).status == 404


@pytest.mark.parametrize("path", [CONTROL, f"{CONTROL}/pullrequests", f"{W}/members", REPOS])
def test_unknown_parameter(read: Client, path: str) -> None:
    """A query parameter that an endpoint does not take answers 400."""
    assert read.get(path, pagesize=10).status == 400


def test_query_where_there_is_none(read: Client) -> None:
    """`q` on a list that cannot be filtered answers 400."""
    assert read.get(f"{CONTROL}/hooks", q="active=true").status == 400


@pytest.mark.parametrize("text", ["0", "-1", "ten", "101", "", "1.5"])
def test_bad_pagelen(read: Client, text: str) -> None:
    """A page length that is no number from 1 to the maximum answers 400."""
    answer = read.get(REPOS, pagelen=text)
    assert (answer.status, answer.message) == (400, "Invalid pagelen")


@pytest.mark.parametrize(
    ("path", "maximum"),
    [
        ("/pullrequests", 50),
        ("/pullrequests/activity", 50),
        ("/pullrequests/1/activity", 50),
        ("/pullrequests/1/comments", 100),
        ("/pullrequests/1/tasks", 100),
        ("/refs/branches", 100),
        ("/commits", 100),
        ("/diffstat/main", 5000),
        ("/pipelines/", 100),
        ("/deployments/", 100),
    ],
)
def test_maximum_pagelen(read: Client, path: str, maximum: int) -> None:
    """Each list has its own longest page."""
    assert read.get(CONTROL + path, pagelen=maximum).status == 200
    assert read.get(CONTROL + path, pagelen=maximum + 1).status == 400


def test_default_pagelen(read: Client) -> None:
    """Without `pagelen` a page has the endpoint's own length."""
    found = {
        path: read.get(path).json["pagelen"]
        for path in (REPOS, f"{CONTROL}/commits", f"{CONTROL}/diffstat/main", "/user/workspaces",
                     f"{CONTROL}/pullrequests/activity")
    }  # fmt: skip
    assert list(found.values()) == [10, 30, 500, 25, 20]


@pytest.mark.parametrize(
    "path", ["pipelines", "deployments", "environments", "pipelines_config/variables"]
)
def test_slash(read: Client, path: str) -> None:
    """Lists of the pipelines service need their trailing slash."""
    assert read.get(f"{CONTROL}/{path}").status == 404
    assert read.get(f"{CONTROL}/{path}/").status == 200


def test_slash_switch(server: BitbucketServer, api: Client) -> None:
    """`strict_slash` off takes those lists without the slash."""
    server.strict_slash = False
    assert api.get("/repositories/acme/rocket/pipelines").status == 200


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/workspaces", "CHANGE-2770"),
        ("/repositories", "CHANGE-2770"),
        ("/snippets", "CHANGE-2770"),
        ("/user/permissions/workspaces", "CHANGE-2770"),
        ("/user/permissions/repositories", "CHANGE-2770"),
        (f"{CONTROL}/issues", "CHANGE-3401"),
        (f"{CONTROL}/issues/3/comments/4", "CHANGE-3401"),
        (f"{CONTROL}/components", "CHANGE-3401"),
        (f"{CONTROL}/milestones/1", "CHANGE-3401"),
        (f"{CONTROL}/versions", "CHANGE-3401"),
    ],
)
def test_removed(read: Client, path: str, change: str) -> None:
    """Withdrawn endpoints answer 410 and name the announcement."""
    answer = read.get(path)
    assert answer.status == 410
    assert change in answer.message
    assert change in answer.json["data"]["announcement_url"]


def test_wrong_method(read: Client) -> None:
    """A method that an endpoint does not have answers 405."""
    assert read.ask("POST", REPOS).status == 405
    assert read.ask("DELETE", CONTROL).status == 405


def test_braces_must_be_encoded(world: World, api: Client) -> None:
    """A uuid in a path needs its braces percent-encoded."""
    uuid = world.repository("acme/rocket").uuid
    assert api.get(f"/repositories/acme/{uuid}").status == 400
    quoted = uuid.replace("{", "%7B").replace("}", "%7D")
    assert api.get(f"/repositories/acme/{quoted}").json["slug"] == "rocket"


def test_html_error(read: Client) -> None:
    """The commits from a revision of a missing repository answer with a long web page."""
    answer = read.get(f"{REPOS}/missing/commits/main")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert len(answer.body) > 20_000


def test_missing_repository(read: Client) -> None:
    """Elsewhere a missing repository answers 404 in JSON."""
    assert "no longer exists" in read.get(f"{REPOS}/missing/pullrequests").message


def test_refused_places(world: World, api: Client) -> None:
    """A refused repository stays listed, and answers with its status."""
    for status in (403, 404, 410):
        world.forbid("acme/rocket", status)
        assert api.get("/repositories/acme/rocket/pullrequests").status == status
        assert len(api.get("/repositories/acme").values) == 1
    world.allow("acme/rocket")
    assert api.get("/repositories/acme/rocket").status == 200


def test_renamed_repository(world: World, api: Client) -> None:
    """A renamed repository redirects from its old slug, parameters included."""
    world.rename_repository("acme/rocket", "rocket-two")
    answer = api.get("/repositories/acme/rocket/pullrequests", pagelen=50)
    assert answer.status == 301
    assert answer.headers["location"].endswith("/acme/rocket-two/pullrequests?pagelen=50")


def test_pipelines_off(world: World, api: Client) -> None:
    """With Pipelines off its endpoints answer 404 in the pipelines service's own shape."""
    world.disable_pipelines("acme/rocket")
    answer = api.get("/repositories/acme/rocket/pipelines/")
    assert answer.status == 404
    assert "type" not in answer.json
    assert answer.json["error"]["data"]["key"].startswith("rest-service.")


def test_conditional_get(read: Client) -> None:
    """A repository list that did not change answers 304 to its ETag."""
    tag = read.get(REPOS).headers["etag"]
    answer = read.ask("GET", REPOS, headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")


def test_gzip(read: Client) -> None:
    """Answers are compressed when that is asked for."""
    answer = read.ask("GET", REPOS, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.body[:2] == b"\x1f\x8b"
