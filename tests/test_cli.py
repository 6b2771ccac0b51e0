"""The command line: what it offers, and one clear line for whatever it is given wrongly.

Most of it runs in this process, through the same `main` that the command is.
"""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.cli import main
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer
from tests.support import Run, api_token_config, lines_of, refusal, run_tap

Cli = Callable[..., Run]

CREDENTIAL = {"email": "a@example.com", "api_token": "planted-secret"}
NOWHERE = {**CREDENTIAL, "workspaces": ["x"], "api_url": "http://127.0.0.1:9/2.0", "max_retries": 0}


@pytest.fixture
def cli(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cli]:
    """Return a function that runs the command in this process and in an empty folder."""
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loggers = logging.root.handlers[:], logging.root.level

    def run(*arguments: str) -> Run:
        capfd.readouterr()
        try:
            main(arguments)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            logging.root.handlers[:], logging.root.level = loggers
        out, log = capfd.readouterr()
        return Run(code, lines_of(out), log)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def write(content: object, name: str = "config.json") -> str:
    """Write a file into the present folder and return its name."""
    Path(name).write_text(
        content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
    )
    Path(name).chmod(0o600)
    return name


# -- what it offers -----------------------------------------------------------------------------


def test_discovery_needs_nothing(cli: Cli) -> None:
    """--discover prints a catalog without settings, credentials or network, and with a bad host."""
    catalog = json.loads("\n".join(cli("--discover").lines))
    names = [stream["tap_stream_id"] for stream in catalog["streams"]]
    assert len(names) == len(set(names)) >= 19
    again = cli("--discover", "--config", write(NOWHERE))
    assert again.code == 0
    assert json.loads("\n".join(again.lines)) == catalog


def test_version_and_help(cli: Cli) -> None:
    """--version and --help answer on stdout and end well."""
    version = cli("--version")
    assert version.code == 0
    assert version.lines[0].startswith("tap-bitbucket")
    text = cli("--help")
    assert text.code == 0
    for option in ("--config", "--catalog", "--state", "--discover", "--test", "--about"):
        assert option in "\n".join(text.lines)
    for word in ("`tap-bitbucket auth`", "`tap-bitbucket schemas`", "`tap-bitbucket demo`"):
        assert word in " ".join(" ".join(text.lines).split())


def test_about_in_each_format(cli: Cli) -> None:
    """--about describes every setting in text, JSON and Markdown, with no value of a setting."""
    told = json.loads("\n".join(cli("--about", "--format=json").lines))
    settings = told["settings"]["properties"]
    assert {"workspaces", "api_token", "max_requests", "fail_on_skipped"} <= set(settings)
    assert all(setting.get("description") for setting in settings.values())
    assert settings["api_token"]["secret"] is True
    markdown = cli("--about", "--format=markdown")
    text = cli("--about", "--config", write(NOWHERE))
    for run in (markdown, text):
        assert run.code == 0
        assert "fail_on_skipped" in "\n".join(run.lines)
        assert "planted-secret" not in "\n".join(run.lines) + run.log


def test_the_module_is_the_command(server: BitbucketServer, tmp_path: Path) -> None:
    """`python -m tap_bitbucket` runs a sync with a state and writes messages only to stdout."""
    settings = api_token_config(server, repositories=[f"{EXAMPLE_WORKSPACE}/infrastructure"])
    first = run_tap(settings, tmp_path)
    assert first.code == 0, first.log
    assert {m["type"] for m in first.messages} >= {"SCHEMA", "RECORD", "STATE"}
    again = run_tap(settings, tmp_path, state=first.state)
    assert again.code == 0, again.log
    assert len(again.rows("commits")) == 0 < len(first.rows("commits"))


def test_the_connection_can_be_tried(cli: Cli, server: BitbucketServer) -> None:
    """--test reads at most a row of each stream, and says in one line what is wrong."""
    file = write(api_token_config(server, repositories=[f"{EXAMPLE_WORKSPACE}/infrastructure"]))
    good = cli("--config", file, "--test")
    assert good.code == 0, good.log
    assert set(good.counts.values()) <= {1}
    schema = cli("--config", file, "--test=schema")
    assert schema.code == 0, schema.log
    assert {m["type"] for m in schema.messages} == {"SCHEMA"}
    bad = cli("--config", write(api_token_config(server, api_token="planted-secret")), "--test")
    assert "api_token" in refusal(bad)
    assert "planted-secret" not in bad.log


