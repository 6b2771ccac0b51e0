"""Tokens at rest are encrypted when there is a key, and the key may be set and changed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.encryption import TokenCipher, decrypted, encrypted, new_key
from tap_bitbucket.auth.token_file import TokenFile
from tap_bitbucket.auth.tokens import AccessToken, StoredTokens

KEY = "Yy6hB1k6nd1VVTG2Gs85lmoz4Y98OnMQdvnQpKMtqFY="
TOKENS = StoredTokens("client", "refresh-abc", AccessToken("access-xyz", 1.0, 2.0, "account"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a token file may be."""
    return tmp_path / "token.json"


def save(path: Path, cipher: TokenCipher | None) -> None:
    """Keep the tokens there."""
    store = TokenFile(path, cipher)
    with store.locked():
        store.save(TOKENS)


def test_there_and_back() -> None:
    """What was encrypted comes back, and nothing of it can be read in between."""
    cipher = TokenCipher(new_key())
    text = cipher.encrypt("refresh-abc ä")
    assert json.loads(text).keys() == {"version", "encrypted"}
    assert "refresh-abc" not in text
    assert cipher.encrypt("refresh-abc ä") != text
    assert cipher.decrypt(text, "here") == "refresh-abc ä"


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "secret-key",
        "cGFzc3dvcmQ=",
        "schlüssel-geheim",
        f"{KEY},",
        f"{KEY};{KEY}",
        KEY[:-1],
        KEY[4:],
        KEY.replace("h", "+"),
    ],
)
def test_no_key(keys: str) -> None:
    """What is no key is said to be none, without showing it, and how to come by one."""
    with pytest.raises(AuthenticationError, match="auth key --show-secret") as caught:
        TokenCipher(keys)
    said = str(caught.value)
    assert said.startswith("token_encryption_key is no key: set it to 32 bytes in URL-safe base64")
    assert "\n" not in said
    assert not keys or keys not in said
    assert caught.value.__context__ is None


def test_the_file_holds_no_token(path: Path) -> None:
    """The token file of a run with a key tells nothing but that it is encrypted."""
    cipher = TokenCipher(new_key())
    save(path, cipher)
    text = path.read_text()
    assert json.loads(text).keys() == {"version", "encrypted"}
    for secret in ("refresh-abc", "access-xyz", "account", "client"):
        assert secret not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TokenFile(path, cipher).load() == TOKENS


def test_a_key_set_later(path: Path) -> None:
    """Tokens kept before there was a key are read, and encrypted when next kept."""
    save(path, None)
    cipher = TokenCipher(new_key())
    assert TokenFile(path, cipher).load() == TOKENS
    assert "refresh-abc" in path.read_text()
    save(path, cipher)
    assert "refresh-abc" not in path.read_text()
    assert TokenFile(path, cipher).load() == TOKENS


def test_keys_change(path: Path) -> None:
    """The first of several keys encrypts and all of them decrypt."""
    old, new = new_key(), new_key()
    save(path, TokenCipher(old))
    both = TokenCipher(f"{new}, {old}")
    assert TokenFile(path, both).load() == TOKENS
    save(path, both)
    assert TokenFile(path, TokenCipher(new)).load() == TOKENS
    with pytest.raises(AuthenticationError):
        TokenFile(path, TokenCipher(old)).load()


def test_the_key_is_missing(path: Path) -> None:
    """Encrypted tokens without a key are said to be that, and stay."""
    save(path, TokenCipher(new_key()))
    before = path.read_text()
    message = f"token_file {path} is encrypted: set token_encryption_key to the key"
    with pytest.raises(AuthenticationError, match=message):
        TokenFile(path).load()
    assert path.read_text() == before


def test_another_key(path: Path) -> None:
    """A wrong key is said to be wrong, with the ways out, and shows nothing."""
    right, wrong = new_key(), new_key()
    save(path, TokenCipher(right))
    with pytest.raises(AuthenticationError, match="set the right one") as caught:
        TokenFile(path, TokenCipher(wrong)).load()
    said = str(caught.value)
    assert said.startswith(f"token_encryption_key is not the key that token_file {path} was")
    assert "`tap-bitbucket auth logout` and sign in again" in said
    assert wrong not in said
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("change", ["x" * 200, "", "ä"])
def test_tampered(change: str) -> None:
    """What was changed since it was encrypted is not taken for anything."""
    cipher = TokenCipher(new_key())
    text = json.dumps({"version": 1, "encrypted": change})
    with pytest.raises(AuthenticationError, match="is not the key that here was encrypted with"):
        decrypted(text, "here", cipher)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2, "encrypted": "a"}', '"a"'])
def test_something_else_is_left_to_its_reader(text: str) -> None:
    """What was not encrypted here comes back as it is."""
    assert decrypted(text, "here", TokenCipher(new_key())) == text
    assert decrypted(text, "here", None) == text


def test_without_a_key_nothing_is_encrypted() -> None:
    """Without a key the text is kept as it is."""
    assert encrypted("text", None) == "text"


@pytest.mark.parametrize("size", [0, 1, 100, 20_000])
def test_room_for_what_encryption_adds(
    path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Room is made for the encrypted tokens, which are longer than the tokens."""
    cipher = TokenCipher(new_key())
    reserved: list[int] = []
    store = TokenFile(path, cipher)
    monkeypatch.setattr(store._next, "reserve", reserved.append)
    store.reserve(size)
    assert reserved == [len(cipher.encrypt("a" * size))]
    assert reserved[0] > size
