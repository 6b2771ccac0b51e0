"""Where a program keeps what is to outlive a run, when nobody said where."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_directory() -> Path:
    """Return the user's state directory.

    https://specifications.freedesktop.org/basedir-spec/latest/, and its likes elsewhere.

    Raises:
        RuntimeError: There is no home directory.
    """
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    named = os.environ.get("XDG_STATE_HOME", "")
    return Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "state"
