"""A Meltano project made from this repository's own meltano.yml, in a folder of its own.

So nobody's plugins, state or ``.env`` get in the way, or are touched.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

PIPELINE = ("run", "tap-bitbucket", "target-postgres")
EDITABLE = "pip_url: -e ."
_OURS = ("TAP_BITBUCKET_", "TARGET_POSTGRES_", "MELTANO_")
_PATIENCE = 5.0
"""Seconds that Meltano, the tap and the target have to end."""


def checkout() -> Path | None:
    """Return the working copy of the repository that this package runs from, if it does."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "meltano.yml").is_file() else None


class Project:
    """A Meltano project in a folder.

    Args:
        folder: Made if it is not there; plugins and state live in it.
        settings: Environment of the plugins, such as ``TAP_BITBUCKET_API_URL``. Variables of
            these names in the surrounding environment do not count.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.log = folder / "meltano.log"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "meltano.yml").write_text(_definition(), encoding="utf-8")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
            "MELTANO_PROJECT_ROOT": str(folder),
            "NO_COLOR": "1",
            **settings,
        }

    @property
    def installed(self) -> bool:
        """Whether Meltano has installed the plugins already."""
        return (self.folder / ".meltano" / "loaders" / "target-postgres").is_dir()

    def meltano(self, *arguments: str, environment: Mapping[str, str] | None = None) -> int:
        """Run Meltano to its end, its words going to ``log``, and return its exit code.

        Whatever ends the wait ends Meltano, the tap and the target as well.
        """
        with self.log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "meltano.cli", *arguments],
                cwd=self.folder,
                env={**self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                return process.wait()
            finally:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _definition() -> str:
    """Return meltano.yml, with the tap where it is."""
    root = checkout()
    if root is not None:
        text = (root / "meltano.yml").read_text(encoding="utf-8")
        return _replaced(text, f"pip_url: -e {shlex.quote(str(root))}")
    text = files("tap_bitbucket.demo").joinpath("meltano.yml").read_text(encoding="utf-8")
    command = json.dumps(str(Path(sys.executable).with_name("tap-bitbucket")))
    text = text.replace("executable: tap-bitbucket\n", f"executable: {command}\n")
    return _replaced(text, "# pip_url: it is installed already")


def _replaced(text: str, line: str) -> str:
    if text.count(EDITABLE) != 1:
        message = f"meltano.yml must have the line '{EDITABLE}' once"
        raise ValueError(message)
    return text.replace(EDITABLE, line)


def tail(log: Path, lines: int = 25) -> Sequence[str]:
    """Return the end of a log."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
