"""What the tap writes is for its user's eyes alone, and lands where its user wants it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.auth import (
    AuthenticationError,
    atomic_file,
    authenticators_from,
    credentials_from,
)
from tap_bitbucket.auth.sign_in import SignIn
from tap_bitbucket.demo import Fault
from tap_bitbucket.http.sharing import _place
from tap_bitbucket.login import parcel
from tests.catalogs import only
from tests.security.conftest import STREAMS, Bitbucket
from tests.support import PROJECT, Run, command, lines_of, run_here

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX modes")


def limit() -> Fault:
    """Return something that runs tell each other."""
    return Fault("/refs/branches", status=429, headers={"Retry-After": "1"})


def run(line: list[str], home: Path, **environment: str) -> Run:
    """Run a command in an empty home, where everything may be read by all unless it is told."""
    for name in ("work", "tmp"):
        (home / name).mkdir(exist_ok=True)
    made = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        **environment,
    }
    ended = subprocess.run(
        line,
        env=made,
        cwd=home / "work",
        umask=0,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Run(ended.returncode, lines_of(ended.stdout), ended.stderr)


def modes(folder: Path, given: set[Path]) -> dict[str, str]:
    """Return the modes of all that was made in a folder."""
    return {
        str(path.relative_to(folder)): oct(path.lstat().st_mode & 0o777)
        for path in sorted(folder.rglob("*"))
        if path not in given
    }


def holding(bitbucket: Bitbucket, folder: Path, given: set[Path]) -> list[str]:
    """Return the files made in a folder that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file() and path not in given]
    return [
        str(path.relative_to(folder)) for path in files if bitbucket.found_in(path.read_bytes())
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Make an empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("place", ["state directory", "token_file", "config file"])
def test_all_that_a_run_leaves(
    bitbucket: Bitbucket, catalog: dict[str, Any], home: Path, place: str
) -> None:
    """Under umask 0 all is private; only the token file holds a secret, and nothing is beside it.

    Where the seed is in the config file, that is the other place that holds the current one.
    """
    settings = bitbucket.settings(token_file=str(home / "a" / "b" / "tokens"))
    if place != "token_file":
        del settings["token_file"]
    inputs = home / "inputs"
    inputs.mkdir()
    seed = settings.pop("refresh_token") if place != "config file" else None
    environment = {"TAP_BITBUCKET_REFRESH_TOKEN": seed, "LOGLEVEL": "DEBUG"} if seed else {}
    bitbucket.server.faults.add(limit())
    line = command(settings, inputs, catalog=only(catalog, *STREAMS))
    if seed:
        line.append("--config=ENV")
    given = {home / "work", home / "tmp", *inputs.rglob("*"), inputs}
    ended = run(line, home, **environment)
    assert ended.code == 0, ended.log
    assert bitbucket.found_in(ended.log, *ended.lines) == []
    assert ("urllib3" in ended.log) == (seed is not None)  # all libraries speak at DEBUG
    found = modes(home, given)
    where = {
        "state directory": ".local/state/tap-bitbucket/",
        "token_file": "a/b/",
        "config file": "inputs/",
    }[place]
    files = {name.removeprefix(where): mode for name, mode in found.items() if where in name}
    assert set(files.values()) == {"0o600"}
    names = {re.sub(r"[0-9a-f]{12,}", "*", name) for name in files}
    token = {
        "state directory": "*.json",
        "token_file": "tokens",
        "config file": "config.token.json",
    }
    assert names == {token[place], f"{token[place]}.lock", "budget-*.json", "budget-*.json.lock"}
    folders = {mode for name, mode in found.items() if (home / name).is_dir()}
    assert folders <= {"0o700"}
    assert len(holding(bitbucket, home, given)) == 1
    assert list((home / "tmp").iterdir()) == []
    assert list((home / "work").iterdir()) == []
    if place == "config file":
        written = json.loads((inputs / "config.json").read_text())
        assert written["refresh_token"] != bitbucket.keys.refresh_token
        assert (inputs / "config.json").stat().st_mode & 0o777 == 0o600


def test_all_that_exporting_leaves(bitbucket: Bitbucket, home: Path) -> None:
    """An exported parcel and its key are private; the parcel holds no secret that can be read."""
    settings = bitbucket.settings(token_file=str(home / "tokens" / "token.json"))
    config = home / "config.json"
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    authenticators_from(settings)[0].authorization()
    words = ["auth", "export", str(home / "parcel"), "--move", "--config", str(config)]
    ended = run([sys.executable, "-m", "tap_bitbucket", *words], home)
    assert ended.code == 0, ended.log
    assert bitbucket.found_in(ended.log, *ended.lines) == []
    found = modes(home, {home / "work", home / "tmp", config})
    assert {mode for name, mode in found.items() if (home / name).is_file()} == {"0o600"}
    assert {"parcel", "parcel.key", "tokens/token.json.lock"} <= found.keys()
    assert "tokens/token.json" not in found
    assert holding(bitbucket, home, {config}) == []
    assert list((home / "tmp").iterdir()) == []


# -- a folder that all may write to ---------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Make a folder like /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """Have a file that nobody is to write to."""
    file = tmp_path / "victim"
    file.write_text("precious\n")
    file.chmod(0o600)
    yield file
    assert file.read_text() == "precious\n"
    assert not file.is_symlink()


@pytest.mark.parametrize(
    "name", ["token.json.lock", ".token.json.new", "{budget}", "{budget}.lock"]
)
def test_links_beside_the_token_file(
    bitbucket: Bitbucket, catalog: dict[str, Any], shared: Path, victim: Path, name: str
) -> None:
    """A link that somebody left under a name the tap uses beside its file leads to no other."""
    few = only(catalog, *STREAMS)
    settings = bitbucket.settings(token_file=str(shared / "token.json"))
    (credential,) = credentials_from(settings)
    name = name.replace("{budget}", Path(_place(settings, credential, 0).name).name)
    (shared / name).symlink_to(victim)
    bitbucket.server.faults.add(limit())
    ended = run_here(settings, catalog=few)
    assert bitbucket.server.faults.served or ended.code == 1
    # It goes on where it can do without, and else says which file is in the way.
    assert ended.code == 0 or f"token_file {shared}" in ended.log
    assert "Traceback" not in ended.log


@pytest.fixture
def given_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Return what makes a file or a link somebody else's; only root can do so in earnest."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.lchown(path, 4242, 4242)
        else:
            monkeypatch.setattr(atomic_file, "_trusted", lambda _: set())

    return give


@pytest.mark.parametrize("what", ["link", "link to a folder", "file"])
def test_a_token_file_that_somebody_else_put_there(
    bitbucket: Bitbucket, shared: Path, given_away: Callable[[Path], None], what: str
) -> None:
    """Where all may write, a link or a file of somebody else's gets no token, and nobody is asked.

    Root would otherwise give its tokens to whoever came first.
    """
    own = bitbucket.folder / "own"
    own.mkdir()
    path = placed = shared / "token.json"
    if what == "link":
        path.symlink_to(own / "tokens")
    elif what == "file":
        path.touch(0o600)
    else:
        placed = shared / "folder"
        placed.symlink_to(own)
        path = placed / "token.json"
    given_away(placed)
    (made,) = authenticators_from(bitbucket.settings(token_file=str(path)))
    with pytest.raises(AuthenticationError, match="put there by somebody else"):
        made.authorization()
    assert bitbucket.server.requests == []
    assert list(own.iterdir()) == []
    assert placed.is_symlink() or placed.read_text() == ""


def test_a_link_of_the_user(bitbucket: Bitbucket, shared: Path) -> None:
    """The user's own link is followed there, as anywhere."""
    (shared / "token.json").symlink_to(bitbucket.folder / "tokens")
    (made,) = authenticators_from(bitbucket.settings(token_file=str(shared / "token.json")))
    assert made.authorization().startswith("Bearer ")
    assert (shared / "token.json").is_symlink()
    assert bitbucket.found_in((bitbucket.folder / "tokens").read_bytes()) != []


@pytest.mark.parametrize("force", ["--force", None])
def test_a_parcel_over_a_link(
    bitbucket: Bitbucket,
    home: Path,
    shared: Path,
    victim: Path,
    given_away: Callable[[Path], None],
    force: str | None,
) -> None:
    """An export does not write where a link of somebody else's leads, not with --force either."""
    settings = bitbucket.settings(token_file=str(home / "token.json"))
    authenticators_from(settings)[0].authorization()
    (shared / "parcel").symlink_to(victim)
    given_away(shared / "parcel")
    (sign_in,) = SignIn.all_of(settings)
    tokens = sign_in.kept()
    assert tokens is not None
    key = parcel.key_to_seal(home / "key", None, None)
    with pytest.raises(AuthenticationError, match=r"exists and is not|put there by somebody"):
        parcel.seal(tokens, shared / "parcel", key, force=force is not None)
    assert not (home / "key.key").exists()
