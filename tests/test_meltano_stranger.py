"""Meltano as a stranger to it types it: an empty folder, `add --from-ref`, and what comes then."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, World, example_world
from tap_bitbucket.demo.model import Repository, User
from tests.loading import meltano_settings
from tests.support import PROJECT

STAGING = {
    "extractors": [
        {
            "name": "tap-bitbucket",
            "config": {
                "layout": "per_repository",
                "repositories": ["*/web-portal", "*/newcomer"],
                "stream_maps": {
                    "*-pull_requests": {
                        "__filter__": "state == 'MERGED'",
                        "title": "md5(title)",
                        "author": "__NULL__",  # null itself does not come through Meltano
                    },
                },
            },
            "select": ["*-branches.*", "*-pull_requests.*", "!*-pull_requests.summary"],
        }
    ],
    "loaders": [{"name": "target-postgres", "config": {"default_target_schema": ""}}],
}
"""What an environment has of its own; `dev`, where all else happens here, has nothing."""

Rows = list[tuple[Any, ...]]


class Stranger:
    """An empty folder, a stand-in, a database, and somebody who types."""

    def __init__(self, folder: Path, server: BitbucketServer, database: Any) -> None:
        self.folder, self.server = folder, server
        self.project = folder / "project"
        self._database = database
        ours = ("TAP_BITBUCKET_", "TARGET_POSTGRES_", "MELTANO_")
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith(ours)},
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "1",
            "NO_COLOR": "1",
        }

    @property
    def world(self) -> World:
        """The world that the stand-in serves."""
        return self.server.world

    @property
    def portal(self) -> Repository:
        """One of its repositories."""
        return self.world.repository(f"{EXAMPLE_WORKSPACE}/web-portal")

    @property
    def maya(self) -> User:
        """Somebody who works there."""
        return next(user for user in self.world.users.values() if user.nickname == "maya")

    def types(self, line: str) -> str:
        """Run a line that begins with `meltano`; it must succeed; return what it printed."""
        self.server.clear_requests()
        meltano, *arguments = shlex.split(line)
        assert meltano == "meltano"
        result = subprocess.run(
            [sys.executable, "-m", "meltano.cli", *arguments],
            cwd=self.project if self.project.exists() else self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
        return result.stdout

    def edits(self, change: dict[str, Any]) -> None:
        """Set top-level keys of meltano.yml."""
        file = self.project / "meltano.yml"
        whole = yaml.safe_load(file.read_text(encoding="utf-8")) | change
        file.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")

    def asks(self, query: str) -> Rows:
        """Ask the database."""
        return list(self._database.execute(query.encode()))

    def tables(self, schema: str) -> set[str]:
        """Return the names of the tables in a schema."""
        query = "select table_name from information_schema.tables where table_schema = "
        return {name for (name,) in self.asks(f"{query}'{schema}'")}

    def columns(self, schema: str, table: str) -> set[str]:
        """Return the names of a table's columns."""
        query = "select column_name from information_schema.columns where "
        return {
            name for (name,) in self.asks(f"{query}(table_schema, table_name) = {schema, table}")
        }


@pytest.fixture(scope="module")
def stranger(folder: Path, postgres: str) -> Iterator[Stranger]:
    """Give somebody who has set up a project, as README says, and run it once."""
    with (
        BitbucketServer(example_world()) as server,
        psycopg.connect(postgres, autocommit=True) as database,
    ):
        made = Stranger(folder, server, database)
        made.types("meltano init project")
        definition = made.folder / "plugin.yml"
        definition.write_text(_plugin_of_this_checkout(made.folder), encoding="utf-8")
        target = PROJECT / "examples" / "meltano" / "target-postgres.yml"
        made.types(f"meltano add tap-bitbucket --from-ref {definition}")
        made.types(f"meltano add target-postgres --from-ref {target}")
        settings = meltano_settings(server, postgres)
        lines = [f"{name}='{text}'\n" for name, text in settings.items()]
        (made.project / ".env").write_text("".join(lines), encoding="utf-8")
        made.types("meltano run tap-bitbucket target-postgres")
        yield made


