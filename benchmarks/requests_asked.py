"""Which stream a request belongs to, told by its path alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import unquote, urlsplit

from benchmarks.least import ABSENCES

OTHER = "(other)"
"""What no stream is read from."""

_REPOSITORY = "/repositories/[^/]+/[^/]+"
_PULL_REQUEST = f"{_REPOSITORY}/pullrequests/[0-9]+"
_COMMIT = f"{_REPOSITORY}/commit/[0-9a-f]+"
_STEP = f"{_REPOSITORY}/pipelines/[^/]+/steps/[^/]+"
_PROJECT = "/workspaces/[^/]+/projects/[^/]+"
_WORKSPACE = "/workspaces/[^/]+"
_USER = "/users/[^/]+"

_PATHS = {
    "workspaces": f"{_WORKSPACE}|/user/workspaces",
    "workspace_members": f"{_WORKSPACE}/members",
    "workspace_permissions": f"{_WORKSPACE}/permissions",
    "workspace_repository_permissions": f"{_WORKSPACE}/permissions/repositories",
    "workspace_hooks": f"{_WORKSPACE}/hooks",
    "workspace_variables": f"{_WORKSPACE}/pipelines-config/variables",
    "workspace_runners": f"{_WORKSPACE}/pipelines-config/runners",
    "current_user": "/user",
    "current_user_emails": "/user/emails",
    "current_user_ssh_keys": f"{_USER}/ssh-keys",
    "current_user_gpg_keys": f"{_USER}/gpg-keys",
    "hook_events": "/hook_events/[a-z]+",
    "projects": f"{_WORKSPACE}/projects",
    "project_default_reviewers": f"{_PROJECT}/default-reviewers",
    "project_user_permissions": f"{_PROJECT}/permissions-config/users",
    "project_group_permissions": f"{_PROJECT}/permissions-config/groups",
    "project_branching_models": f"{_PROJECT}/branching-model",
    "project_deploy_keys": f"{_PROJECT}/deploy-keys",
    "snippets": "/snippets/[^/]+",
    "snippet_comments": "/snippets/[^/]+/[^/]+/comments",
    "snippet_commits": "/snippets/[^/]+/[^/]+/commits",
    "repositories": "/repositories/[^/]+",
    "repository_user_permissions": f"{_REPOSITORY}/permissions-config/users",
    "repository_group_permissions": f"{_REPOSITORY}/permissions-config/groups",
    "repository_hooks": f"{_REPOSITORY}/hooks",
    "default_reviewers": f"{_REPOSITORY}/effective-default-reviewers",
    "branch_restrictions": f"{_REPOSITORY}/branch-restrictions",
    "branching_models": f"{_REPOSITORY}/branching-model",
    "branching_model_settings": f"{_REPOSITORY}/branching-model/settings",
    "deploy_keys": f"{_REPOSITORY}/deploy-keys",
    "repository_override_settings": f"{_REPOSITORY}/override-settings",
    "downloads": f"{_REPOSITORY}/downloads",
    "forks": f"{_REPOSITORY}/forks",
    "watchers": f"{_REPOSITORY}/watchers",
    "source_files": f"{_REPOSITORY}/src/.+",
    "branches": f"{_REPOSITORY}/refs/branches",
    "tags": f"{_REPOSITORY}/refs/tags",
    "commits": f"{_REPOSITORY}/(commits|refs)",
    "commit_statuses": f"{_COMMIT}/statuses",
    "commit_comments": f"{_COMMIT}/comments",
    "commit_reports": f"{_COMMIT}/reports",
    "commit_report_annotations": f"{_COMMIT}/reports/[^/]+/annotations",
    "commit_diffstat": f"{_REPOSITORY}/diffstat/[0-9a-f]+",
    "pull_request_diffstat": f"{_REPOSITORY}/diffstat/.+|{_PULL_REQUEST}/diffstat",
    "pull_requests": f"{_REPOSITORY}/pullrequests|{_PULL_REQUEST}",
    "pull_request_activity": f"{_REPOSITORY}/pullrequests/activity|{_PULL_REQUEST}/activity",
    "pull_request_comments": f"{_PULL_REQUEST}/comments(/[0-9]+)?",
    "pull_request_tasks": f"{_PULL_REQUEST}/tasks",
    "pull_request_commits": f"{_PULL_REQUEST}/commits",
    "pull_request_statuses": f"{_PULL_REQUEST}/statuses",
    "pipelines": f"{_REPOSITORY}/pipelines/[^/]*",
    "pipeline_steps": f"{_REPOSITORY}/pipelines/[^/]+/steps/?",
    "pipeline_test_reports": f"{_STEP}/test_reports",
    "pipeline_test_cases": f"{_STEP}/test_reports/test_cases",
    "pipelines_config": f"{_REPOSITORY}/pipelines_config",
    "pipeline_variables": f"{_REPOSITORY}/pipelines_config/variables/?",
    "pipeline_schedules": f"{_REPOSITORY}/pipelines_config/schedules/?",
    "pipeline_schedule_executions": f"{_REPOSITORY}/pipelines_config/schedules/[^/]+/executions/?",
    "pipeline_known_hosts": f"{_REPOSITORY}/pipelines_config/ssh/known_hosts/?",
    "pipeline_caches": f"{_REPOSITORY}/pipelines-config/caches/?",
    "pipeline_runners": f"{_REPOSITORY}/pipelines-config/runners/?",
    "environments": f"{_REPOSITORY}/environments/",
    "deployments": f"{_REPOSITORY}/deployments/",
    "deployment_variables": f"{_REPOSITORY}/deployments_config/environments/[^/]+/variables/?",
    ABSENCES: f"{_REPOSITORY}|{_PROJECT}",
}
_INSTEAD = {"pull_request_activity": "pull_request_comments", "branches": "source_files"}
_KNOWN = {name: re.compile(pattern) for name, pattern in _PATHS.items()}


class Request(Protocol):
    """What is looked at in a request that was served."""

    @property
    def url(self) -> str:
        """Where it went."""


def stream_of(url: str, streams: Iterable[str]) -> str:
    """Return the stream that a request belongs to: the first one that its path fits.

    What is not selected is asked for another one: the activity of pull requests for their
    comments, a branch for the files at its head.
    """
    place = unquote(urlsplit(url).path).removeprefix("/2.0")
    found = next((name for name, path in _KNOWN.items() if path.fullmatch(place)), OTHER)
    chosen = set(streams)
    return found if found in chosen else _INSTEAD.get(found, found)


def asked(requests: Iterable[Request], streams: Iterable[str]) -> Counter[str]:
    """Count requests by stream."""
    chosen = list(streams)
    return Counter(stream_of(one.url, chosen) for one in requests)
