"""Tokens carried from one machine to another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tap_bitbucket.auth.encryption import TokenCipher
from tests.login.conftest import CLIENT_ID, CLIENT_SECRET, Person
from tests.support import Run, refusal


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return path.stat().st_mode & 0o777


@pytest.fixture
def other(person: Person, tmp_path: Path) -> Person:
    """The same person at another machine."""
    return replace(person, home=tmp_path / "other", said=person.said, secrets=person.secrets)


@pytest.fixture
def parcel(person: Person, tmp_path: Path) -> Path:
    """Where the parcel goes, of somebody who is signed in."""
    person.sign_in()
    return tmp_path / "tokens.parcel"


def exported(person: Person, parcel: Path, *arguments: str | Path) -> Run:
    """Export, and take note of the key."""
    run = person.auth("export", parcel, *arguments)
    assert run.code == 0, run.log
    for file in parcel.parent.glob("*.key"):
        person.secrets.add(file.read_text().strip())
    return run


def test_there_and_back(person: Person, other: Person, parcel: Path) -> None:
    """What is exported here is kept there: encrypted on the way, and refreshed on from there."""
    run = exported(person, parcel)
    key = parcel.with_name("tokens.parcel.key")
    assert (mode(parcel), mode(key)) == (0o600, 0o600)
    content = parcel.read_text() + key.read_text()
    assert [one for one in person.all_secrets() if one in parcel.read_text()] == []
    assert person.kept()["refresh_token"] not in content
    assert str(parcel) in run.lines[0]
    assert str(key) in run.lines[1]
    assert "by another way" in run.lines[1]
    assert "Only one machine" in run.lines[2]
    taken = other.auth("import", parcel)
    assert taken.code == 0, taken.log
    assert taken.log == ""
    assert other.kept() == person.kept()
    assert str(other.token_files()[0]) in taken.lines[0]
    assert "Scopes: account, pullrequest, repository" in taken.lines
    assert f"Delete {parcel} and {key} now" in taken.lines
    assert other.auth("refresh").code == 0


def test_move(person: Person, other: Person, parcel: Path) -> None:
    """With --move the tokens are no longer here once they are in the file."""
    run = exported(person, parcel, "--move")
    assert person.token_files() == []
    assert not any("Only one machine" in line for line in run.lines)
    assert run.lines[-1].startswith("Moved:")
    assert other.auth("import", parcel).code == 0
    assert other.kept()["refresh_token"] in person.oauth.refresh_tokens
    assert "no refresh token" in refusal(person.auth("refresh"))


def test_move_of_a_file(person: Person, other: Person, tmp_path: Path) -> None:
    """With --move the refresh token of the configuration goes, too, and that is said."""
    user = next(iter(person.world.users.values()))
    file = person.config(refresh_token=person.oauth.issue_refresh_token(CLIENT_ID, user))
    assert person.auth("refresh", "--config", file).code == 0
    run = exported(person, tmp_path / "tokens.parcel", "--move", "--config", file)
    assert json.loads(file.read_text())["refresh_token"] == ""
    assert f"Emptied: refresh_token in {file}" in run.lines
    assert other.auth("import", tmp_path / "tokens.parcel").code == 0


def test_a_move_that_fails_moves_nothing(person: Person, parcel: Path, tmp_path: Path) -> None:
    """Where the file cannot be written, the tokens stay, and no key is left."""
    target = tmp_path / "no-folder" / "tokens"
    assert "Cannot write" in refusal(person.auth("export", target, "--move"))
    key_file = tmp_path / "some.key"
    assert "Cannot write" in refusal(
        person.auth("export", target, "--move", "--key-file", key_file)
    )
    assert person.token_files()
    assert not key_file.exists()
    assert not parcel.exists()


def test_a_move_takes_the_latest(person: Person, other: Person, parcel: Path) -> None:
    """Tokens that a run renewed while they were written are written again before they go."""
    from tap_bitbucket.login import parcel as parcels  # noqa: PLC0415 - to be interrupted

    write = parcels.seal
    renewals: list[int] = []

    def renew_after(*given: object, **named: bool) -> None:
        write(*given, **named)  # type: ignore[arg-type]
        if not renewals:
            renewals.append(person.auth("refresh").code)

    person.monkeypatch.setattr(parcels, "seal", renew_after)
    exported(person, parcel, "--move")
    assert renewals == [0]
    person.monkeypatch.setattr(parcels, "seal", write)
    assert other.auth("import", parcel).code == 0
    latest = list(person.oauth.refresh_tokens)[-1]
    assert other.kept()["refresh_token"] == latest


def test_nothing_is_overwritten(person: Person, parcel: Path) -> None:
    """A file that exists, be it the parcel's or its key's, stays unless --force is given."""
    key = parcel.with_name("tokens.parcel.key")
    for taken in (parcel, key):
        taken.write_text("mine")
        said = refusal(person.auth("export", parcel))
        assert said.startswith(f"{taken} exists")
        assert "--force" in said
        assert taken.read_text() == "mine"
        assert not ({parcel, key} - {taken}).pop().exists()
        taken.unlink()
    parcel.write_text("mine")
    parcel.chmod(0o644)
    exported(person, parcel, "--force")
    assert mode(parcel) == 0o600
    assert "mine" not in parcel.read_text()


def test_key_file(person: Person, other: Person, parcel: Path, tmp_path: Path) -> None:
    """A key file is made if it is missing, and used if it is there; others' eyes are a warning."""
    key = tmp_path / "my.key"
    exported(person, parcel, "--key-file", key)
    assert mode(key) == 0o600
    value = key.read_text()
    second = tmp_path / "second"
    assert exported(person, second, "--key-file", key).log == ""
    assert key.read_text() == value
    assert not tmp_path.joinpath("second.key").exists()
    key.chmod(0o644)
    parcel.chmod(0o640)
    run = other.auth("import", parcel, "--key-file", key)
    assert run.code == 0, run.log
    for file in (key, parcel):
        assert f"Others may read {file}: chmod 600 {file}" in run.log


