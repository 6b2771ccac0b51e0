"""The views of examples/analysis on what the tap and the target have loaded."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import psycopg
import pytest

from tests.analysing import FOLDER, GONE, VIEWS, Loaded, at, hours, load_all, monday, streams_of
from tests.support import Row


@pytest.fixture(scope="module")
def loaded(catalog: dict[str, Any]) -> Iterator[Loaded]:
    """Load the example world once for all tests here."""
    with load_all(catalog) as made:
        yield made


def test_a_view_needs_the_streams_that_it_names(loaded: Loaded) -> None:
    """Each file makes the view that it is called, from the tables that it says and no others."""
    views = loaded.tables.tables()["bitbucket_views"]
    assert views == set(VIEWS)
    used: dict[str, set[str]] = defaultdict(set)
    query = "select view_name, table_name from information_schema.view_table_usage where "
    for row in loaded.tables.ask(f"{query} view_schema = 'bitbucket_views'"):
        used[row["view_name"]].add(row["table_name"])
    assert used == {view: streams_of(view) for view in VIEWS}


def test_the_page_names_every_view(loaded: Loaded) -> None:
    """README of the examples has a line for each view and each of its columns exists."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[`(\w+)`\]\(\1\.sql\)", text, re.MULTILINE)) == set(VIEWS)
    columns = {name for view in VIEWS for name in loaded.view(view)[0]}
    said = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text))
    tables = {name for view in VIEWS for name in streams_of(view)}
    assert said <= {*columns, *VIEWS, *tables, "bitbucket_views"}