def _plugin_of_this_checkout(folder: Path) -> str:
    """Return plugin.yml, with a wheel of this checkout instead of the package on the index."""
    build = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(folder)]
    subprocess.run([*build, str(PROJECT)], check=True, timeout=120)
    (wheel,) = folder.glob("tap_bitbucket-*.whl")
    text = (PROJECT / "plugin.yml").read_text(encoding="utf-8")
    package = "pip_url: tap-bitbucket\n"
    assert text.count(package) == 1
    return text.replace(package, f"pip_url: {shlex.quote(str(wheel))}\n")


def test_a_stranger_reads_what_the_tap_selects_and_nothing_expensive(stranger: Stranger) -> None:
    """`add --from-ref` and `run`, no more: the streams that are on by default, with all rows."""
    assert stranger.tables("bitbucket") == {
        name for name, stream in REGISTRY.items() if stream.selected_by_default
    }
    found = stranger.asks("select repository, id from bitbucket.pull_requests")
    assert {(repository, str(number)) for repository, number in found} == {
        (told[1], str(told[3]["id"])) for told in stranger.world.truth("pull_requests")
    }
    assert "links" not in stranger.columns("bitbucket", "pull_requests")
    assert "title" in stranger.columns("bitbucket", "pull_requests")


def test_a_schedule_runs_a_job_from_the_state(stranger: Stranger) -> None:
    """A job in a schedule goes on from the state of the run before: it reads what changed."""
    job = {"name": "sync", "tasks": ["tap-bitbucket target-postgres"]}
    schedule = {"name": "nightly", "interval": "@daily", "job": "sync"}
    stranger.edits({"jobs": [job], "schedules": [schedule]})
    assert stranger.portal.mainbranch is not None
    stranger.world.push(
        stranger.portal,
        stranger.portal.mainbranch,
        messages=["Only just pushed"],
        user=stranger.maya,
    )
    ((before,),) = stranger.asks("select max(_sdc_received_at) from bitbucket.commits")

    stranger.types("meltano schedule run nightly")

    query = "select repository, message from bitbucket.commits where _sdc_received_at > "
    assert stranger.asks(f"{query}'{before}'") == [("web-portal", "Only just pushed\n")]
    lists = [one.path for one in stranger.server.requests if one.path.endswith("/commits")]
    assert lists
    assert all(f"{EXAMPLE_WORKSPACE}/web-portal/" in path for path in lists)


def test_an_environment_has_settings_selection_maps_and_state_of_its_own(
    stranger: Stranger,
) -> None:
    """In another environment: `!` deselects, stream maps change rows, and all is read anew.

    With its schema per repository, `--refresh-catalog` looks which repositories there are.
    """
    staging = {"name": "staging", "config": {"plugins": STAGING}}
    stranger.edits({"environments": [{"name": "dev"}, staging]})
    stranger.types("meltano --environment=staging run tap-bitbucket target-postgres")

    assert stranger.tables("web_portal") == {"branches", "pull_requests"}
    merged = [one for one in stranger.portal.pull_requests.values() if one.state == "MERGED"]
    found = stranger.asks("select id, title from web_portal.pull_requests")
    assert {number for number, _ in found} == {one.id for one in merged}
    assert not {title for _, title in found} & {one.title for one in merged}
    columns = stranger.columns("web_portal", "pull_requests")
    assert "description" in columns
    assert not columns & {"summary", "author"}
    ((branches,),) = stranger.asks("select count(*) from web_portal.branches")
    assert branches == len(stranger.portal.branches)

    workspace = stranger.world.workspace(EXAMPLE_WORKSPACE)
    made = stranger.world.add_repository(workspace, "newcomer", project="OPS")
    stranger.world.push(made, "main", messages=["Begin"], user=stranger.maya)
    stranger.types(
        "meltano --environment=staging run --refresh-catalog tap-bitbucket target-postgres"
    )
    assert stranger.asks("select name from newcomer.branches") == [("main",)]


def test_the_sign_in_is_looked_at_by_a_command(stranger: Stranger) -> None:
    """`meltano invoke tap-bitbucket:status` tells who signs in, with the project's settings."""
    (report,) = json.loads(stranger.types("meltano invoke tap-bitbucket:status --json"))
    assert report["works"]
    assert report["account"] == "Maya Lindqvist (maya)"
    assert report["missing"] == {}
