"""Several credentials in one configuration: what is a mistake, and where each keeps its tokens."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_bitbucket.auth import AuthenticationError, Credential, credentials_from
from tap_bitbucket.auth import config_file as module
from tap_bitbucket.tap import TapBitbucket
from tests.auth.conftest import HOUR, Consumer

TOKEN = {"email": "ann@acme.example", "api_token": "hush-token"}
ACCESS = {"access_token": "hush-access"}
OAUTH = {"client_id": "key", "client_secret": "hush-secret", "refresh_token": "hush-seed"}
BY_CLIENT = {
    "client_id": "key",
    "client_secret": "hush-secret",
    "oauth_grant": "client_credentials",
}
SECOND = ("second-tap", "secret of second")


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tokens that have no place of their own out of the tester's home."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "tap-bitbucket"


def sentence(config: dict[str, Any]) -> str:
    """Return what a run says about settings that it refuses: one line, without their secrets."""
    with pytest.raises((AuthenticationError, ConfigValidationError)) as caught:
        _ = TapBitbucket(config=config, setup_mapper=False).session
    said = str(caught.value)
    assert "\n" not in said
    assert "hush" not in said
    return said


# -- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"email": "a@b.c"}, ["credentials[1].email set", "credentials[1].api_token is not"]),
        ({"api_token": "hush"}, ["credentials[1].api_token set", "credentials[1].email is not"]),
        ({"client_id": "k"}, ["credentials[1].client_id set", "credentials[1].client_secret is"]),
        ({"client_secret": "hush"}, ["credentials[1].client_id is not"]),
        ({"refresh_token": "hush"}, ["credentials[1].client_id is not"]),
        ({"client_id": "k", "client_secret": "hush"}, ["credentials[1].client_id", "auth login"]),
        ({}, ["No credential", "credentials[1]"]),
        ({"name": "empty", "workspaces": ["acme"]}, ["No credential", "credentials[1]"]),
        ({"email": "", "api_token": None}, ["No credential", "credentials[1]"]),
        ({"access_token": "hu sh"}, ["credentials[1].access_token has blanks"]),
        ({"email": "a:hush", "api_token": "x"}, ["credentials[1].email has a colon"]),
        ({**TOKEN, **ACCESS}, ["More than one", "credentials[1]", "keep one"]),
        ({**OAUTH, "oauth_grant": "password"}, ["credentials[1].oauth_grant", "client_cred"]),
        ({**ACCESS, "acess_token": "hush"}, ["credentials[1]", "acess_token"]),
        ({**ACCESS, "api_url": "https://hush"}, ["credentials[1]", "api_url"]),
        ({"access_token": 5}, ["credentials[1].access_token", "string"]),
        ({**ACCESS, "workspaces": "acme"}, ["credentials[1].workspaces", "array"]),
        ("hush", ["credentials[1]", "object"]),
    ],
)
def test_a_mistake_names_its_place(wrong: Any, words: list[str]) -> None:
    """What is wrong in one entry is said with the number of the entry and the setting's name."""
    said = sentence({"credentials": [{"email": "eve@acme.example", "api_token": "x"}, wrong]})
    for word in words:
        assert word in said, said


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"credentials": [{**TOKEN, "name": "one"}, {**ACCESS, "name": " one "}]}, ["'one'"]),
        ({"credentials": [OAUTH, {**OAUTH, "refresh_token": "hush-2"}]}, ["client_id", "name"]),
        ({"credentials": [OAUTH, BY_CLIENT]}, ["client_id", "name"]),
        ({"credentials": [TOKEN], "access_token": "hush"}, ["access_token set", "credentials"]),
        ({"credentials": [TOKEN], **TOKEN}, ["email and api_token set", "credentials"]),
        ({"credentials": [TOKEN], "refresh_token": "hush"}, ["refresh_token set", "credentials"]),
        (
            {"credentials": [{**TOKEN, "workspaces": ["acme"]}], "workspaces": ["acme", "beta"]},
            ["'beta'", "workspaces"],
        ),
        ({"credentials": TOKEN}, ["credentials", "array"]),
    ],
)
def test_mistakes_of_the_whole_list(config: dict[str, Any], words: list[str]) -> None:
    """What is wrong with the entries together is said in one line without secrets, too."""
    said = sentence(config)
    for word in words:
        assert word in said, said


def test_two_entries_with_one_token_file(tmp_path: Path) -> None:
    """Two OAuth consumers that name the same token file would take it from each other."""
    place = {"token_file": str(tmp_path / "tokens.json")}
    said = sentence({"credentials": [{**OAUTH, **place}, {**OAUTH, "client_id": "other", **place}]})
    assert "token_file" in said
    assert "credentials[1]" in said


def test_an_empty_list_is_no_list() -> None:
    """With an empty list the one credential beside it counts."""
    (one,) = credentials_from({"credentials": [], **TOKEN})
    assert one.name == "API token of ann@acme.example"


