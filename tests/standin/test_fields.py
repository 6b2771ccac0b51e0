"""Partial responses."""

from __future__ import annotations

from tap_bitbucket.demo import BitbucketServer
from tests.standin.client import CONTROL, REPOS, Client

PULLS = f"{CONTROL}/pullrequests"


def test_whitelist_drops_the_rest(read: Client) -> None:
    """Only what is named comes, so no `next`, `size` or `type`."""
    page = read.get(PULLS, state="MERGED", pagelen=2, fields="values.id,values.author.uuid").json
    assert set(page) == {"values"}
    assert set(page["values"][0]) == {"id", "author"}
    assert set(page["values"][0]["author"]) == {"uuid"}


def test_whitelist_with_next(read: Client) -> None:
    """`next` must be asked for."""
    assert set(read.get(REPOS, pagelen=2, fields="next,values.slug").json) == {"next", "values"}


def test_exclusion(read: Client) -> None:
    """`-x` drops, with `*` for one level."""
    row = read.get(PULLS, q="id=1", fields="-values.links,-values.*.links").values[0]
    assert "links" not in row
    assert "links" not in row["author"]
    assert "links" in row["source"]["commit"]
    both = "-values.author.links,-values.author,-values.source.branch,-values.source.branch.name"
    row = read.get(PULLS, q="id=1", fields=both).values[0]
    assert "author" not in row
    assert "branch" not in row["source"]
    assert {"links", "title", "destination"} <= set(row)


def test_addition(read: Client) -> None:
    """Lists leave reviewers, participants and `rendered` out unless they are added."""
    plain = read.get(PULLS).values[0]
    assert not {"reviewers", "participants", "rendered"} & set(plain)
    fields = "+values.reviewers,+values.participants,+values.destination.branch.merge_strategies"
    full = read.get(PULLS, fields=fields).values[0]
    assert {"reviewers", "participants"} <= set(full)
    assert "merge_commit" in full["destination"]["branch"]["merge_strategies"]
    assert "rendered" not in full


def test_mixed(read: Client) -> None:
    """Additions and exclusions may be mixed in one list."""
    row = read.get(PULLS, fields="+values.reviewers,-values.links").values[0]
    assert "reviewers" in row
    assert "links" not in row
    assert "title" in row


def test_raw_plus_is_a_space(read: Client) -> None:
    """A plus that is not encoded adds nothing."""
    answer = read.ask("GET", f"{PULLS}?fields=+values.reviewers")
    assert "reviewers" not in str(answer.json)


def test_star_reveals(read: Client) -> None:
    """`*` shows what is hidden."""
    assert "reviewers" in read.get(PULLS, fields="*").values[0]
    assert "reviewers" in read.get(PULLS, fields="values.*").values[0]


def test_detail_has_everything(read: Client) -> None:
    """A single pull request has what lists leave out."""
    assert {"reviewers", "participants", "rendered"} <= set(read.get(f"{PULLS}/1").json)


def test_deployment_environment(read: Client) -> None:
    """A deployment names its environment only when asked."""
    path = f"{CONTROL}/deployments/"
    assert set(read.get(path).values[0]["environment"]) == {"uuid"}
    row = read.get(path, fields="+values.environment.name").values[0]
    assert row["environment"]["name"] == "Test"


def test_unknown_names(server: BitbucketServer, api: Client) -> None:
    """Unknown names are ignored, or refused when the switch says so."""
    assert api.get("/repositories/acme", fields="values.nope,values.slug").values == [
        {"slug": "rocket"}
    ]
    server.unknown_fields = "reject"
    assert api.get("/repositories/acme", fields="values.nope").status == 400
    assert api.get("/repositories/acme", fields="values.slug").status == 200
