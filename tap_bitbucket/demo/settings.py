"""The switches of the stand-in: where Bitbucket's behaviour is in doubt, or defective."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFECTS = ("none", "drops_sort", "missing", "internal", "always")


def _defects() -> dict[str, str]:
    return {
        "pipelines": "drops_sort",
        "deployments": "internal",
        "environments": "missing",
        "variables": "always",
        "workspace_variables": "missing",
        "deployment_variables": "internal",
        "schedules": "missing",
        "executions": "missing",
        "known_hosts": "missing",
        "caches": "none",
        "runners": "none",
        "workspace_runners": "none",
    }


@dataclass
class Settings:
    """All switches, changeable while the server runs.

    Attributes:
        latency: Seconds that every API request takes.
        strict_slash: Some lists of the pipelines service need their trailing slash.
        unknown_fields: `ignore` or `reject` names in `fields=` that there are not.
        empty_repository: What an empty repository's commits are: `200-empty` or `404`.
        activity_depth: How many entries the activity of a whole repository has at most.
        feed_deleted: Activity shows deleted comments as such (`shown`), or not at all (`hidden`).
        feed_comments: Activity shows comments as they are now (`live`), or as they were when
            they were published (`first`).
        count_deleted: A pull request's `comment_count` counts deleted comments as well.
        large: With more pull requests than this, all states and a sort make a 500.
        next_defect: How `next` is broken, by list: one of `DEFECTS`.
        token_permissions: `refuse` access tokens that ask for permissions, or `allow` it; the
            documents contradict each other.
        free_plan: Snippets are a page with a sentence in it, downloads answer 402.
        show_secrets: Webhooks show their `secret`, ssh key pairs their `private_key`: the
            documents list both.
        deploy_key_date: `created_on` (the examples) or `added_on` (the documents).
        changes_requested_key: What a request for changes is called in activity:
            `changes_requested` or `changes_request`.
        test_form: Test reports, cases and reasons have no documented form: `page` (the report
            is an object, the others are pages), `values` (all have `values` and nothing else)
            or `bare` (lists without an envelope).
        source_depth_limit: A directory asked for more deeply than this answers 555.
    """

    latency: float = 0.0
    strict_slash: bool = True
    unknown_fields: str = "ignore"
    empty_repository: str = "200-empty"
    activity_depth: int | None = None
    feed_deleted: str = "shown"
    feed_comments: str = "live"
    count_deleted: bool = False
    large: int = 3
    token_permissions: str = "refuse"
    free_plan: bool = False
    show_secrets: bool = False
    deploy_key_date: str = "created_on"
    changes_requested_key: str = "changes_requested"
    test_form: str = "page"
    source_depth_limit: int | None = None
    next_defect: dict[str, str] = field(default_factory=_defects)