def test_kinds_may_be_mixed() -> None:
    """Each entry has a kind of its own, a name that says which it is, and its workspaces."""
    entries = [
        {**TOKEN, "workspaces": ["acme"]},
        {**ACCESS, "name": "robot"},
        OAUTH,
        {**BY_CLIENT, "client_id": "other", "workspaces": ["beta", "{1-2}"]},
    ]
    found = credentials_from({"credentials": entries, "oauth_grant": "refresh_token"})
    assert [one.workspaces for one in found] == [("acme",), (), (), ("beta", "{1-2}")]
    assert found[0].name == "API token of ann@acme.example"
    assert found[1].name == "robot"
    assert len({one.name for one in found}) == 4
    assert not any("hush" in one.name for one in found)
    assert [one.consumer is not None for one in found] == [False, False, True, True]


def test_what_is_counted_together() -> None:
    """A user's API tokens and a consumer's users share an allowance; all others have their own."""
    entries = [
        {**TOKEN, "name": "1"},
        {**TOKEN, "email": "Ann@Acme.example", "api_token": "other", "name": "2"},
        {**TOKEN, "email": "bob@acme.example"},
        ACCESS,
        {"access_token": "another"},
        {**OAUTH, "name": "3"},
        {**BY_CLIENT, "name": "4"},
        {**OAUTH, "client_id": "other"},
    ]
    found = [one.authenticator.allowance for one in credentials_from({"credentials": entries})]
    assert found[0] == found[1]
    assert found[5] == found[6]
    assert len(set(found)) == 6
    assert not any("hush" in allowance for allowance in found)


# -- token files --------------------------------------------------------------------------------


@pytest.fixture
def second(consumer: Consumer) -> tuple[str, str]:
    """Register a second consumer."""
    consumer.world.identities.add_oauth_consumer(
        *SECOND, workspace=consumer.world.workspace("acme")
    )
    return SECOND


def seed_of(consumer: Consumer, client_id: str) -> str:
    """Return a refresh token of a consumer for Ann."""
    return consumer.oauth.issue_refresh_token(client_id, next(iter(consumer.world.users.values())))


def entries_of(consumer: Consumer) -> list[dict[str, Any]]:
    """Return two users of one consumer, and a second consumer."""
    first = {"client_id": consumer.client_id, "client_secret": consumer.client_secret}
    return [
        {**first, "name": "Ann A", "refresh_token": consumer.fresh_seed},
        {**first, "name": "Ann-A", "refresh_token": consumer.fresh_seed},
        {
            "client_id": SECOND[0],
            "client_secret": SECOND[1],
            "refresh_token": seed_of(consumer, SECOND[0]),
        },
    ]


def signed(
    consumer: Consumer, config: dict[str, Any], path: Path | None = None
) -> list[Credential]:
    """Return the credentials of a new run."""
    return credentials_from(
        {"oauth_token_url": consumer.server.oauth_token_url, **config},
        config_file=path,
        clock=consumer.clock,
        sleep=consumer.clock.sleep,
    )


def places(credentials: list[Credential]) -> list[str]:
    """Return where the tokens are kept."""
    found = []
    for one in credentials:
        assert one.consumer is not None
        assert one.consumer.store is not None
        found.append(one.consumer.store.place)
    return found


@pytest.mark.parametrize("place", ["top", "none", "config", "own"])
def test_tokens_are_kept_apart(
    consumer: Consumer, second: tuple[str, str], tmp_path: Path, state_home: Path, place: str
) -> None:
    """Each entry has a file of its own, wherever they are, and goes on with it in the next run."""
    assert second
    config: dict[str, Any] = {"credentials": entries_of(consumer)}
    path = None
    folder = {"none": state_home}.get(place, tmp_path)
    if place == "top":
        config["token_file"] = str(tmp_path / "tokens.json")
    elif place == "own":
        for number, entry in enumerate(config["credentials"]):
            entry["token_file"] = str(tmp_path / f"own{number}.json")
        config["token_file"] = str(tmp_path / "not-this.json")
    elif place == "config":
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
    made = signed(consumer, config, path)
    assert len(set(places(made))) == 3
    assert {Path(kept).parent for kept in places(made)} == {folder}
    if place == "own":
        assert sorted(Path(kept).name for kept in places(made)) == [
            "own0.json",
            "own1.json",
            "own2.json",
        ]
    headers = [one.authenticator.authorization() for one in made]
    assert len(set(headers)) == 3
    assert all(Path(kept).stat().st_mode & 0o777 == 0o600 for kept in places(made))
    for _ in range(2):
        consumer.clock.now += HOUR
        again = signed(consumer, config, path)
        assert places(again) == places(made)
        assert [one.authenticator.authorization() for one in again] == headers
        consumer.clock.now += 5 * HOUR
        headers = [one.authenticator.authorization() for one in signed(consumer, config, path)]
        assert all(consumer.accepts(header) for header in headers)
    assert consumer.oauth.refreshes == 9
    assert consumer.oauth.dead_presented == 0


