"""Settings that a machine made up: a run that does as they say, or one line that says why not."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_bitbucket.tap import TapBitbucket
from tests.fuzzing import FEW, NIGHTLY, SECRET, WORD, Small, inputs, rows_of, says_why, small
from tests.mutating import fitting, odd, texts
from tests.support import Run

pytestmark = pytest.mark.timeout(300 + 120 * NIGHTLY)

TapBitbucket.append_builtin_config(TapBitbucket.config_jsonschema)
SCHEMAS: dict[str, Any] = TapBitbucket.config_jsonschema["properties"]
NAMES = sorted(SCHEMAS)

PLACES = {"api_url", "oauth_token_url", "oauth_authorize_url"}
FILES = {"token_file", "token_store"}
SIGN_IN = {
    "email", "api_token", "access_token", "client_id", "client_secret", "refresh_token",
    "credentials", "oauth_grant",
}  # fmt: skip
NARROWING = {
    "workspaces", "repositories", "exclude_repositories", "projects", "repository_query",
    "start_date", "shard", "max_requests", "max_duration", "stream_maps", "flattening_enabled",
    "flattening_max_depth", "layout",
}  # fmt: skip
"""Settings by which rows may be fewer, or others."""

WARNINGS_OF_NOTHING = (
    "There is no repository",
    "Skipped ",
    "Stopped: ",
    "let through",
    "there is nothing to read",
)

ADDRESSES = [
    "", " ", "x", "//x", "http://", "https://", "http:///x", "ftp://127.0.0.1/2.0", "file:///etc",
    "http://[::1", "http://127.0.0.1:99999/2.0", "http://127.0.0.1:x/2.0", "http://127.0.0.1:1/2.0",
    "HTTP://127.0.0.1:1/2.0", "http://127.0.0.1:1/2.0/", "http://127.0.0.1:1/2.0?a=b#c",
    f"http://me:{SECRET}@127.0.0.1:1/2.0", "http://nowhere.invalid/2.0", "http://é.invalid/2.0",
    "http://127.0.0.1:1/\x00", "http://127.0.0.1:1/a\nb", "http://" + "a" * 300 + ".invalid",
    "http://%00/", "http://127.0.0.1:0/", "javascript:alert(1)", "http://127.0.0.1:1 /2.0",
]  # fmt: skip

PATHS = ["", " ", ".", "tokens.json", "no/such/folder/tokens.json", "a" * 300, "\x00", "é.json"]

WRONG_SECRETS = [
    SECRET + "\n" + SECRET, SECRET + "\x00", f"Bearer {SECRET}", f"  {SECRET}  é", [SECRET],
    [[SECRET]], {"value": SECRET}, {SECRET: SECRET}, [{SECRET: SECRET}], SECRET * 200,
    [{"api_token": [SECRET]}], [{"email": {"x": SECRET}}], [{"name": "a", "token": SECRET}],
    [WORD], {"value": WORD}, WORD + "\n" + WORD, [{"api_token": [WORD]}], [{"api_token": WORD}],
]  # fmt: skip


@pytest.fixture(scope="module")
def world(catalog: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Serve a small world."""
    with small(catalog, tmp_path_factory.mktemp("settings"), *FEW) as made:
        yield made


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no name be resolved but this machine's: nothing that is made up is asked for."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", "::1"):
            raise socket.gaierror(socket.EAI_NONAME, "not in this test")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def values(name: str) -> st.SearchStrategy[Any]:
    """Return values for a setting: such as its schema allows, and others."""
    if name in PLACES:
        return st.sampled_from(ADDRESSES) | odd.filter(lambda one: not isinstance(one, str))
    if name in FILES:
        return st.sampled_from(PATHS) | odd.filter(lambda one: not isinstance(one, str))
    wrong = [st.sampled_from(WRONG_SECRETS)] if SCHEMAS[name].get("secret") else []
    return st.one_of(fitting(SCHEMAS[name]), odd, *wrong)


one_setting = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(st.just(name), values(name)).map(lambda one: {one[0]: one[1]})
)


