"""The token file is private, replaced as a whole, and known to be writable before it matters."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.token_file import TokenFile
from tap_bitbucket.auth.tokens import AccessToken, StoredTokens
from tests.auth.conftest import HOUR, Consumer, Processes

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX modes")


@posix
def test_modes(consumer: Consumer) -> None:
    """The file and its lock are 0600, and a directory made for them is 0700, whatever the umask."""
    before = os.umask(0)
    try:
        consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    finally:
        os.umask(before)
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in consumer.token_file.parent.iterdir()
    }
    assert modes == {"token.json": 0o600, "token.json.lock": 0o600}
    assert consumer.token_file.parent.stat().st_mode & 0o777 == 0o700


def test_a_link_stays_a_link(consumer: Consumer, tmp_path: Path) -> None:
    """A token file that is a link is replaced where it points to."""
    target = tmp_path / "elsewhere" / "tokens"
    target.parent.mkdir()
    consumer.token_file.parent.mkdir()
    consumer.token_file.symlink_to(target)
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    made.rejected(made.authorization())
    assert consumer.token_file.is_symlink()
    assert consumer.kept(target)["refresh_token"]


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_others_may_read_it(consumer: Consumer, mode: int) -> None:
    """A file that others may read gets no secret; no refresh is spent to find out."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    consumer.token_file.chmod(mode)
    consumer.clock.now += 5 * HOUR
    with pytest.raises(AuthenticationError, match=f"chmod 600 {consumer.token_file}"):
        consumer.sign().authorization()
    assert consumer.oauth.refreshes == 1
    consumer.token_file.chmod(0o600)
    assert consumer.accepts(consumer.sign().authorization())


def test_no_directory_can_be_made(consumer: Consumer, tmp_path: Path) -> None:
    """A place where there can be no file is found out before the refresh token is spent."""
    (tmp_path / "file").write_text("")
    seed = consumer.fresh_seed
    with pytest.raises(AuthenticationError, match=r"token_file .*set token_file to a place"):
        consumer.sign(refresh_token=seed, token_file=str(tmp_path / "file" / "x")).authorization()
    assert consumer.server.requests == []


@posix
def test_no_room(consumer: Consumer, processes: Processes) -> None:
    """A file system that takes no more is found out before the refresh token is spent."""
    consumer.oauth.clock = time.time
    settings = consumer.settings(refresh_token=consumer.fresh_seed)
    (result,) = processes.run(settings, file_limit=10_000)
    assert "Cannot write token_file" in result["error"]
    assert consumer.server.requests == []
    assert not consumer.token_file.exists()
    (result,) = processes.run(settings)
    assert consumer.accepts(result["authorization"])


def test_no_right_to_write(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory on which nothing may be created is found out before the token is spent."""
    real = os.open

    def refuse(path: str, flags: int, *more: int, **others: int) -> int:
        if flags & os.O_CREAT and str(consumer.token_file.parent) in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *more, **others)

    made = consumer.sign(refresh_token=consumer.fresh_seed)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AuthenticationError, match=r"Permission denied.*set token_file"):
        made.authorization()
    assert consumer.server.requests == []


def test_a_living_token_needs_no_writing(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token file that can only be read will do for as long as its access token lives."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Read-only file system")

    made = consumer.sign()
    monkeypatch.setattr(os, "open", refuse)
    authorization = made.authorization()
    monkeypatch.undo()
    assert consumer.accepts(authorization)


def test_what_cannot_be_replaced_early_may_wait(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble with refreshing ahead is an error only when the access token has ended."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    first = made.authorization()
    consumer.clock.now += 7000

    def refuse(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", refuse)
    assert made.authorization() == first
    consumer.clock.now += 201
    with pytest.raises(AuthenticationError, match="No space left"):
        made.authorization()
    monkeypatch.undo()
    consumer.clock.now += 60
    assert consumer.accepts(made.authorization())


def test_a_failed_save_keeps_the_old_file(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the file cannot be put in place after all, the old one still works."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    made.authorization()
    before = consumer.token_file.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", refuse)
        assert not made.rejected(made.authorization())
    assert "Input/output error" in made.explain_rejection()
    assert consumer.token_file.read_bytes() == before
    assert len(list(consumer.token_file.parent.iterdir())) == 2
    assert consumer.accepts(consumer.sign().authorization())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"refresh_token": "a"}',
        '{"version": 2}',
        '{"version": 1, "client": "", "other": 1, "spent": [], "access": null, "refused": {}}',
        "\xff",
    ],
)
def test_something_else(consumer: Consumer, text: str) -> None:
    """A file that is something else is neither used nor overwritten, and the way out is named."""
    consumer.token_file.parent.mkdir()
    consumer.token_file.write_bytes(text.encode("latin-1"))
    consumer.token_file.chmod(0o600)
    with pytest.raises(AuthenticationError, match=r"not a token file.*move it away"):
        consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    assert consumer.token_file.read_bytes() == text.encode("latin-1")
    assert consumer.server.requests == []


def test_an_empty_file(consumer: Consumer) -> None:
    """An empty file is as good as none."""
    consumer.token_file.parent.mkdir()
    consumer.token_file.touch(mode=0o600)
    assert consumer.accepts(consumer.sign(refresh_token=consumer.fresh_seed).authorization())


def test_no_bare_secrets_but_the_tokens(consumer: Consumer) -> None:
    """The file holds the tokens in use; of the client secret and earlier tokens, fingerprints."""
    seed = consumer.fresh_seed
    made = consumer.sign(refresh_token=seed)
    made.rejected(made.authorization())
    text = consumer.token_file.read_text()
    assert seed not in text
    assert consumer.client_secret not in text
    assert len(json.loads(text)["spent"]) == 2


def test_what_is_remembered_is_bounded() -> None:
    """Hundreds of refreshes do not let the file grow without end."""
    kept = StoredTokens("client")
    for number in range(1000):
        access = AccessToken("a", 0.0, 1.0)
        kept = kept.rotated(f"r{number}", f"r{number + 1}", access, secret="s", seed="r0")
    assert len(kept.to_json()) < 10_000
    assert kept.knows("r0")
    assert kept.knows("r900")


def test_forget(consumer: Consumer) -> None:
    """What is forgotten is gone but for the lock, which others may be waiting for."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    store = TokenFile(consumer.token_file)
    for _ in range(2):
        with store.locked():
            store.forget()
        assert store.load() is None
        assert [path.name for path in consumer.token_file.parent.iterdir()] == ["token.json.lock"]


@posix
def test_forgotten_on_disk(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the file is gone outlives a power cut."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    directory = consumer.token_file.parent
    synced: list[bool] = []
    monkeypatch.setattr(
        *(os, "fsync"),
        lambda fd: synced.append(
            os.path.samestat(os.fstat(fd), directory.stat()) and not consumer.token_file.exists()
        ),
    )
    store = TokenFile(consumer.token_file)
    with store.locked():
        store.forget()
    assert synced == [True]


def test_what_cannot_be_forgotten(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be deleted is said to be there still."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    store = TokenFile(consumer.token_file)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with store.locked(), monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", refuse)
        with pytest.raises(AuthenticationError, match=r"Cannot write token_file .*Permission"):
            store.forget()
        broken.undo()
    assert store.load() is not None
