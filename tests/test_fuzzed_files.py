"""The files of a command line, damaged: read as they are, or named in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import FEW, NIGHTLY, Small, inputs, rows_of, says_why, small
from tests.support import run_tap

pytestmark = pytest.mark.timeout(300 + 120 * NIGHTLY)

KINDS = ("config", "catalog", "state")

GARBAGE = {
    "empty": b"",
    "blank": b" \n\t",
    "no JSON": b"{workspaces: [acme]}",
    "cut short": b'{"workspaces": ["acme"',
    "two objects": b"{}{}",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "a number": b"1e400",
    "no number": b"NaN",
    "too long a number": b'{"max_requests": ' + b"9" * 5000 + b"}",
    "nested too deep": b"[" * 100_000,
    "objects nested too deep": b'{"bookmarks":' * 100_000,
    "UTF-16": '{"workspaces": []}'.encode("utf-16"),
    "Latin-1": b'{"workspaces": ["caf\xe9"]}',
    "half a character": b'{"workspaces": ["\\ud800"], "bookmarks": {"\\ud800": 5}, "streams": 5}',
    "binary": bytes(range(256)),
    "zeros": b"\0" * 64,
}


@pytest.fixture(scope="module")
def world(catalog: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Serve a small world."""
    with small(catalog, tmp_path_factory.mktemp("files"), *FEW) as made:
        yield made


@pytest.fixture
def files(world: Small) -> dict[str, str]:
    """Return the names of good files."""
    return {
        "config": world.run.file("config.json", world.settings),
        "catalog": world.run.file("catalog.json", world.catalog),
        "state": world.run.file("state.json", world.state),
    }


def options(files: dict[str, str]) -> list[str]:
    """Return a command line that names these files."""
    return [part for kind, name in files.items() for part in (f"--{kind}", name)]


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_garbage(world: Small, files: dict[str, str], kind: str, what: str) -> None:
    """A file that holds something else is named in one line, with what it is; nothing is written.

    An empty state is that of a first run: a command that failed leaves such a file.
    """
    world.story.server.clear_requests()
    files[kind] = world.run.file(f"bad {kind}", GARBAGE[what])
    run = world.run(*options(files))
    reason = says_why(run)
    if kind == "state" and what in {"empty", "blank"}:
        assert reason is None
        assert rows_of(run) == world.whole
        return
    assert reason is not None
    assert files[kind] in reason or "half a character" in reason or "cannot be used" in reason
    assert run.lines == []
    assert world.story.server.requests == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_byte_order_mark(world: Small, files: dict[str, str], kind: str) -> None:
    """A file as some editors of Windows save it is read, or it is said what is wrong with it."""
    text = (world.run.folder / files[kind]).read_bytes()
    files[kind] = world.run.file(f"marked {kind}", b"\xef\xbb\xbf" + text)
    reason = says_why(world.run(*options(files)))
    assert reason is None or (files[kind] in reason and "byte order mark" in reason)


@pytest.mark.parametrize("kind", KINDS)
def test_no_file(world: Small, files: dict[str, str], kind: str) -> None:
    """What is not there, is a folder or cannot be opened is named, before anything is asked."""
    folder = world.run.folder
    (folder / "a folder").mkdir(exist_ok=True)
    loop = folder / "a loop"
    if not loop.is_symlink():
        loop.symlink_to(loop)
    for name in ("nothing.json", "a folder", "a loop", "a loop/x", "x" * 300, ""):
        run = world.run(*options({**files, kind: name}))
        assert run.code in {1, 2}
        assert "Traceback" not in run.log, name
        assert run.lines == []
        last = run.log.strip().splitlines()[-1]
        assert (name or kind) in last, run.log


@inputs(30)
@given(st.sampled_from(KINDS), st.data())
def test_bytes_that_flipped(world: Small, kind: str, data: st.DataObject) -> None:
    """A file with a damaged byte is refused in a line, or still means something."""
    good = {"config": world.settings, "catalog": world.catalog, "state": world.state}
    names = {one: world.run.file(f"{one}.json", content) for one, content in good.items()}
    text = bytearray(json.dumps(good[kind]).encode())
    for _ in range(data.draw(st.integers(1, 2))):
        spot = data.draw(st.integers(0, len(text) - 1))
        how = data.draw(st.sampled_from(["changed", "gone", "cut"]))
        if how == "changed":
            text[spot] ^= 1 << data.draw(st.integers(0, 7))
        else:
            del text[spot : spot + 1 if how == "gone" else len(text)]
        if not text:
            break
    names[kind] = world.run.file(f"{kind}.json", bytes(text))
    if b"127.0.0.1" not in bytes(text) and kind == "config":
        return  # nobody else is asked
    run = world.run(*options(names))
    reason = says_why(run)
    assert (
        reason is None
        or run.counts
        or not any(m["type"] == "STATE" for m in run.messages)
        or ("HTTP 401" in reason or "Nothing could be read" in reason)
    )


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "a number out of range": ({"concurrency": 99}, None),
    "a map that fails": ({"stream_maps": {"commits": {"x": "1/0"}}}, None),
    "a state of something else": ({}, {"bookmarks": {"commits": 5}}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_process_says_the_same(world: Small, tmp_path: Path, what: str) -> None:
    """What these tests do inside of their process is what the command does in one of its own."""
    given, state = WRONG[what]
    settings = {**world.settings, **given}
    arguments = ["--config", world.run.file("config.json", settings), "--catalog", "catalog.json"]
    world.run.file("catalog.json", world.catalog)
    if state is not None:
        arguments += ["--state", world.run.file("state.json", state)]
    here = world.run(*arguments)
    there = run_tap(settings, tmp_path, catalog=world.catalog, state=state)
    assert here.code == there.code
    assert says_why(here) == says_why(there)
    assert rows_of(here) == rows_of(there)