def judge(world: Small, run: Run, given: Mapping[str, Any]) -> None:
    """See that a run with such settings, beside good ones, is what is promised."""
    reason = says_why(run)
    if reason is not None:
        named = any(name in reason for name in given)
        told = "HTTP 401" in reason or "Nothing could be read" in reason
        assert named or (told and set(given) & (PLACES | SIGN_IN)) or _is_skipped(run, given), (
            reason
        )
        states = [one["value"] for one in run.messages if one["type"] == "STATE"]
        assert all(state == {"bookmarks": {}} for state in states) or run.counts or told
        return
    there = rows_of(run)
    if not NARROWING.intersection(given):
        assert there == world.whole
    elif "layout" not in given and not {"stream_maps", "flattening_enabled"} & set(given):
        for stream, rows in there.items():
            assert rows.items() <= world.whole[stream].items()
    said = any(text in run.log for text in WARNINGS_OF_NOTHING)
    maps = given.get("stream_maps") or given.get("start_date")
    assert run.counts or said or maps, f"nothing was written, and nobody was told: {run.log}"


def _is_skipped(run: Run, given: Mapping[str, Any]) -> bool:
    """Whether nothing could be read, and the log says of each workspace why."""
    return "workspaces" in given and "Skipped" in run.log


@inputs(80)
@given(one_setting)
def test_any_value_of_any_setting(world: Small, given: dict[str, Any]) -> None:
    """Whatever a setting is set to: the run does as it says, or one line names it."""
    world.run.file("config.json", {**world.settings, **given})
    judge(world, world.run("--config", "config.json", "--catalog", "catalog.json"), given)


SECRETS = [name for name in NAMES if SCHEMAS[name].get("secret") and name not in FILES]


@inputs(25)
@given(st.sampled_from(SECRETS), st.sampled_from(WRONG_SECRETS))
def test_secrets_of_a_wrong_kind(world: Small, name: str, value: Any) -> None:
    """A secret that is no text, or no good one, is named and never shown."""
    world.run.file("config.json", {**world.settings, name: value})
    run = world.run("--config", "config.json", "--catalog", "catalog.json")
    judge(world, run, {name: value})


@inputs(20)
@given(st.lists(one_setting, min_size=2, max_size=5))
def test_several_odd_settings(world: Small, several: list[dict[str, Any]]) -> None:
    """Several settings at once, in several files: each line that is said names one of them."""
    together = {name: value for one in several for name, value in one.items()}
    names = ["config.json"]
    world.run.file("config.json", world.settings)
    for number, one in enumerate(several):
        names.append(world.run.file(f"config{number}.json", one))
    arguments = [part for name in names for part in ("--config", name)]
    run = world.run(*arguments, "--catalog", "catalog.json")
    reason = says_why(run)
    assert reason is None or run.counts or any(name in reason + run.log for name in together)
    if reason is None and not NARROWING.intersection(together):
        assert rows_of(run) == world.whole


@inputs(35)
@given(st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), texts)))
def test_the_environment(world: Small, given: tuple[str, str]) -> None:
    """Any text in a variable: it is used or named, and never shown where it is a secret."""
    name, text = given
    if "\x00" in text or "\ud800" in text or name in PLACES | FILES:
        return  # no environment holds such a text; and addresses have a test of their own
    variable = f"TAP_BITBUCKET_{name.upper()}"
    settings = {**world.settings}
    settings.pop(name, None)
    world.run.file("config.json", settings)
    arguments = ("--config", "config.json", "--config=ENV", "--catalog", "catalog.json")
    run = world.run(*arguments, environment={variable: text})
    reason = says_why(run)
    if reason is not None:
        known = name in reason or variable in reason
        assert known or "HTTP 401" in reason or "No credential" in reason or "Skipped" in run.log
    elif name not in NARROWING:
        assert rows_of(run) == world.whole


@inputs(15)
@given(st.dictionaries(texts, odd, min_size=1, max_size=3))
def test_names_that_do_not_exist(world: Small, unknown: dict[str, Any]) -> None:
    """A setting that there is not is named in a warning, and changes nothing."""
    unknown = {name: value for name, value in unknown.items() if name not in SCHEMAS}
    world.run.file("config.json", {**unknown, **world.settings})
    run = world.run("--config", "config.json", "--catalog", "catalog.json")
    reason = says_why(run)
    named = sum(value is not None for value in unknown.values())
    assert run.log.count("There is no setting") == named or reason is not None
    if reason is None:
        assert rows_of(run) == world.whole
    else:
        assert "half a character" in reason