def test_later_config_files_win(cli: Cli, server: BitbucketServer) -> None:
    """Several --config are merged in their order."""
    settings: dict[str, Any] = {"workspaces": ["not-this-one"], "concurrency": 1}
    base = write(api_token_config(server, **settings, max_requests=1))
    over = write({"workspaces": [EXAMPLE_WORKSPACE]}, "over.json")
    run = cli("--config", base, "--config", over)
    assert run.code == 0, run.log
    assert [one.path for one in server.requests] == [f"/2.0/workspaces/{EXAMPLE_WORKSPACE}"]


def test_settings_from_the_environment(
    cli: Cli, server: BitbucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--config=ENV takes strings, integers, booleans and arrays (as JSON) from TAP_BITBUCKET_…."""
    for name, value in api_token_config(server).items():
        text = json.dumps(value) if isinstance(value, list) else str(value)
        monkeypatch.setenv(f"TAP_BITBUCKET_{name.upper()}", text)
    monkeypatch.setenv("TAP_BITBUCKET_REPOSITORIES", json.dumps([f"{EXAMPLE_WORKSPACE}/nothing-*"]))
    monkeypatch.setenv("TAP_BITBUCKET_CONCURRENCY", "2")
    monkeypatch.setenv("TAP_BITBUCKET_FAIL_ON_SKIPPED", "true")
    server.world.forbid(server.world.workspace(EXAMPLE_WORKSPACE), 403)
    assert "Nothing could be read" in refusal(cli("--config=ENV"))
    server.world.allow(server.world.workspace(EXAMPLE_WORKSPACE))
    run = cli("--config=ENV")
    assert run.code == 0, run.log
    assert run.counts["workspaces"] == 1
    assert run.counts["repositories"] == 0


# -- settings that are wrong --------------------------------------------------------------------

CONSUMER = {"email": None, "api_token": None, "client_id": "key", "client_secret": "planted"}
SETTINGS = [
    # the settings given, and what the one line must hold
    ({"concurrency": "abc"}, ["concurrency", "'abc'", "integer"]),
    ({"concurrency": 0}, ["concurrency", "0", "at least 1"]),
    ({"concurrency": 33}, ["concurrency", "33", "at most 32"]),
    ({"concurrency": 1.5}, ["concurrency", "1.5", "integer"]),
    ({"request_timeout": 0}, ["request_timeout", "0", "at least 1"]),
    ({"max_retries": -1}, ["max_retries", "-1", "at least 0"]),
    ({"max_requests": 0}, ["max_requests", "0", "at least 1"]),
    ({"max_duration": "1h"}, ["max_duration", "'1h'", "integer"]),
    ({"on_rate_limit": "pause"}, ["on_rate_limit", "'pause'", "'wait'", "'stop'"]),
    ({"on_missing_scope": "ignore"}, ["on_missing_scope", "'ignore'", "'skip'", "'fail'"]),
    ({"oauth_grant": "password"}, ["oauth_grant", "'password'", "'client_credentials'"]),
    ({"workspaces": "acme"}, ["workspaces", "'acme'", "array"]),
    ({"workspaces": [5]}, ["workspaces", "5", "string"]),
    ({"repositories": ["web"]}, ["repositories", "'web'", "'workspace/slug'", "*/web"]),
    ({"exclude_repositories": ["web"]}, ["exclude_repositories", "'web'", "*/web"]),
    ({"start_date": "yesterday"}, ["start_date", "'yesterday'", "2026-01-31T00:00:00Z"]),
    ({"start_date": "2026-02-30"}, ["start_date", "'2026-02-30'"]),
    ({"start_date": 20260101}, ["start_date", "20260101", "string"]),
    ({"shard": "4/4"}, ["shard", "'4/4'", "0/4"]),
    ({"shard": "1"}, ["shard", "'1'", "i/n"]),
    ({"lookback": 3600}, ["lookback", "3600", "object"]),
    ({"lookback": {"*": -5}}, ["lookback", "-5", "at least 0"]),
    ({"reconcile_every": "weekly"}, ["reconcile_every", "'weekly'", "integer"]),
    ({"fail_on_skipped": "yes"}, ["fail_on_skipped", "'yes'", "boolean"]),
    ({"api_url": "api.bitbucket.org/2.0"}, ["api_url", "'api.bitbucket.org/2.0'", "https://"]),
    ({"credentials": [{"api_token": "planted-secret"}]}, ["email and api_token", "credentials"]),
    ({"credentials": [{"api_key": "planted-secret"}]}, ["credentials[0]", "'api_key'"]),
    ({"token_encryption_key": "planted-secret", **CONSUMER}, ["token_encryption_key", "base64"]),
    ({"token_store": "mysql://planted@x/y", **CONSUMER}, ["token_store", "file", "postgresql://"]),
    ({"api_token": {"value": "planted-secret"}}, ["api_token", "string"]),
    ({"api_token": ["planted-secret"]}, ["api_token", "string"]),
    ({"access_token": "planted-secret"}, ["access_token", "api_token", "More than one"]),
    ({"credentials": "planted-secret"}, ["credentials", "array"]),
    ({"credentials": [{"api_token": ["planted-secret"]}]}, ["credentials", "string"]),
    ({"email": None, "api_token": "planted-secret"}, ["email", "api_token"]),
    ({"api_token": "planted secret"}, ["api_token", "copy it again"]),
]


@pytest.mark.parametrize(
    ("settings", "words"), SETTINGS, ids=[json.dumps(s[0])[:50] for s in SETTINGS]
)
def test_a_bad_setting(settings: dict[str, Any], words: list[str], cli: Cli) -> None:
    """One line names setting, value, what is accepted and the way out, and shows no secret."""
    run = cli("--config", write({**NOWHERE, **settings}))
    line = refusal(run)
    for word in words:
        assert word in line
    assert "planted" not in run.log
    assert run.lines == []


def test_several_bad_settings_are_one_line(cli: Cli) -> None:
    """All that is wrong is said at once."""
    line = refusal(cli("--config", write({**NOWHERE, "concurrency": 0, "workspaces": 5})))
    assert "concurrency" in line
    assert "workspaces" in line


def test_an_unknown_setting_is_a_warning(cli: Cli, server: BitbucketServer) -> None:
    """A misspelt setting is named, with the one that was probably meant, and the run goes on."""
    file = write(api_token_config(server, workspace=["x"], zzz=1, max_requests=1))
    run = cli("--config", file)
    assert run.code == 0, run.log
    warnings = [line for line in run.log.splitlines() if "| WARNING" in line]
    assert any("'workspace'" in line and "'workspaces'" in line for line in warnings)
    assert any("'zzz'" in line and "Did you mean" not in line for line in warnings)


def test_a_lookback_for_no_stream_is_a_warning(cli: Cli, server: BitbucketServer) -> None:
    """A misspelt stream is named, with the one that was probably meant; the others are not."""
    lookback = {"*": 1, "commits": 1, "pull_request": 60}
    run = cli("--config", write(api_token_config(server, lookback=lookback, max_requests=1)))
    assert run.code == 0, run.log
    warnings = [line for line in run.log.splitlines() if "no stream" in line]
    assert len(warnings) == 1
    assert "'pull_request'" in warnings[0]
    assert "'pull_requests'" in warnings[0]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CONCURRENCY", "abc", ["abc"]),
        ("CONCURRENCY", "99", ["concurrency", "at most 32"]),
        ("WORKSPACES", "[a]", ["workspaces"]),
        ("LOOKBACK", "x", ["lookback"]),
    ],
)
def test_a_bad_environment_variable(
    name: str, value: str, words: list[str], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable of the wrong kind is one line, too, which names it."""
    for key, given in {**CREDENTIAL, "api_url": NOWHERE["api_url"], "max_retries": "0"}.items():
        monkeypatch.setenv(f"TAP_BITBUCKET_{key.upper()}", str(given))
    monkeypatch.setenv(f"TAP_BITBUCKET_{name}", value)
    line = refusal(cli("--config=ENV"))
    assert name.lower() in line.lower()
    for word in words:
        assert word.lower() in line.lower()


# -- files that are wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1,\n "b": }', ["not JSON", "line 2"]),
        ("[]", ["object", "list"]),
        ("null", ["object"]),
        ('"text"', ["object", "str"]),
        ("{'a': 1}", ["not JSON"]),
    ],
    ids=["json", "list", "null", "text", "quotes"],
)
def test_a_file_that_is_not_json(option: str, content: str, words: list[str], cli: Cli) -> None:
    """The line names the file, what it is for and the place."""
    arguments = ["--config", write(NOWHERE)] if option != "config" else []
    line = refusal(cli(*arguments, f"--{option}", write(content, "given.json")))
    for word in (*words, "given.json", option):
        assert word in line


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
def test_a_file_that_is_not_there(option: str, cli: Cli) -> None:
    """The line names the file and says that it is not there."""
    arguments = ["--config", write(NOWHERE)] if option != "config" else []
    line = refusal(cli(*arguments, f"--{option}", "given.json"))
    assert "given.json" in line
    assert "No such file" in line


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
def test_a_file_that_is_no_text(option: str, cli: Cli) -> None:
    """Bytes that are no UTF-8 are one line as well."""
    Path("given.json").write_bytes(b'{"a": "\xff\xfe"}')
    arguments = ["--config", write(NOWHERE)] if option != "config" else []
    assert "given.json" in refusal(cli(*arguments, f"--{option}", "given.json"))


