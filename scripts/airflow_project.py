"""The extractors of the Meltano project in the example for Airflow."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.client import REGISTRY

Json = dict[str, Any]


def extractors(tap: Json) -> list[Json]:
    """Return the tap, and a second one that reads what mirrors deletions, each time as a whole."""
    limits = {"workspaces": ["your-workspace"], "max_duration": 3000}
    mirrored = [rule for rule in tap["select"] if rule.startswith("!") or _mirrors(rule)]
    deletions = {
        "name": f"{tap['name']}-deletions",
        "inherit_from": tap["name"],
        "config": {"reconcile_every": 0},
        "select": mirrored,
    }
    return [{**tap, "config": limits}, deletions]


def _mirrors(rule: str) -> bool:
    return REGISTRY[rule.partition(".")[0]].incremental.versioned