def test_key_of_the_settings(person: Person, other: Person, parcel: Path) -> None:
    """With token_encryption_key no other key is made, and the other machine needs the same."""
    key = person.auth("key", "--show-secret", shows=True).lines[0]
    person.secrets.add(key)
    run = person.auth("export", parcel, token_encryption_key=key)
    assert run.code == 0, run.log
    assert "the setting token_encryption_key" in run.lines[1]
    assert list(parcel.parent.glob("*.key")) == []
    said = refusal(other.auth("import", parcel))
    assert said.startswith(f"There is no key for {parcel}")
    taken = other.auth("import", parcel, token_encryption_key=key)
    assert taken.code == 0, taken.log
    assert "hush" not in "".join(taken.lines)
    assert "encrypted" in other.kept()


def test_wrong_keys(person: Person, other: Person, parcel: Path, tmp_path: Path) -> None:
    """A key that is another, none, or missing is said; nothing is taken in."""
    exported(person, parcel)
    wrong = tmp_path / "wrong.key"
    another = person.auth("key", "--show-secret", shows=True).lines[0]
    person.secrets.add(another)
    cases = {
        another: f"The key in {wrong} does not open {parcel}",
        "n0-key-at-all": f"There is no key in {wrong}",
        "": f"There is no key in {wrong}",
    }
    for text, line in cases.items():
        wrong.write_text(text)
        wrong.chmod(0o600)
        said = refusal(other.auth("import", parcel, "--key-file", wrong))
        assert said.startswith(line)
        assert "n0-key-at-all" not in said
    missing = tmp_path / "missing.key"
    assert "Cannot read the key file" in refusal(
        other.auth("import", parcel, "--key-file", missing)
    )
    wrong.write_text("n0-key-at-all")
    assert "There is no key in" in refusal(
        person.auth("export", tmp_path / "second", "--key-file", wrong)
    )
    assert other.token_files() == []


def test_what_is_no_parcel(person: Person, other: Person, parcel: Path) -> None:
    """Another file, a parcel of another version, or one that was changed is not taken in."""
    exported(person, parcel)
    whole = parcel.read_text()
    cipher = TokenCipher(parcel.with_name("tokens.parcel.key").read_text().strip())
    tokens = person.kept()
    later = {"kind": "tap-bitbucket parcel", "version": 2, "tokens": tokens}
    strange = {"kind": "letter", "version": 1, "tokens": tokens}
    cases = {
        "hello": "is no file that",
        "[1]": "is no file that",
        json.dumps(tokens): "is no file that",
        cipher.encrypt(json.dumps(tokens)): "is no file that",
        cipher.encrypt(json.dumps(later)): "is no file that",
        cipher.encrypt(json.dumps(strange)): "is no file that",
        cipher.encrypt(json.dumps({**later, "version": 1, "tokens": {}})): "is no file that",
        cipher.encrypt("no JSON"): "is no file that",
        whole.replace("gAAAA", "gAAAB"): "does not open",
    }
    for text, line in cases.items():
        parcel.write_text(text)
        assert line in refusal(other.auth("import", parcel)), text
    parcel.write_bytes(b"\xff\xfe")
    assert "is no file that" in refusal(other.auth("import", parcel))
    parcel.unlink()
    assert "Cannot read the parcel" in refusal(other.auth("import", parcel))
    assert other.token_files() == []


def test_another_consumer(person: Person, other: Person, parcel: Path) -> None:
    """Tokens of another consumer are not taken in."""
    exported(person, parcel)
    person.world.identities.add_oauth_consumer("second", CLIENT_SECRET)
    said = refusal(other.auth("import", parcel, client_id="second"))
    assert "belong to another OAuth consumer" in said
    assert other.token_files() == []


def test_an_unwritable_place(person: Person, other: Person, parcel: Path) -> None:
    """Where the tokens cannot be kept, the parcel is not taken in and stays good."""
    exported(person, parcel)
    other.home.mkdir()
    (other.home / "state").write_text("in the way")
    assert "Cannot write token_file" in refusal(other.auth("import", parcel))
    (other.home / "state").unlink()
    assert other.auth("import", parcel).code == 0


def test_a_seed_that_goes_first(person: Person, other: Person, parcel: Path) -> None:
    """A refresh token in the settings that is not of what was imported is said to go first."""
    exported(person, parcel)
    user = next(iter(person.world.users.values()))
    seed = person.oauth.issue_refresh_token(CLIENT_ID, user)
    run = other.auth("import", parcel, refresh_token=seed)
    assert any("is another one, and goes first" in line for line in run.lines)
    run = other.auth("import", parcel, refresh_token=person.kept()["refresh_token"])
    assert not any("goes first" in line for line in run.lines)


def test_nothing_to_export(person: Person, tmp_path: Path) -> None:
    """Before a sign-in there is nothing to export, and no file is made."""
    said = refusal(person.auth("export", tmp_path / "tokens"))
    assert "tap-bitbucket auth login" in said
    assert list(tmp_path.glob("tokens*")) == []


def test_a_new_key(person: Person) -> None:
    """`auth key` prints a key only when it is told to."""
    assert "--show-secret" in refusal(person.auth("key"))
    run = person.auth("key", "--show-secret", shows=True)
    (key,) = run.lines
    assert TokenCipher(key).encrypt("x")
    assert key != person.auth("key", "--show-secret", shows=True).lines[0]