@pytest.mark.parametrize(
    "state",
    [
        {"bookmarks": []},
        {"bookmarks": {"commits": "x"}},
        {"bookmarks": {"commits": {"partitions": [{"heads": []}]}}},
        {"bookmarks": {"pipelines": {"replication_key_value": "yesterday"}}},
    ],
)
def test_a_state_that_is_not_ours(state: Any, cli: Cli) -> None:
    """A state of another tap, or a damaged one, is refused before anything is asked."""
    line = refusal(cli("--config", write(NOWHERE), "--state", write(state, "state.json")))
    assert "state" in line
    assert "last good one" in line


def test_an_empty_state_file_is_no_state(cli: Cli, server: BitbucketServer) -> None:
    """The empty file that a first run is often given means: from the beginning."""
    for content in ("", "\n", "{}"):
        file = write(api_token_config(server, max_requests=1))
        run = cli("--config", file, "--state", write(content, "state.json"))
        assert run.code == 0, run.log


@pytest.mark.parametrize("name", ["issues", "components", "milestones", "versions", "wiki"])
def test_a_catalog_that_names_a_removed_stream(name: str, cli: Cli) -> None:
    """What Bitbucket removed is named, with the day and the way out."""
    stream = {"tap_stream_id": name, "stream": name, "schema": {"properties": {}}, "metadata": []}
    catalog = write({"streams": [stream]}, "catalog.json")
    line = refusal(cli("--config", write(NOWHERE), "--catalog", catalog))
    for word in (f"'{name}'", "2026-08-20", "--discover"):
        assert word in line


@pytest.mark.parametrize(
    "catalog",
    [{"streams": 5}, {"streams": [5]}, {"streams": {}}, {"streams": None}, {"streams": [{}]}],
    ids=json.dumps,
)
def test_a_catalog_that_is_none(catalog: Any, cli: Cli) -> None:
    """What is not a catalog is refused in one line that names the file."""
    line = refusal(cli("--config", write(NOWHERE), "--catalog", write(catalog, "catalog.json")))
    assert "catalog" in line


def test_an_unknown_option_is_explained(cli: Cli) -> None:
    """A misspelt option ends in one line that names it and the one that was meant."""
    line = refusal(cli("--confg", "x"))
    assert "--confg" in line
    assert "--config" in line


def test_the_capabilities_are_told(cli: Cli) -> None:
    """--about tells Meltano what the tap can do."""
    told = json.loads("\n".join(cli("--about", "--format=json").lines))
    assert {"catalog", "state", "discover", "about", "stream-maps"} <= set(told["capabilities"])
