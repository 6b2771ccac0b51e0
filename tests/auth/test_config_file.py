"""The rotated refresh token goes back into the configuration it came from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.config_file import ConfigFile, string_span
from tests.auth.conftest import HOUR, Consumer


def written(consumer: Consumer, path: Path, form: str) -> str:
    """Write a configuration in a form of its own; return the refresh token in it."""
    seed = consumer.fresh_seed
    text = form
    for name, value in consumer.settings(token_file=None, refresh_token=seed).items():
        text = text.replace(f"<{name}>", value)
    path.write_bytes(text.encode())
    path.chmod(0o600)
    return seed


PLAIN = """{
    "client_id": "<client_id>", "client_secret": "<client_secret>",
    "refresh_token": "<refresh_token>",
    "oauth_token_url": "<oauth_token_url>"
}
"""
ODD = (
    '\r\n{"z":1e3 ,\t"nested": {"refresh_token": "<refresh_token>", "q": "a\\"}{"},\r\n'
    '"client_id":"<client_id>","client_secret" : "<client_secret>" , "refresh\\u005ftoken"  :\r\n'
    '  "<refresh_token>"  ,"workspaces":["\\u00e4","ä", []],"oauth_token_url":"<oauth_token_url>",'
    '"n":{},"refresh_token_note":"<refresh_token>"}'
)


def run(consumer: Consumer, path: Path) -> str:
    """Sign as a run with this --config file does, and refresh."""
    made = consumer.sign(**json.loads(path.read_text()) | {"token_file": None}, config_file=path)
    return made.authorization()


@pytest.mark.parametrize("form", [PLAIN, ODD])
def test_everything_else_stays(consumer: Consumer, tmp_path: Path, form: str) -> None:
    """Only the value of `refresh_token` changes, byte for byte, at each rotation."""
    path = tmp_path / "config.json"
    seed = written(consumer, path, form)
    before = path.read_bytes().decode()
    span = string_span(before, ("refresh_token",))
    assert span is not None
    for _ in range(3):
        assert consumer.accepts(run(consumer, path))
        kept = consumer.kept(tmp_path / "config.token.json")["refresh_token"]
        expected = before[: span[0]] + json.dumps(kept) + before[span[1] :]
        assert path.read_bytes() == expected.encode()
        assert kept != seed
        consumer.clock.now += 5 * HOUR
    assert consumer.oauth.refreshes == 3


def test_the_token_written_back_is_no_new_seed(consumer: Consumer, tmp_path: Path) -> None:
    """A run that finds the rotated token in its configuration shares the access token."""
    path = tmp_path / "config.json"
    written(consumer, path, PLAIN)
    assert run(consumer, path) == run(consumer, path)
    assert consumer.oauth.refreshes == 1


def test_mode_stays(consumer: Consumer, tmp_path: Path) -> None:
    """The file keeps its mode."""
    path = tmp_path / "config.json"
    seed = written(consumer, path, PLAIN)
    path.chmod(0o700)
    run(consumer, path)
    assert path.stat().st_mode & 0o777 == 0o700 or os.name == "nt"
    assert seed not in path.read_text()


def test_a_link_stays_a_link(consumer: Consumer, tmp_path: Path) -> None:
    """A linked configuration is changed where it is, and the tokens live beside it there."""
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "config.json", tmp_path / "config.json"
    seed = written(consumer, target, PLAIN)
    link.symlink_to(Path("real") / "config.json")
    run(consumer, link)
    assert link.is_symlink()
    assert seed not in target.read_text()
    assert (tmp_path / "real" / "config.token.json").exists()


def test_a_lost_token_file(consumer: Consumer, tmp_path: Path) -> None:
    """The configuration alone is enough to go on, should the token file get lost."""
    path = tmp_path / "config.json"
    written(consumer, path, PLAIN)
    run(consumer, path)
    (tmp_path / "config.token.json").unlink()
    consumer.clock.now += 5 * HOUR
    assert consumer.accepts(run(consumer, path))
    assert consumer.oauth.dead_presented == 0


def test_others_may_read_it(
    consumer: Consumer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A configuration others may read gets no new secret, one warning, and loses nothing."""
    path = tmp_path / "config.json"
    seed = written(consumer, path, PLAIN)
    path.chmod(0o644)
    before = path.read_bytes()
    made = consumer.sign(**json.loads(before) | {"token_file": None}, config_file=path)
    made.authorization()
    consumer.clock.now += 5 * HOUR
    assert consumer.accepts(made.authorization())
    assert path.read_bytes() == before
    assert consumer.kept(tmp_path / "config.token.json")["refresh_token"] != seed
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert f"chmod 600 {path}" in warnings[0]