def test_a_named_entry_keeps_its_place_in_another_order(
    consumer: Consumer, second: tuple[str, str], tmp_path: Path
) -> None:
    """Entries that are put into another order find their tokens again."""
    assert second
    entries = entries_of(consumer)
    config = {"credentials": entries, "token_file": str(tmp_path / "tokens.json")}
    before = places(signed(consumer, config))
    config["credentials"] = entries[::-1]
    assert places(signed(consumer, config)) == before[::-1]


# -- the configuration file ---------------------------------------------------------------------

ODD = (
    '\r\n{"z":1e3 ,\t"credentials" : [ {"name":"Ann \\u0041", "client_id":"acme-tap",'
    '"client_secret":"secret of acme", "refresh\\u005ftoken"  :\r\n  "<0>" , "workspaces":["a"]},'
    '\n{"email":"x","refresh_token_note":"<1>","api_token":"[\\"{"},{"name":"Ann-A","refresh_token":'
    '"<1>","client_id":"acme-tap","client_secret":"secret of acme"}  ,{"refresh_token" : "<2>",'
    '"client_id":"second-tap","client_secret":"secret of second"}],"refresh_tokens":["<0>"],'
    '"x":[{"refresh_token":"<2>"}]}\r\n'
)


def test_each_seed_is_written_back_in_its_place(
    consumer: Consumer, second: tuple[str, str], tmp_path: Path
) -> None:
    """Each rotated token stands where its own seed stood, and no other byte of the file moves."""
    assert second
    seeds = [consumer.fresh_seed, consumer.fresh_seed, seed_of(consumer, SECOND[0])]
    text = ODD
    for number, seed in enumerate(seeds):
        text = text.replace(f"<{number}>", seed)
    path = tmp_path / "config.json"
    path.write_bytes(text.encode())
    path.chmod(0o640 if os.name == "nt" else 0o600)
    # The places of the three seeds by their neighbours, not by the code under test.
    marks = [
        ('token"  :\r\n  "', '" , "workspaces"'),
        ('"Ann-A","refresh_token":"', '","client_id"'),
        ('{"refresh_token" : "', '","client_id":"second-tap"'),
    ]
    marks[0] = ('refresh\\u005ftoken"  :\r\n  "', '" , "workspaces"')
    for _ in range(3):
        made = signed(consumer, json.loads(path.read_text()), path)
        oauth = [one for one in made if one.consumer is not None]
        assert all(consumer.accepts(one.authenticator.authorization()) for one in oauth)
        expected = text
        for (before, after), seed, place in zip(marks, seeds, places(oauth), strict=True):
            kept = json.loads(Path(place).read_text())["refresh_token"]
            assert kept != seed
            assert expected.count(before + seed + after) == 1
            expected = expected.replace(before + seed + after, before + kept + after)
        assert path.read_bytes().decode() == expected
        consumer.clock.now += 5 * HOUR
    assert consumer.oauth.dead_presented == 0


def test_two_write_back_at_once(
    consumer: Consumer,
    second: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two entries that refresh at the same moment both find their token in the file."""
    assert second
    config = {"credentials": entries_of(consumer)}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    made = signed(consumer, config, path)
    meeting = threading.Barrier(len(made))
    replace = module.ConfigFile._replace

    def met(*what: Any) -> None:
        # All have read the file before the first of them replaces it, unless they take turns.
        try:
            meeting.wait(0.3)
        except threading.BrokenBarrierError:
            meeting.abort()
        replace(*what)

    monkeypatch.setattr(module.ConfigFile, "_replace", met)
    with ThreadPoolExecutor(len(made)) as pool:
        list(pool.map(lambda one: one.authenticator.authorization(), made))
    kept = [json.loads(Path(place).read_text())["refresh_token"] for place in places(made)]
    written = [entry["refresh_token"] for entry in json.loads(path.read_text())["credentials"]]
    assert written == kept


def test_a_lost_token_file(consumer: Consumer, second: tuple[str, str], tmp_path: Path) -> None:
    """The configuration alone is enough to go on for every entry."""
    assert second
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credentials": entries_of(consumer)}))
    path.chmod(0o600)
    made = signed(consumer, json.loads(path.read_text()), path)
    for one, place in zip(made, places(made), strict=True):
        one.authenticator.authorization()
        Path(place).unlink()
    consumer.clock.now += 5 * HOUR
    for one in signed(consumer, json.loads(path.read_text()), path):
        assert consumer.accepts(one.authenticator.authorization())
    assert consumer.oauth.dead_presented == 0