def test_an_analyst_sees_the_views_and_nothing_else(loaded: Loaded) -> None:
    """What the page grants is enough for the views; the tables stay closed."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    (grants,) = re.findall(r"```sql\n(create role .*?)```", text, re.DOTALL)
    loaded.tables.ask(grants)
    try:
        loaded.tables.ask("set role analyst")
        for view in VIEWS:
            assert loaded.view(view)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loaded.tables.ask("select 1 from bitbucket.pull_requests")
    finally:
        loaded.tables.ask("reset role")


def test_pull_requests_have_their_people(loaded: Loaded) -> None:
    """Author, reviewers and verdicts are those of now; a null author is no author."""
    found = {
        (row["repository"], row["number"]): row for row in loaded.there("pull_request_overview")
    }
    told = {(row["repository"], row["id"]): row for row in loaded.truth("pull_requests")}
    assert found.keys() == told.keys()
    for key, row in told.items():
        people = row["participants"]
        reviewers = {one["user"]["display_name"] for one in people if one["role"] == "REVIEWER"}
        approved = {one["user"]["display_name"] for one in people if one["approved"]}
        unhappy = {
            one["user"]["display_name"] for one in people if one["state"] == "changes_requested"
        }
        assert names(found[key]["reviewers"]) == reviewers
        assert names(found[key]["approved_by"]) == approved
        assert names(found[key]["changes_requested_by"]) == unhappy
        assert found[key]["author"] == (row["author"] or {}).get("display_name")
        assert found[key]["state"] == row["state"]
        assert found[key]["source_branch"] == row["source"]["branch"]["name"]
    assert found["web-portal", loaded.unassigned.id]["reviewers"] is None
    assert found["web-portal", loaded.of_nobody.id]["author"] is None


def names(listed: str | None) -> set[str]:
    """Return the names in a column."""
    return set(listed.split(", ")) if listed else set()


def test_pull_requests_have_their_times(loaded: Loaded) -> None:
    """First review, first approval, merge and end are those of the activity."""
    authors = {
        (row["repository"], row["id"]): (row["author"] or {}).get("uuid")
        for row in loaded.truth("pull_requests")
    }
    times: dict[tuple[str, int], dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for row in loaded.truth("pull_request_activity"):
        key = (row["repository"], row["pull_request_id"])
        moment = at(row["occurred_on"])
        assert moment is not None
        if row["kind"] == "update":
            times[key][row["update"]["state"]].append(moment)
        elif row["actor_uuid"] != authors[key]:
            times[key]["review"].append(moment)
            times[key][row["kind"]].append(moment)
    merged = 0
    for row in loaded.there("pull_request_overview"):
        own = times[row["repository"], row["number"]]
        ended = [*own["MERGED"], *own["DECLINED"], *own["SUPERSEDED"]]
        assert row["first_review_at"] == min(own["review"], default=None)
        assert row["first_approval_at"] == min(own["approval"], default=None)
        assert row["merged_at"] == min(own["MERGED"], default=None)
        assert row["closed_at"] == min(ended, default=None)
        assert row["hours_to_merge"] == pytest.approx(
            hours(row["opened_at"], row["merged_at"]), abs=0.051
        )
        assert row["hours_to_first_review"] == pytest.approx(
            hours(row["opened_at"], row["first_review_at"]), abs=0.051
        )
        merged += row["merged_at"] is not None
    assert merged == sum(row["state"] == "MERGED" for row in loaded.truth("pull_requests"))


def test_what_is_of_a_deleted_repository_stays_and_is_marked(loaded: Loaded) -> None:
    """Its pull requests are still told, as those of a repository that is no longer there."""
    rows = loaded.view("pull_request_overview")
    assert {row["repository"] for row in rows if not row["repository_exists"]} == {GONE}
    deployed = [row for row in loaded.view("deployments_overview") if row["repository"] == GONE]
    assert deployed
    assert all(row["environment"] for row in deployed)


def test_sizes_are_those_of_the_latest_version(loaded: Loaded) -> None:
    """Files and lines of a pull request are the sum of its diffstat."""
    told: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for row in loaded.truth("pull_request_diffstat"):
        told[row["repository"], row["pull_request_id"]].update(
            files_changed=1, lines_added=row["lines_added"], lines_removed=row["lines_removed"]
        )
    found = {
        (row["repository"], row["number"]): {
            name: row[name] for name in ("files_changed", "lines_added", "lines_removed")
        }
        for row in loaded.there("pull_request_sizes")
    }
    assert found == told


def test_a_file_that_is_no_longer_touched_does_not_count(loaded: Loaded) -> None:
    """A row of an earlier version of a pull request is left out."""
    (before,) = loaded.tables.ask(
        "select sum(files_changed) as n from bitbucket_views.pull_request_sizes"
    )
    loaded.tables.ask(
        "insert into bitbucket.pull_request_diffstat (repository_uuid, pull_request_id, path, "
        "status, lines_added, lines_removed, pull_request_updated_on) "
        "select repository_uuid, pull_request_id, 'no longer touched', status, 1, 1, "
        "pull_request_updated_on - interval '1 day' from bitbucket.pull_request_diffstat limit 1"
    )
    try:
        assert loaded.tables.ask(
            "select sum(files_changed) as n from bitbucket_views.pull_request_sizes"
        ) == [before]
    finally:
        loaded.tables.ask(
            "delete from bitbucket.pull_request_diffstat where path = 'no longer touched'"
        )


def test_commits_are_counted_by_person_and_week(loaded: Loaded) -> None:
    """Each commit is in the week of its date, with its author, account or not; merges apart."""
    told: Counter[tuple[str, date, str]] = Counter()
    merges: Counter[str] = Counter()
    for row in loaded.truth("commits"):
        author = row["author"]
        name = (author.get("user") or {}).get("display_name") or author["raw"].split(" <")[0]
        told[row["repository"], monday(row["date"]), name] += 1
        merges[row["repository"]] += len(row["parents"]) > 1
    found = loaded.there("commits_per_person_and_week")
    assert {
        (row["repository"], row["week"], row["person"]): row["commits"] for row in found
    } == told
    counted: Counter[str] = Counter()
    for row in found:
        counted[row["repository"]] += row["merge_commits"]
    assert counted == merges
    assert any(row["person_uuid"] is None for row in found)


def test_pipelines_have_their_results(loaded: Loaded) -> None:
    """How runs ended, or what they are doing, what started them, and how long they took."""
    told = {}
    for row in loaded.truth("pipelines"):
        state = row["state"]
        last = state.get("result") or state.get("stage") or state
        minutes = row["duration_in_seconds"] / 60 if row.get("completed_on") else None
        told[row["repository"], row["build_number"]] = (
            last["name"],
            row["trigger"]["name"],
            minutes,
        )
    found = {(row["repository"], row["build_number"]): row for row in loaded.there("pipeline_runs")}
    assert found.keys() == told.keys()
    for key, (result, trigger, minutes) in told.items():
        assert (found[key]["result"], found[key]["trigger"]) == (result, trigger)
        assert found[key]["duration_minutes"] == pytest.approx(minutes, abs=0.051)
    failed = Counter(
        row["pipeline_uuid"]
        for row in loaded.truth("pipeline_steps")
        if (row["state"].get("result") or {}).get("name") in {"FAILED", "ERROR"}
    )
    assert {
        row["pipeline_uuid"]: len(row["failed_steps"].split(", "))
        for row in found.values()
        if row["failed_steps"]
    } == failed


def test_the_current_deployment_of_each_environment_is_marked(loaded: Loaded) -> None:
    """It is the last that ended well; what failed, is under way or is not deployed never is."""
    last: dict[str, Row] = {}
    for row in loaded.truth("deployments"):
        state = row["state"]
        place = row["environment"]["uuid"]
        if (state.get("status") or {}).get("name") == "SUCCESSFUL" and (
            place not in last or state["completed_on"] > last[place]["state"]["completed_on"]
        ):
            last[place] = row
    rows = loaded.there("deployments_overview")
    assert len(rows) == len(loaded.truth("deployments"))
    assert {row["deployment_uuid"] for row in rows if row["is_current"]} == {
        row["uuid"] for row in last.values()
    }
    assert {"SUCCESSFUL", "FAILED", "UNDEPLOYED"} <= {row["result"] for row in rows}
    assert all(row["deployed_by"] for row in rows if row["completed_at"])


def test_the_load_of_reviewers_is_what_they_did_for_others(loaded: Loaded) -> None:
    """Comments and verdicts in other people's pull requests, by week."""
    authors = {
        (row["repository"], row["id"]): (row["author"] or {}).get("uuid")
        for row in loaded.truth("pull_requests")
    }
    told: Counter[tuple[str, date, str, str]] = Counter()
    for row in loaded.truth("pull_request_activity"):
        if (
            row["kind"] != "update"
            and row["actor_uuid"] != authors[row["repository"], row["pull_request_id"]]
        ):
            week = monday(row["occurred_on"])
            told[row["repository"], week, row["actor_uuid"], row["kind"]] += 1
    found: Counter[tuple[str, date, str, str]] = Counter()
    columns = {"approval": "approvals", "comment": "comments"}
    for row in loaded.there("review_load"):
        for kind in ("comment", "approval", "changes_requested"):
            key = (row["repository"], row["week"], row["reviewer_uuid"], kind)
            found[key] += row[columns.get(kind, kind)]
        assert row["reviewer"] != "unknown"
    assert +found == told


def test_who_may_do_what_tells_the_permission_in_the_end(loaded: Loaded) -> None:
    """One row per person and repository there is, and none of a repository that is gone."""
    told = {
        (row["repository_uuid"], row["user_uuid"]): row["permission"]
        for row in loaded.truth("workspace_repository_permissions")
    }
    rows = loaded.view("who_may_do_what")
    assert {(row["repository_uuid"], row["person_uuid"]): row["permission"] for row in rows} == told
    assert GONE not in {row["repository"] for row in rows}
    roles = {row["user_uuid"]: row["permission"] for row in loaded.truth("workspace_permissions")}
    assert all(row["workspace_role"] == roles.get(row["person_uuid"]) for row in rows)
    assert {(row["may_read"], row["may_write"], row["may_administer"]) for row in rows} == {
        (True, False, False), (True, True, False), (True, True, True),
    }  # fmt: skip
