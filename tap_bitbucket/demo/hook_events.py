"""The events that webhooks can be told about."""

from __future__ import annotations

_NAMES = {
    "Repository": (
        ("repo:push", "Push"), ("repo:fork", "Fork"), ("repo:updated", "Updated"),
        ("repo:transfer", "Transfer accepted"), ("repo:imported", "Import"),
        ("repo:commit_comment_created", "Commit comment created"),
        ("repo:commit_status_created", "Build status created"),
        ("repo:commit_status_updated", "Build status updated"),
    ),
    "Pull Request": tuple(
        (f"pullrequest:{name}", name.replace("_", " ").capitalize())
        for name in (
            "created", "updated", "push", "approved", "unapproved", "changes_request_created",
            "changes_request_removed", "fulfilled", "rejected", "comment_created",
            "comment_updated", "comment_deleted", "comment_resolved", "comment_reopened",
        )
    ),
    "Issue": tuple(
        (f"issue:{name}", name.replace("_", " ").capitalize())
        for name in ("created", "updated", "comment_created")
    ),
    "Pipeline": (("pipeline:span_created", "Span created"),),
}  # fmt: skip
_WORKSPACE = {
    "Repository": (("repo:created", "Created"), ("repo:deleted", "Deleted")),
    "Project": (("project:updated", "Updated"),),
}


def _rows(*tables: dict[str, tuple[tuple[str, str], ...]]) -> list[dict[str, str]]:
    return [
        {
            "event": event,
            "category": category,
            "label": label,
            "description": f"{category}: {label.lower()}",
        }
        for table in tables
        for category, names in table.items()
        for event, label in names
    ]


HOOK_EVENTS = {"repository": _rows(_NAMES), "workspace": _rows(_NAMES, _WORKSPACE)}
