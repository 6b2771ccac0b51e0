"""What is released: the same packages from the same files, and a wheel that needs nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tap_bitbucket.client import REGISTRY
from tests.support import PROJECT

UV = [sys.executable, "-m", "uv"]


def build(source: Path, to: Path) -> dict[str, str]:
    """Build both packages from a folder; return their digests by name."""
    line = [*UV, "build", "--quiet", "--out-dir", str(to), str(source)]
    subprocess.run(line, check=True, timeout=200)
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in to.iterdir()
        if file.suffix in {".whl", ".gz"}
    }


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Build the packages."""
    folder = tmp_path_factory.mktemp("dist")
    return folder, build(PROJECT, folder)


def test_the_same_files_give_the_same_packages(
    packages: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Another folder, other times and other modes change nothing in wheel and sdist."""
    copy = tmp_path / "elsewhere"
    names = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "plugin.yml", "meltano.yml"]
    shutil.copytree(
        PROJECT / "tap_bitbucket",
        copy / "tap_bitbucket",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in [*names, ".gitignore"]:
        shutil.copy(PROJECT / name, copy / name)
    for file in copy.rglob("*"):
        os.utime(file, (1_500_000_000, 1_500_000_000))
        file.chmod(0o700 if file.is_dir() else 0o600)
    assert build(copy, tmp_path / "dist") == packages[1]
    assert len(packages[1]) == 2


def test_the_sdist_gives_the_same_wheel(
    packages: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    """Who builds from the sdist gets the wheel that is published."""
    folder, built = packages
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    wheels = build(source, tmp_path / "dist")
    assert {
        name: one for name, one in built.items() if name.endswith(".whl")
    }.items() <= wheels.items()


def test_the_wheel_alone(packages: tuple[Path, dict[str, str]], folder: Path) -> None:
    """In an empty environment and folder, without the checkout, it discovers and shows itself."""
    (wheel,) = packages[0].glob("*.whl")
    alone = folder / "alone"
    subprocess.run([*UV, "venv", "--quiet", "--python", sys.executable, alone], check=True)
    given = [*UV, "pip", "install", "--quiet", "--python", str(alone), f"{wheel}[demo]"]
    subprocess.run(given, check=True, timeout=200)
    place = folder / "empty"
    place.mkdir()
    hidden = {"PYTHONPATH", "VIRTUAL_ENV"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"HOME": str(folder), "PATH": f"{alone / 'bin'}{os.pathsep}{env['PATH']}"}

    def tap(*arguments: str) -> str:
        line = [str(alone / "bin" / "tap-bitbucket"), *arguments]
        done = subprocess.run(
            line, capture_output=True, text=True, cwd=place, env=env, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    found = json.loads(tap("--discover"))
    assert {stream["tap_stream_id"] for stream in found["streams"]} == set(REGISTRY)
    shown = tap("demo")
    assert "pull_request_activity" in shown
    assert "How long do pull requests wait?" in shown
    assert not any(PROJECT.as_posix() in line for line in shown.splitlines())
