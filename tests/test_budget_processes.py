"""The rate limit as runs meet it: real requests, real processes, real waits."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.access import session_for
from tap_bitbucket.auth import credentials_from
from tap_bitbucket.demo import BitbucketServer, Fault, RateLimit, example_world
from tap_bitbucket.demo.served import ServedRequest
from tap_bitbucket.http.budget_file import BudgetFile
from tap_bitbucket.http.budget_row import BudgetRow
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.sharing import _place, shared_budget
from tests.catalogs import only
from tests.support import PROJECT, api_token_config, content, merge, run_here, select, tables
from tests.two_workspaces import People, Uneven, several, workspace_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a state directory of its own."""
    folder = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


def settings(server: BitbucketServer, **more: Any) -> dict[str, Any]:
    """Return the settings of the example's user, complete."""
    defaults = {
        "on_rate_limit": "wait",
        "request_timeout": 20,
        "max_retries": 0,
        "concurrency": 4,
        "user_agent": "test",
    }
    return {**api_token_config(server), **defaults, **more}


def worker(config: dict[str, Any], requests: int = 0) -> subprocess.Popen[str]:
    """Start a process that asks."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.budget_worker", json.dumps(config), str(requests)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a process end, and return what it counted."""
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    counted: dict[str, Any] = json.loads(out)
    return counted


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.005)


def refused(server: BitbucketServer) -> list[ServedRequest]:
    """Return the requests that met the limit."""
    return [one for one in server.requests if one.status == 429]


@pytest.mark.parametrize("processes", [1, 3])
def test_headers_keep_all_processes_from_the_wall(server: BitbucketServer, processes: int) -> None:
    """Where the headers tell what is left, hardly anybody ever meets a 429."""
    server.latency = 0.01
    server.rate_limit = RateLimit(limit=40, window=2, headers="remaining")
    requests = 90 // processes
    workers = [worker(settings(server), requests) for _ in range(processes)]
    counted = [ended(one) for one in workers]
    assert [one["answered"] for one in counted] == [requests] * processes
    assert len(refused(server)) <= processes
    assert any(one["waits"] and one["waited"] > 0.5 for one in counted)


@pytest.mark.parametrize("over", ["file", "database"])
def test_a_429_of_one_process_pauses_the_other(
    over: str, server: BitbucketServer, request: pytest.FixtureRequest
) -> None:
    """Nobody on the identity asks until the told moment; then each begins with one request."""
    server.latency = 0.05
    store = "file" if over == "file" else request.getfixturevalue("postgres")
    names = ("one", "two")
    with ExitStack() as started:
        workers = [
            started.enter_context(worker(settings(server, token_store=store, user_agent=name)))
            for name in names
        ]
        until(lambda: {one.headers["user-agent"] for one in server.requests} == set(names))
        server.faults.add(Fault("/user", status=429, headers={"Retry-After": "4"}))
        until(lambda: refused(server))
        (met,) = refused(server)
        until(lambda: [one for one in server.requests if one.at > met.at + 4])
        time.sleep(1.5)
        later = [(one.at - met.at, one.headers["user-agent"]) for one in server.requests]
        counted = [ended(one) for one in workers]
    assert [one for one in later if 1.8 < one[0] < 4] == [], "somebody did not pause"
    assert [one["waits"] for one in counted] == [1, 1]
    for name in names:
        moments = [at for at, who in later if who == name and at >= 4]
        assert len(moments) < 10, "a burst"
        assert all(gap >= 0.05 for gap in [b - a for a, b in pairwise(moments)][:1])


def test_no_burst_follows_a_wait(server: BitbucketServer) -> None:
    """With eight threads in waiting, one request goes first, and the rest come gradually."""
    server.latency = 0.1
    server.rate_limit = RateLimit(limit=30, window=2, retry_after="seconds")
    assert ended(worker(settings(server, concurrency=8), 45))["answered"] == 45
    met = refused(server)
    assert 1 <= len(met) <= 8
    moments = sorted(one.at for one in server.requests if one.at > met[-1].at + 0.5)
    first, second = moments[:2]
    assert first - met[0].at >= 2
    assert second - first >= 0.1, "the second did not wait for the answer to the first"
    assert sum(at < first + 2 for at in moments) <= 5
    assert len(moments) >= 15


