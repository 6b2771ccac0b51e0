"""`auth status` tests the connection, and says what is missing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tests.login.conftest import CLIENT_ID, SCOPES, Person
from tests.support import Run, refusal, select

TOKEN: dict[str, Any] = {"client_id": None, "client_secret": None}
ADMIN_SCOPES = ("read:user:bitbucket", "read:workspace:bitbucket", "read:repository:bitbucket")


@pytest.fixture
def ann(person: Person) -> dict[str, Any]:
    """Settings of somebody with an API token of few scopes."""
    user = next(iter(person.world.users.values()))
    person.world.identities.add_api_token("ann@x.y", "hush-api", scopes=ADMIN_SCOPES, user=user)
    return {**TOKEN, "email": "ann@x.y", "api_token": "hush-api"}


def reports(run: Run) -> list[dict[str, Any]]:
    """Read what the command printed for programs."""
    found: list[dict[str, Any]] = json.loads("\n".join(run.lines))
    return found


def signed_in(person: Person) -> None:
    """Sign in once."""
    url = next(line for line in person.auth("url").lines if line.startswith("http"))
    assert person.auth("exchange", "--code", person.consent(url)).code == 0


def test_everything_is_told(person: Person) -> None:
    """It tells account, scopes, workspaces, place and end of the tokens, and what lacks a scope."""
    signed_in(person)
    run = person.auth("status", "--json")
    assert run.code == 0
    (report,) = reports(run)
    assert report["works"]
    assert report["account"].startswith("Maya")
    assert report["scopes"] == sorted(SCOPES)
    assert report["workspaces"] == {"acme": None}
    assert str(person.home) in report["tokens"]
    ends = datetime.fromisoformat(report["ends_at"])
    left = ends - datetime.now(timezone.utc)
    assert timedelta(minutes=110) < left <= timedelta(minutes=120)
    assert report["missing"]["pipelines"] == ["pipeline"]
    assert report["missing"]["projects"] == ["project"]
    assert "pull_requests" not in report["missing"]
    assert "branches" not in report["missing"]

    text = "\n".join(person.auth("status").lines)
    for word in ("works", "Maya", "acme", report["tokens"], "pipeline for pipelines", "UTC"):
        assert word in text


def test_few_requests(person: Person) -> None:
    """It takes a request for the account and one for each workspace."""
    signed_in(person)
    person.server.clear_requests()
    person.auth("status")
    assert [one.path for one in person.server.requests] == ["/2.0/user", "/2.0/workspaces/acme"]


def test_the_selection_counts(person: Person, catalog: dict[str, Any], tmp_path: Path) -> None:
    """With a catalog, what it selects is looked at, and nothing else."""
    signed_in(person)
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(select(catalog, "tags", "pipeline_runners")))
    (report,) = reports(person.auth("status", "--json", "--catalog", file))
    assert report["missing"] == {"pipeline_runners": ["runner"]}
    file.write_text("[]")
    assert "catalog" in refusal(person.auth("status", "--catalog", file))


def test_an_api_token(person: Person, ann: dict[str, Any]) -> None:
    """The scopes of an API token are those that the answers name, and imply nothing."""
    run = person.auth("status", "--json", **ann)
    (report,) = reports(run)
    assert report["works"]
    assert report["account"].startswith("Maya")
    assert report["scopes"] == sorted(ADMIN_SCOPES)
    assert report["missing"]["pull_requests"] == ["read:pullrequest:bitbucket"]
    assert report["ends_at"] is None


def test_an_access_token(person: Person) -> None:
    """An access token is asked nothing that only people are told."""
    workspace = person.world.workspace("acme")
    person.world.identities.add_access_token("hush-token", bound_to=workspace)
    (report,) = reports(person.auth("status", "--json", **TOKEN, access_token="hush-token"))
    assert report["works"]
    assert report["account"] is None
    assert report["workspaces"] == {"acme": None}
    assert [one.path for one in person.server.requests] == ["/2.0/workspaces/acme"]


def test_a_token_of_one_repository(person: Person) -> None:
    """A token that may not read the workspace, but repositories in it, works."""
    workspace = person.world.workspace("acme")
    repository = person.world.add_repository(workspace, "web", project=None)
    person.world.identities.add_access_token(
        "hush-token", "repository", bound_to=repository, scopes=("repository",)
    )
    (report,) = reports(person.auth("status", "--json", **TOKEN, access_token="hush-token"))
    assert report["works"]
    assert report["workspaces"] == {"acme": None}


def test_a_workspace_that_is_not_there(person: Person, ann: dict[str, Any]) -> None:
    """A workspace that cannot be read is named with the reason."""
    person.server.clear_requests()
    run = person.auth("status", "--json", **ann, workspaces=["acme", "nowhere"])
    (report,) = reports(run)
    assert report["workspaces"]["acme"] is None
    assert "404" in report["workspaces"]["nowhere"]
    assert "nowhere" in "\n".join(person.auth("status", **ann, workspaces=["nowhere"]).lines)


def test_a_wrong_token(person: Person, ann: dict[str, Any]) -> None:
    """A credential that is refused ends with 1 and what to check."""
    run = person.auth("status", **{**ann, "api_token": "hush-wrong"})
    assert run.code == 1
    text = "\n".join(run.lines)
    assert "DOES NOT WORK" in text
    assert "api_token has not expired" in text


def test_several(person: Person, ann: dict[str, Any]) -> None:
    """Each of several credentials has a report; one that fails is told beside those that work."""
    entries = [
        {"name": "good", "email": ann["email"], "api_token": ann["api_token"]},
        {"name": "bad", "access_token": "hush-wrong"},
    ]
    run = person.auth("status", "--json", **TOKEN, credentials=entries)
    assert run.code == 1
    assert [(one["credential"], one["works"]) for one in reports(run)] == [
        ("good", True),
        ("bad", False),
    ]
    only = person.auth("status", "--json", "--credential", "good", **TOKEN, credentials=entries)
    assert only.code == 0
    assert len(reports(only)) == 1
    missing = person.auth("status", "--credential", "x", **TOKEN, credentials=entries)
    assert "'x'" in refusal(missing)


def test_the_budget(person: Person, ann: dict[str, Any]) -> None:
    """What is left of the hour's requests is told where Bitbucket tells it."""
    told = {"X-RateLimit-Limit": "1000, 1000;w=3600", "X-RateLimit-Remaining": "870"}
    person.server.faults.add(Fault("/2.0/", action="edit", edit=lambda a: a, headers=told, times=9))
    text = "\n".join(person.auth("status", **ann).lines)
    assert "870 of 1000 left" in text
    (report,) = reports(person.auth("status", "--json", **ann))
    assert (report["limit"], report["remaining"]) == (1000, 870)


def test_a_spent_budget(person: Person, ann: dict[str, Any]) -> None:
    """Nobody waits an hour for a report."""
    person.server.faults.add(Fault("/2.0/", status=429, headers={"Retry-After": "3000"}, times=9))
    run = person.auth("status", **ann)
    assert run.code == 1
    assert "rate limit" in "\n".join(run.lines)


def test_nobody_signed_in(person: Person) -> None:
    """Before the first sign-in the one line says how."""
    said = refusal(person.auth("status"))
    assert "tap-bitbucket auth login" in said
    assert CLIENT_ID not in said


def test_no_settings(person: Person) -> None:
    """Without any credential the one line names the ways."""
    said = refusal(person.auth("status", **TOKEN))
    assert "api_token" in said
    assert "access_token" in said
