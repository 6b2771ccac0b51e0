"""What is kept after a sign-in: renewed by hand, and forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from tap_bitbucket.login.commands import auth
from tests.login.conftest import Person
from tests.support import refusal


def every_command() -> list[list[str]]:
    """Return all commands, and none."""
    return [[], *([name] for name in sorted(auth.commands))]


@pytest.mark.parametrize("command", every_command(), ids=lambda one: " ".join(one) or "auth")
def test_help(person: Person, command: list[str]) -> None:
    """Each command explains itself in whole sentences, needing no settings."""
    run = person.auth(*command, "--help")
    assert (run.code, run.log) == (0, "")
    assert run.lines[0].startswith("Usage: tap-bitbucket auth")
    sentences = " ".join(" ".join(run.lines[2:]).partition("Options:")[0].split())
    assert sentences.endswith("."), sentences
    assert len(sentences) > 60
    assert not any(line.endswith("...") for line in run.lines[1:])
    for option in auth.commands[command[0]].params if command else ():
        assert not isinstance(option, click.Option) or option.help, option.name


def test_without_a_command(person: Person) -> None:
    """`tap-bitbucket auth` alone tells what there is; a command that is none gets one line."""
    run = person.auth()
    assert run.code == 0
    for name in auth.commands:
        assert any(line.strip().startswith(name) for line in run.lines)
    assert "No such command 'sign-in'" in refusal(person.auth("sign-in"))
    assert "No such option" in refusal(person.auth("login", "--bowser"))


def test_settings_are_checked_as_for_a_run(person: Person) -> None:
    """A wrong setting, or file, is said in the words that a run of the tap has for it."""
    assert "'oauth_grant'" in refusal(person.auth("url", oauth_grant="magic"))
    assert "No credential is set" in refusal(person.auth("url", client_id=None, client_secret=None))
    missing = str(person.home / "missing.json")
    assert "missing.json' cannot be read" in refusal(person.auth("url", "--config", missing))


def test_a_file_instead_of_the_environment(person: Person) -> None:
    """A file given with --config is all that is read, unless ENV is given as well."""
    file = person.config(client_id=None)
    assert "client_id is not" in refusal(person.auth("url", "--config", file))
    person.monkeypatch.setenv("TAP_BITBUCKET_CLIENT_ID", "acme-tap")
    assert "client_id is not" in refusal(person.auth("url", "--config", file))
    run = person.auth("url", "--config", file, "--config", "ENV")
    assert run.code == 0, run.log


def test_refresh(person: Person) -> None:
    """`auth refresh` renews a token that is not due, and says until when the new one holds."""
    person.sign_in()
    before = person.kept()
    run = person.auth("refresh")
    assert run.code == 0, run.log
    after = person.kept()
    assert after["access"]["value"] != before["access"]["value"]
    assert after["refresh_token"] != before["refresh_token"]
    assert run.lines[0].startswith("Renewed for OAuth consumer acme…")
    assert "the access token ends at" in run.lines[1]
    assert "(in 2 h)" in run.lines[1]
    run = person.auth("refresh", "--show-secrets", shows=True)
    (line,) = run.lines
    assert json.loads(line)["refresh_token"] == person.kept()["refresh_token"]
    person.heard(run.log)


def test_refresh_without_a_sign_in(person: Person) -> None:
    """`auth refresh` before any sign-in says so."""
    said = refusal(person.auth("refresh"))
    assert "no refresh token" in said
    assert "tap-bitbucket auth login" in said


def test_logout(person: Person) -> None:
    """`auth logout` removes the tokens, and says what goes on at Bitbucket; then there is none."""
    person.sign_in()
    (file,) = person.token_files()
    run = person.auth("logout")
    assert run.code == 0, run.log
    assert person.token_files() == []
    text = "\n".join(run.lines)
    assert str(file) in run.lines[0]
    assert "accepts the access token until it ends, at" in text
    assert "App authorizations" in text
    again = person.auth("logout")
    assert again.code == 0
    assert again.lines[0].startswith("There was nothing to forget")
    assert "no refresh token" in refusal(person.auth("refresh"))


def test_logout_of_a_file(person: Person) -> None:
    """`auth logout` empties refresh_token in the configuration; every other byte stays."""
    user = next(iter(person.world.users.values()))
    seed = person.oauth.issue_refresh_token("acme-tap", user)
    file = person.config(refresh_token=seed)
    assert person.auth("refresh", "--config", file).code == 0
    token = json.loads(file.read_text())["refresh_token"]
    assert token != seed
    before = file.read_text()
    run = person.auth("logout", "--config", file)
    assert run.code == 0, run.log
    assert file.read_text() == before.replace(token, "")
    assert any(line.startswith(f"Emptied: refresh_token in {file}") for line in run.lines)
    assert not file.with_suffix(".token.json").exists()
    assert person.auth("logout", "--config", file).lines[0].startswith("There was nothing")


def test_logout_with_a_token_in_the_environment(person: Person) -> None:
    """A refresh token that cannot be removed from here is named."""
    run = person.auth("logout", refresh_token="not-of-here")
    assert run.code == 0, run.log
    assert any("refresh_token remains in the settings" in line for line in run.lines)


def test_logout_of_what_cannot_be_read(person: Person) -> None:
    """What is kept can be forgotten also when its key is lost."""
    key = person.auth("key", "--show-secret", shows=True).lines[0]
    person.secrets.add(key)
    person.sign_in(token_encryption_key=key)
    assert "is encrypted" in refusal(person.auth("refresh"))
    run = person.auth("logout")
    assert run.code == 0, run.log
    assert "could not be read" in run.log
    assert person.token_files() == []


def test_a_folder_of_someone_else(person: Person) -> None:
    """What cannot be read is said before anybody is sent to Bitbucket."""
    person.home.mkdir()
    Path(person.home / "state").write_text("in the way")
    assert "Cannot read token_file" in refusal(person.auth("login", "--timeout", "1"))
    assert not person.opened.exists()