def test_a_token_put_there_meanwhile_stays(consumer: Consumer, tmp_path: Path) -> None:
    """A refresh token somebody put into the file during a run is kept for the next one."""
    path = tmp_path / "config.json"
    seed = written(consumer, path, PLAIN)
    made = consumer.sign(**json.loads(path.read_text()) | {"token_file": None}, config_file=path)
    newer = consumer.fresh_seed
    path.write_text(path.read_text().replace(seed, newer))
    made.authorization()
    assert json.loads(path.read_text())["refresh_token"] == newer
    run(consumer, path)
    assert consumer.oauth.refresh_tokens[newer].used is not None


def test_not_when_a_token_file_is_named(consumer: Consumer, tmp_path: Path) -> None:
    """With `token_file` set, the configuration is only read."""
    path = tmp_path / "config.json"
    seed = written(consumer, path, PLAIN)
    consumer.sign(refresh_token=seed, config_file=path).authorization()
    assert seed in path.read_text()
    assert consumer.token_file.exists()


@pytest.mark.parametrize("folder", [".meltano/run/tap-bitbucket", ".meltano/run/elt/acme/1"])
def test_meltano(
    consumer: Consumer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Nothing is kept beside the configuration that Meltano deletes after the run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sys.platform", "linux")
    path = tmp_path / folder / "tap.0192.config.json"
    path.parent.mkdir(parents=True)
    seed = written(consumer, path, PLAIN)
    run(consumer, path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert len(list((tmp_path / "state" / "tap-bitbucket").glob("*.json"))) == 1
    assert seed in path.read_text()


def test_the_token_from_elsewhere(
    consumer: Consumer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration without the refresh token (it came from the environment) is left alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sys.platform", "linux")
    path = tmp_path / "config.json"
    path.write_text("{}")
    consumer.sign(
        refresh_token=consumer.fresh_seed, token_file=None, config_file=path
    ).authorization()
    assert path.read_text() == "{}"
    assert not (tmp_path / "config.token.json").exists()


def test_token_file_is_the_config_file(consumer: Consumer, tmp_path: Path) -> None:
    """The configuration is never taken for a token file."""
    path = tmp_path / "config.json"
    seed = written(consumer, path, PLAIN)
    with pytest.raises(AuthenticationError, match="token_file is the --config file"):
        consumer.sign(refresh_token=seed, token_file=str(path), config_file=path)


def test_unwritable_is_a_warning(
    consumer: Consumer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A configuration that cannot be replaced costs a warning, not the run."""
    path = tmp_path / "config.json"
    written(consumer, path, PLAIN)
    (tmp_path / ".config.json.new").mkdir()
    assert consumer.accepts(run(consumer, path))
    assert "was not updated" in caplog.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"refresh_token":"a"}', "a"),
        (' {"x": {"refresh_token": "no"}, "refresh_token" : "a" } ', "a"),
        ('{"refresh_token":"first","refresh_token":"last"}', "last"),
        ('{"a":["refresh_token","b"],"refresh_token":"\\u0061\\n"}', "a\n"),
        ("{}", None),
        ("{ }", None),
        ('{"refresh_token":null}', None),
        ('{"refresh_token":["a"]}', None),
        ('{"refresh_token":""}', None),
        ('["refresh_token","a"]', None),
        ('"refresh_token"', None),
    ],
)
def test_where_the_value_is(text: str, value: str | None) -> None:
    """The value found in the text is the one a JSON reader finds."""
    span = string_span(text, ("refresh_token",))
    assert (span and json.loads(text[slice(*span)])) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"credentials":[{"refresh_token":"a"},{"x":[1],"refresh_token":"b"}]}', "b"),
        (' {"c":1, "credentials" : [ {} , { "refresh_token" : "b" } ] } ', "b"),
        ('{"credentials":[["refresh_token","a"],{"refresh_token":"b"},{}]}', "b"),
        ('{"credentials":[{"refresh_token":"a"}],"refresh_token":"c"}', None),
        ('{"credentials":{"1":{"refresh_token":"a"}}}', None),
        ('{"credentials":[]}', None),
        ('{"refresh_token":"c"}', None),
    ],
)
def test_where_the_value_of_one_of_several_is(text: str, value: str | None) -> None:
    """The token of the second credential is found, and no other is taken for it."""
    span = string_span(text, ("credentials", 1, "refresh_token"))
    assert (span and json.loads(text[slice(*span)])) == value


@pytest.mark.parametrize("text", ["", "{", '{"refresh_token": "a"', "client_id: yaml", "\xff"])
def test_no_json(tmp_path: Path, text: str) -> None:
    """A file that is not JSON carries no refresh token."""
    path = tmp_path / "config"
    path.write_bytes(text.encode("latin-1"))
    assert not ConfigFile(path).carries_refresh_token()
