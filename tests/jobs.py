"""The jobs of examples/ci on machines that are new each time, as the services run them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import yaml

from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer
from tests.loading import address_for_target, target
from tests.support import PROJECT

FOLDER = PROJECT / "examples" / "ci"


def read(name: str) -> dict[str, Any]:
    """Return one of the files; `on` is a word to YAML 1.2, a truth value to this reader."""
    found: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return {"on" if key is True else str(key): value for key, value in found.items()}


def pipelines_step() -> dict[str, Any]:
    """Return the one step of the Bitbucket pipeline."""
    (pipeline,) = read("bitbucket-pipelines.yml")["pipelines"]["custom"].values()
    ((_, step),) = pipeline[0].items()
    found: dict[str, Any] = step
    return found


class Place:
    """A stand-in and a database, and machines to run a job on that are new each time."""

    def __init__(self, folder: Path, server: BitbucketServer, uri: str) -> None:
        self.folder, self.server, self.uri = folder, server, uri
        self.address = address_for_target(uri)
        self.commands = folder / "bin"
        self.commands.mkdir()
        self._command("tap-bitbucket", f"{shlex.quote(sys.executable)} -m tap_bitbucket")
        self._command("meltano", f"{shlex.quote(sys.executable)} -m meltano.cli")
        self._command("target-postgres", shlex.quote(str(target())))
        # What they would install is there already.
        for installer in ("pip", "pipx"):
            self._command(installer, 'test "$1" = install && : ')

    def _command(self, name: str, run: str) -> None:
        file = self.commands / name
        file.write_text(f'#!/bin/sh\n{run} "$@"\n', encoding="utf-8")
        file.chmod(0o755)

    def start(
        self, script: str, shell: list[str], settings: Mapping[str, str], folder: Path
    ) -> subprocess.Popen[str]:
        """Begin the script of a step on a machine whose environment has these settings alone."""
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as file:
            file.write(script)
        ours = ("TAP_BITBUCKET_", "TARGET_POSTGRES_", "MELTANO_")
        plain = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        keys = self.server.world.credentials
        assert keys is not None
        return subprocess.Popen(
            [*shell, file.name],
            cwd=folder,
            env={
                **plain,
                "PATH": f"{self.commands}:{plain['PATH']}",
                "PYTHONPATH": str(PROJECT),
                "TAP_BITBUCKET_API_URL": self.server.api_url,
                "TAP_BITBUCKET_MAX_RETRIES": "0",
                **settings,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def machine(self, *files: Path) -> Path:
        """Return the folder of a new checkout."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for file in files:
            shutil.copy(file, folder)
        return folder

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        with psycopg.connect(self.uri) as database:
            query = f"select count(*) from bitbucket.{table}".encode()
            ((found,),) = database.execute(query).fetchall()
            return int(found)

    @property
    def token(self) -> str:
        """An access token that may read the workspace."""
        keys = self.server.world.credentials
        assert keys is not None
        return keys.access_token


class Actions:
    """Runs the workflow as GitHub does: its shell steps, and the cache between runs."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cache = place.folder / "cache"
        self.secrets = {"BITBUCKET_ACCESS_TOKEN": place.token, "WAREHOUSE_URL": place.address}
        self.workflow = read("github-actions.yml")

    def run(self) -> tuple[int, str]:
        """Run the job on a new machine and return its exit code and what it printed."""
        self.place.server.clear_requests()
        folder = self.place.machine()
        copied = folder / ".github" / "workflows"
        copied.mkdir(parents=True)
        shutil.copy(FOLDER / "sync.sh", copied)
        job = self.workflow["jobs"]["sync"]
        code, printed = 0, ""
        for step in job["steps"]:
            action = step.get("uses", "").partition("@")[0]
            if action == "actions/cache/restore":
                assert step["with"]["key"].startswith(step["with"]["restore-keys"])
                if self.cache.exists():
                    shutil.copytree(self.cache, folder / step["with"]["path"])
            elif action == "actions/cache/save":
                found = re.search(r"hashFiles\('(.*?)'\)", step["if"])
                assert found is not None
                if (folder / found[1]).exists() and (code == 0 or "always()" in step["if"]):
                    shutil.rmtree(self.cache, ignore_errors=True)
                    shutil.copytree(folder / step["with"]["path"], self.cache)
            elif "run" in step and code == 0:
                said = {**job["env"], **step.get("env", {})}
                settings = {name: self._filled(text) for name, text in said.items()}
                shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
                with self.place.start(step["run"], shell, settings, folder) as process:
                    printed += process.communicate(timeout=120)[0]
                code = process.returncode
        return code, printed

    def _filled(self, text: str) -> str:
        text = text.replace("your-workspace", EXAMPLE_WORKSPACE)
        return re.sub(r"\$\{\{ secrets\.(\w+) \}\}", lambda found: self.secrets[found[1]], text)


class Pipelines:
    """Runs the pipeline as Bitbucket does: its script in one shell, which ends at a failure."""

    def __init__(self, place: Place) -> None:
        self.place = place
        project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
        for (plugin,) in project["plugins"].values():
            del plugin["pip_url"]  # it is installed already
            plugin["executable"] = str(place.commands / plugin["name"])
        (tap,) = project["plugins"]["extractors"]
        tap["select"] = ["pull_requests.id", "pipelines.state", "pull_request_activity.update"]
        self.project = place.folder / "meltano.yml"
        self.project.write_text(yaml.safe_dump(project), encoding="utf-8")
        with psycopg.connect(place.uri, autocommit=True) as database:
            database.execute("create database meltano")
        self.settings = {
            "BITBUCKET_WORKSPACE": EXAMPLE_WORKSPACE,
            "TAP_BITBUCKET_ACCESS_TOKEN": place.token,
            "TARGET_POSTGRES_SQLALCHEMY_URL": place.address,
            "MELTANO_DATABASE_URI": re.sub(r"/postgres\?", "/meltano?", place.address),
        }

    def start(self) -> subprocess.Popen[str]:
        """Begin the job on a new machine."""
        script = "\n".join(pipelines_step()["script"])
        folder = self.place.machine(self.project)
        return self.place.start(script, ["bash", "-e"], self.settings, folder)

    def run(self) -> tuple[int, str]:
        """Run the job to its end."""
        self.place.server.clear_requests()
        with self.start() as process:
            printed = process.communicate(timeout=200)[0]
        return process.returncode, printed