@pytest.mark.parametrize("headers", ["remaining", "nearlimit", "none"])
def test_a_whole_run_arrives(server: BitbucketServer, headers: str) -> None:
    """Whatever the answers say of the limit, the run waits as it must and reads everything."""
    expected = tables()
    merge(expected, run_here(api_token_config(server)))
    asked = len(server.requests)
    limit = max(60, asked // 2)
    server.rate_limit = RateLimit(limit=limit, window=3, headers=headers, retry_after="seconds")
    if headers == "nearlimit":  # at the hour's pace the rest would take minutes
        server.rate_limit = RateLimit(limit=asked + 40, headers=headers)
    target = tables()
    run = run_here(api_token_config(server, max_duration=120))
    merge(target, run)
    assert run.code == 0, run.log
    assert content(target) == content(expected)
    assert len(refused(server)) <= {"remaining": 1, "nearlimit": 0, "none": 16}[headers]
    if headers != "nearlimit":
        assert " 0 waits" not in run.log


def test_a_run_ends_at_once_when_a_pause_outlasts_it(server: BitbucketServer) -> None:
    """A pause that ``max_duration`` would cut short is not begun; the bookmarks are kept."""
    server.rate_limit = RateLimit(limit=30, retry_after="seconds")
    began = time.monotonic()
    run = run_here(api_token_config(server, max_duration=600))
    assert time.monotonic() - began < 60
    assert run.code == 0, run.log
    assert "Stopped: max_duration" in run.log
    assert run.messages[-1]["type"] == "STATE"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_one_workspace_is_put_off_and_the_other_read(
    catalog: dict[str, Any], concurrency: int
) -> None:
    """With ``stop``, spent credentials of one workspace cost the other one nothing."""
    people = People()
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.api_token("bob", workspaces=["beta"]),
    ]
    chosen = only(select(catalog, "branches", "pull_requests"), "branches", "pull_requests")
    with BitbucketServer(people.world) as server:
        config = several(
            server,
            *entries,
            workspaces=["acme", "beta"],
            on_rate_limit="stop",
            concurrency=concurrency,
            reconcile_every=0,
        )
        complete = tables()
        merge(complete, run_here(config, catalog=chosen))
        of_beta = {
            one.path
            for one in server.requests
            if one.identity == people.key("bob") and workspace_of(one) == "beta"
        }
        server.clear_requests()
        limits = Uneven()
        limits.of(people.key("ann"), 2)
        server.rate_limit = limits
        target = tables()
        run = run_here(config, catalog=chosen)
        merge(target, run)
        assert run.code == 0, run.log
        assert of_beta <= {one.path for one in server.requests if one.status == 200}
        assert "Stopped: the rate limit" not in run.log or "ann-entry" in run.log
        server.rate_limit = None
        last = run_here(config, catalog=chosen, state=run.state)
        merge(target, last)
        assert last.code == 0, last.log
        assert content(target) == content(complete)


# -- where it is shared -------------------------------------------------------------------------


def place_of(config: dict[str, Any], position: int = 0) -> Any:
    """Return where one of the credentials shares its budget."""
    return _place(config, credentials_from(config)[position], position)


def test_each_kind_of_credential_has_its_place(
    server: BitbucketServer, tmp_path: Path, home: Path
) -> None:
    """Beside the token file, or in the user's state directory; the name tells nothing."""
    config = settings(server)
    place = place_of(config)
    assert isinstance(place, BudgetFile)
    assert Path(place.name).parent == home / "tap-bitbucket"
    assert config["email"].split("@")[0] not in place.name
    assert place_of(config).name == place.name
    assert place_of({**config, "email": config["email"].upper()}).name == place.name
    others = [
        {**config, "email": "somebody@else.example"},
        {**config, "api_url": "https://elsewhere.example/2.0"},
    ]
    assert len({place_of(other).name for other in others} | {place.name}) == 3
    bare = {name: config[name] for name in config if name not in {"email", "api_token"}}
    oauth = {
        **bare,
        "client_id": "acme-tap",
        "client_secret": "secret",
        "refresh_token": "seed",
        "token_file": str(tmp_path / "kept" / "token.json"),
    }
    assert Path(place_of(oauth).name).parent == tmp_path / "kept"
    granted = {**oauth, "oauth_grant": "client_credentials"}
    assert Path(place_of(granted).name).parent == home / "tap-bitbucket"
    store = "postgresql://ann:planted@127.0.0.1/taps"
    assert isinstance(place_of({**config, "token_store": store}), BudgetRow)
    several_of = {**bare, "credentials": [{"access_token": "a"}, {"access_token": "b"}]}
    assert place_of(several_of, 0).name != place_of(several_of, 1).name
    own = {**several_of, "credentials": [{"access_token": "a"}, {"access_token": "b"}]}
    own["credentials"][1]["token_store"] = store
    assert isinstance(place_of(own, 1), BudgetRow)
    assert isinstance(place_of(own, 0), BudgetFile)


def test_no_place_at_all_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a home directory the run goes by its own budget, and says so."""
    monkeypatch.delenv("XDG_STATE_HOME")

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")  # noqa: EM101, TRY003

    monkeypatch.setattr(Path, "home", nowhere)
    with BitbucketServer(example_world()) as server:
        config = settings(server)
        (credential,) = credentials_from(config)
        assert shared_budget(config, credential, 0) is None
        session = session_for(config, [credential], Limits())
        assert session.identities.take("/user").budget.sent == 1
    assert "cannot be shared" in caplog.text
