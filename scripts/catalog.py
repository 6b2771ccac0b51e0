"""The tap's own catalog, from which documents and example rows are made."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tap_bitbucket.tap import TapBitbucket


@cache
def catalog() -> dict[str, Any]:
    """Return what discovery prints."""
    tap = TapBitbucket(config={}, parse_env_config=False, validate_config=False)
    found: dict[str, Any] = json.loads(tap.catalog_json_text)
    return found
