"""Airflow as it is run by many: a scheduler, Redis, and workers that take tasks by Celery."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.airflow.installation import airflow
from tests.airflow.processes import free_port, started, until
from tests.airflow.workplace import Workplace

WORKERS = ("one", "two")
HEARTBEAT = 30
"""Seconds without a sign of life after which a task counts as lost; by default 300."""


class Cluster:
    """The servers of an Airflow; its own database is PostgreSQL, too.

    Attributes:
        workers: The processes of the workers by name.
    """

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._database = place.databases.uri(place.databases.make("airflow"))
        redis, api = free_port(), free_port()
        self._redis = redis
        database = self._database.removeprefix("postgresql://")
        self.environment = {
            **place.environment,
            "PATH": f"{airflow(celery=True).parent}{os.pathsep}{place.environment['PATH']}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
            "AIRFLOW__API_AUTH__JWT_SECRET": base64.b64encode(os.urandom(64)).decode(),
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "10",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        }

    def command(self, *arguments: str) -> str:
        """Run a command of Airflow to its end, and return what it printed."""
        result = subprocess.run(
            [airflow(celery=True), *arguments],
            cwd=self.place.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        self.place.printed.append(result.stdout + result.stderr)
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
        return result.stdout

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask Airflow's own database."""
        with psycopg.connect(self._database) as connection:
            return list(connection.execute(query.encode(), values))

    def connect(self, **connections: dict[str, Any]) -> None:
        """Give Airflow its connections, as `airflow connections add` does one by one."""
        file = self.place.folder.parent / "connections.json"
        file.write_text(json.dumps(connections), encoding="utf-8")
        self.command("connections", "import", str(file))
        file.unlink()

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        """Start all servers; at the end, whatever happened, none is left."""
        run = [airflow(celery=True)]
        redis = ["--bind", "127.0.0.1", "--port", self._redis, "--save", "", "--appendonly", "no"]
        with ExitStack() as servers:
            self._start(servers, "redis", ["redis-server", *redis])
            self._start(servers, "api", [*run, "api-server"])
            self._start(servers, "processor", [*run, "dag-processor"])
            self._start(servers, "scheduler", [*run, "scheduler"])
            for name in WORKERS:
                # Without the server of logs, which would listen on all addresses.
                worker = [*run, "celery", "worker", "--skip-serve-logs", "-c", "1"]
                # Each has a home of its own, as on a machine of its own.
                self.environment["XDG_STATE_HOME"] = str(self.place.folder / f"state-of-{name}")
                self.workers[name] = self._start(servers, name, [*worker, "-H", f"{name}@%h"])
            found = "select count(*) from dag"
            until(lambda: self.ask(found) == [(2,)], 240, "the DAGs to be read")
            yield self

    def _start(self, servers: ExitStack, name: str, command: list[Any]) -> subprocess.Popen[bytes]:
        log = self.place.folder / f"{name}.log"
        process = started(command, self.place.folder, self.environment, log)
        return servers.enter_context(process)

    def state(self, dag: str) -> str | None:
        """Return how far the last run of a DAG is, None if there was none."""
        query = "select state from dag_run where dag_id = %s order by id desc limit 1"
        found = self.ask(query, dag)
        return found[0][0] if found else None

    def tries(self, dag: str, task: str) -> dict[int, int]:
        """Return how often each of a task's instances was tried."""
        query = "select map_index, try_number from task_instance where dag_id = %s and task_id = %s"
        return dict(self.ask(query, dag, task))

    @property
    def log(self) -> str:
        """Return the ends of what the servers said."""
        logs = sorted(self.place.folder.glob("*.log"))
        return "\n".join(f"== {one.name}\n{_end(one)}" for one in logs)


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]
