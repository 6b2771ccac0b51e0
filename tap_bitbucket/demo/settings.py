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
    }


@dataclass
class Settings:
    """All switches, changeable while the server runs."""

    latency: float = 0.0
    strict_slash: bool = True
    unknown_fields: str = "ignore"
    empty_repository: str = "200-empty"
    activity_depth: int | None = None
    large: int = 3
    next_defect: dict[str, str] = field(default_factory=_defects)
