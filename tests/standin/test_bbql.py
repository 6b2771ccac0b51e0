"""`q` and `sort`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.bbql import compile_query, table
from tap_bitbucket.demo.errors import ApiError
from tests.standin.client import CONTROL, REPOS, Client, W


@dataclass
class Row:
    """Something to filter."""

    name: str | None = "Main Engine"
    size: int = 7
    draft: bool = False
    when: datetime = datetime(2026, 5, 4, 10, tzinfo=timezone.utc)
    tags: tuple[Row, ...] = ()
    owner: Row | None = None


FIELDS = table("name", "size", "draft", "when", tags__name="tags.name", owner__name="owner.name")


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ('name = "Main Engine"', True),
        ('name = "main engine"', False),
        ('name != "x"', True),
        ('name ~ "ENGINE"', True),
        ('name !~ "engine"', False),
        ("size > 6 AND size < 8", True),
        ("size >= 8 OR size <= 6", False),
        ("(size = 1 OR size = 7) AND draft = false", True),
        ("size = 1 OR size = 7 AND draft = true", False),
        ("size = 7 or draft = true and size = 1", True),
        ("size IN (1, 7)", True),
        ("size NOT IN (1, 7)", False),
        ('name IN ("a", "Main Engine")', True),
        ("owner = null", None),
        ("owner.name = null", True),
        ("name != null", True),
        ("when > 2026-05-04", True),
        ("when >= 2026-05-04T10:00:00+00:00", True),
        ("when > 2026-05-04T10:00:00.000Z", False),
        ("when > 2026-05-04T10:30:00+0100", True),
        ('when < "2026-05-04T10:30:00+01:00"', False),
        ('when = "2026-05-04T10:00:00+00:00"', True),
        ('tags.name = "Main Engine"', True),
        ('tags.name = "z"', False),
        ('name = "with \\"quotes\\""', False),
        ('summary.raw ~ "x"', None),
        ("size", None),
        ("size = ", None),
        ("(size = 7", None),
        ("size = 7 size = 7", None),
        ('when > "yesterday"', None),
        ("", None),
    ],
)
def test_grammar(query: str, holds: bool | None) -> None:
    """Queries mean what the documentation says; None: 400."""
    row = Row(tags=(Row(), Row(name="b")))
    if holds is None:
        with pytest.raises(ApiError) as caught:
            compile_query(query, FIELDS)(row)
        assert caught.value.status == 400
    else:
        assert compile_query(query, FIELDS)(row) is holds


def test_filter_repositories(read: Client) -> None:
    """Repositories filter by project and by date, and sort both ways."""
    keys = read.get(REPOS, q='project.key="SKY"', sort="name").values
    assert [row["slug"] for row in keys] == ["image-pipeline", "telescope-control", "web-portal"]
    newest = read.get(REPOS, sort="-updated_on").values
    dates = [row["updated_on"] for row in newest]
    assert dates == sorted(dates, reverse=True)
    cut = dates[2]
    assert len(read.get(REPOS, q=f"updated_on >= {cut}").values) == 3
    assert len(read.get(REPOS, q=f'updated_on > "{cut}"').values) == 2


@pytest.mark.parametrize("field", ["participants.user.uuid", "summary.raw", "merged_on"])
def test_unsupported_filter(read: Client, field: str) -> None:
    """What pull requests cannot be filtered by answers 400."""
    answer = read.get(f"{CONTROL}/pullrequests", q=f'{field}="x"')
    assert answer.status == 400
    assert "does not support filtering" in answer.message


def test_members_filter(read: Client) -> None:
    """Members filter by uuid, account id and nickname, not by display name."""
    assert len(read.get(f"{W}/members", q='user.nickname="lena"').values) == 1
    assert read.get(f"{W}/members", q='user.display_name="Lena Fischer"').status == 400


def test_reviewers_filter(read: Client, shared: BitbucketServer) -> None:
    """Pull requests filter by any of their reviewers."""
    maya = shared.world.user("maya").uuid
    rows = read.all(f"{CONTROL}/pullrequests", q=f'reviewers.uuid="{maya}"',
                    fields="+values.reviewers", pagelen=50)  # fmt: skip
    assert rows
    assert all(maya in [one["uuid"] for one in row["reviewers"]] for row in rows)


@pytest.mark.parametrize(
    "path",
    [
        "/commits",
        "/pipelines/",
        "/deployments/",
        "/pullrequests/activity",
        "/pullrequests/1/activity",
    ],
)
def test_ignored_query(read: Client, path: str) -> None:
    """Commits, activity, pipelines and deployments take `q` and ignore it."""
    plain, filtered = read.get(CONTROL + path), read.get(CONTROL + path, q="nonsense")
    assert plain.values == filtered.values != []


def test_refs_sort_by_date(read: Client) -> None:
    """Branches sort by the date of their commit."""
    rows = read.get(f"{CONTROL}/refs/branches", sort="-target.date", pagelen=100).values
    dates = [row["target"]["date"] for row in rows]
    assert dates == sorted(dates, reverse=True)


def test_pipelines_sort(read: Client) -> None:
    """Pipelines come oldest first, and sort by three fields only."""
    rows = read.get(f"{CONTROL}/pipelines/").values
    assert [row["build_number"] for row in rows][:2] == [1, 2]
    for name in ("created_on", "-created_on", "creator.uuid", "-run_creation_date"):
        assert read.get(f"{CONTROL}/pipelines/", sort=name).status == 200
    answer = read.get(f"{CONTROL}/pipelines/", sort="build_number")
    assert answer.status == 400
    assert answer.json["error"]["detail"] == "Invalid sort attribute"


def test_deployments_sort(read: Client) -> None:
    """Deployments sort by two dates; those not completed come first, newest first."""
    assert read.get(f"{CONTROL}/deployments/", sort="created_on").status == 400
    rows = read.get(f"{CONTROL}/deployments/", sort="-state.completed_on", pagelen=100).values
    dates = [row["state"].get("completed_on") for row in rows]
    assert dates[:2] == [None, None]
    assert dates[2:] == sorted(dates[2:], reverse=True)


def test_pipelines_filters(world: World, api: Client) -> None:
    """Pipelines filter by status in upper case; an unknown status finds nothing."""
    world.finish_pipeline(world.start_pipeline("acme/rocket"), "FAILED")
    world.start_pipeline("acme/rocket")
    path = "/repositories/acme/rocket/pipelines/"
    assert len(api.get(path, status="FAILED").values) == 1
    assert len(api.get(path, status=["FAILED", "BUILDING"]).values) == 2
    assert api.get(path, status="failed").values == []
