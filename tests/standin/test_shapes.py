"""The example has the shapes that break naive schemas in all of its settings, too."""

from __future__ import annotations

from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer

ABSENT = object()


def _seen(shared: BitbucketServer, kind: str, path: str) -> set[str]:
    """Collect what kinds of values there are at a path: types, `null` and `absent`."""
    found = set()
    for row in shared.world.rows(kind):
        value: Any = row
        for name in path.split("."):
            value = value.get(name, ABSENT) if isinstance(value, dict) else ABSENT
        known = {ABSENT: "absent", None: "null"}
        found.add(known.get(value) or type(value).__name__ if _plain(value) else "object")
    return found


def _plain(value: Any) -> bool:
    return not isinstance(value, dict | list)


@pytest.mark.parametrize(
    ("kind", "path", "values"),
    [
        ("branch_restrictions", "value", {"int", "null"}),
        ("branch_restrictions", "branch_type", {"str", "absent"}),
        ("branching_models", "production", {"object", "absent"}),
        ("branching_models", "production.branch", {"absent"}),
        ("branching_models", "development.branch", {"object", "absent"}),
        ("branching_models", "development.name", {"str", "null"}),
        ("branching_model_settings", "development.is_valid", {"bool", "null"}),
        ("branching_model_settings", "development.name", {"str", "null"}),
        ("commit_comments", "inline", {"object", "absent"}),
        ("commit_comments", "parent", {"object", "absent"}),
        ("commit_report_annotations", "line", {"int", "absent"}),
        ("commit_reports", "link", {"str", "absent"}),
        ("current_user_gpg_keys", "expires_on", {"str", "null"}),
        ("current_user_ssh_keys", "last_used", {"str", "null"}),
        ("deploy_keys", "last_used", {"str", "null"}),
        ("deploy_keys", "owner", {"object", "absent"}),
        ("downloads", "user", {"object", "null"}),
        ("pipeline_known_hosts", "public_key", {"object", "absent"}),
        ("pipeline_schedule_executions", "pipeline", {"object", "absent"}),
        ("pull_requests", "author", {"object", "null"}),
        ("pipeline_variables", "value", {"str", "absent"}),
        ("project_deploy_keys", "created_by", {"object", "absent"}),
        ("snippets", "creator", {"object", "null"}),
        ("source_files", "size", {"int", "absent"}),
        ("source_files", "mimetype", {"str", "null", "absent"}),
        ("workspace_runners", "state.version", {"object", "absent"}),
    ],
)
def test_nulls_and_gaps(shared: BitbucketServer, kind: str, path: str, values: set[str]) -> None:
    """Fields are null where Bitbucket has nulls, and absent where it leaves them out."""
    assert _seen(shared, kind, path) == values


def test_errors_of_schedules(shared: BitbucketServer) -> None:
    """A schedule fails more than once in the same way, with nothing that tells it apart."""
    rows = shared.world.rows("pipeline_schedule_executions")
    errors = [row for row in rows if "error" in row]
    assert max(errors.count(row) for row in errors) == 2


def test_pipelines_on_and_off(shared: BitbucketServer) -> None:
    """Pipelines is on in some repositories, was on in another, and was never on in one."""
    rows = shared.world.rows("pipelines_config")
    assert {row["enabled"] for row in rows} == {True, False}
    assert len(rows) == len(list(shared.world.repositories())) - 1


@pytest.mark.parametrize("kind", ["repository_hooks", "workspace_hooks"])
def test_hooks_with_and_without_secret(shared: BitbucketServer, kind: str) -> None:
    """Some webhooks have a secret, some not."""
    assert {row["secret_set"] for row in shared.world.rows(kind)} == {True, False}


def test_people_of_all_kinds(shared: BitbucketServer) -> None:
    """Robots and people who left are among those who watch, review and may do things."""
    world = shared.world
    watchers = world.rows("watchers")
    assert {row["type"] for row in watchers} == {"user", "app_user"}
    assert any(row["display_name"] == "Former user" for row in watchers)
    for kind in ("repository_user_permissions", "project_user_permissions"):
        assert any(row["user"]["display_name"] == "Former user" for row in world.rows(kind))
    reviewers = world.rows("project_default_reviewers")
    assert any(row["user"]["display_name"] == "Former user" for row in reviewers)


def test_permissions_of_all_kinds(shared: BitbucketServer) -> None:
    """Repositories know three permissions; projects have one more."""
    world = shared.world
    rows = world.rows("repository_user_permissions") + world.rows("repository_group_permissions")
    assert {row["permission"] for row in rows} == {"read", "write", "admin"}
    rows = world.rows("project_user_permissions") + world.rows("project_group_permissions")
    assert {row["permission"] for row in rows} == {"read", "write", "create-repo", "admin"}


def test_large_numbers(shared: BitbucketServer) -> None:
    """Sizes go beyond 32 bits, and down to nothing."""
    sizes = [row["size"] for row in shared.world.rows("downloads")]
    assert max(sizes) > 2**32
    assert min(sizes) == 0


def test_tests_of_all_outcomes(shared: BitbucketServer) -> None:
    """Tests succeed, fail, break and are skipped; some have several reasons."""
    world = shared.world
    rows = world.rows("pipeline_test_cases")
    assert {row["status"] for row in rows} == {"SUCCESSFUL", "FAILED", "ERROR", "SKIPPED"}
    parents = [parent for _, _, parent, _ in world.truth("pipeline_test_case_reasons")]
    assert len(parents) > len(set(parents))
