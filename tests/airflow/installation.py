"""An Airflow in a virtual environment of its own, which the tap shares nothing with."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from filelock import FileLock

from tests.support import PROJECT

VERSION = "3.3"
_CELERY = ("celery", "postgres", "redis")
UV = [sys.executable, "-m", "uv", "--quiet"]
"""It comes with Meltano."""


@cache
def airflow(*, celery: bool = False) -> Path:
    """Install Airflow where it is not yet, and return its command.

    It is kept below `.uv`, which version control ignores and `make clean` removes.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"airflow-{VERSION}-python-{python}{'-celery' if celery else ''}"
    venv = PROJECT / ".uv" / name
    venv.parent.mkdir(exist_ok=True)
    packages = [f"apache-airflow=={VERSION}.*"]
    if celery:
        packages += [f"apache-airflow-providers-{one}" for one in _CELERY]
    done = venv / "installed"
    with FileLock(venv.parent / f"{name}.lock"):
        if not done.exists():
            subprocess.run([*UV, "venv", "--clear", "--python", sys.executable, venv], check=True)
            install: list[str | Path] = [*UV, "pip", "install", "--python", venv / "bin" / "python"]
            subprocess.run([*install, *packages], check=True)
            done.touch()
    return venv / "bin" / "airflow"
