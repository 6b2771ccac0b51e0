"""What people read says what the code does, and leads where it says."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest

from scripts import documents
from scripts.examples import example_rows
from tap_bitbucket.client import REGISTRY

ROOT = documents.ROOT
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("docs", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.md")
)


def text_of(page: str) -> str:
    """Return a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def anchors(page: Path) -> set[str]:
    """Return what links may name within a page, as GitHub makes it of headings."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize(
    "page", ["README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md", *PAGES]
)
def test_links_lead_somewhere(page: str) -> None:
    """A file or a heading that a page links to is there."""
    place = (ROOT / page).parent
    broken = []
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text_of(page)):
        target = place / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.resolve())):
            broken.append(f"{path}#{anchor}")
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    """docs/README.md leads to each page."""
    index = text_of("docs/README.md")
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert [
        str(page) for page in pages if f"]({page})" not in index and page.name != "README.md"
    ] == []


def test_every_stream_and_every_setting_is_described() -> None:
    """Each stream is in README and has a row of its own in the docs, and so has each setting."""
    names = set(re.findall(r"`(\w+)`", text_of("README.md")))
    assert set(REGISTRY) <= names
    rows = set(re.findall(r"^\| `(\w+)` \|", text_of("docs/streams.md"), re.MULTILINE))
    assert rows == set(REGISTRY)
    rows = set(re.findall(r"^\| `(\w+)` \|", text_of("docs/settings.md"), re.MULTILINE))
    assert rows == set(documents.settings())


def test_every_stream_has_an_example_row() -> None:
    """The pages of the streams show a row of each, with all columns that its key needs."""
    shown: dict[str, str] = {}
    for page in (ROOT / "docs" / "streams").glob("*.md"):
        for part in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name = part.partition("\n")[0]
            (block,) = re.findall(r"^```json\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
            shown[name] = json.loads(block)
    assert shown.keys() == REGISTRY.keys()
    for name, row in shown.items():
        assert set(REGISTRY[name].primary_keys) <= set(row), name
        assert set(row) == set(example_rows()[name]), name


@cache
def sentences() -> list[str]:
    """Return all text in the tap's code."""
    trees = [ast.parse(file.read_text()) for file in (ROOT / "tap_bitbucket").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


MESSAGES = [
    message
    for heading in re.findall(r"^### (.*)$", text_of("docs/troubleshooting.md"), re.MULTILINE)
    for message in re.findall(r"`([^`]+)`", heading)
]


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_are_those_of_the_tap(message: str) -> None:
    """What trouble-shooting explains is what the tap says."""
    parts = [part.strip(" :;.,'") for part in message.split("…")]
    assert any(len(part) > 10 for part in parts)
    assert [part for part in parts if not any(part in said for said in sentences())] == []


def test_settings_that_are_named_exist() -> None:
    """A variable of the environment or an option that the docs name is one."""
    pages = [text_of(page) for page in ("README.md", *PAGES)]
    named = {name for text in pages for name in re.findall(r"\bTAP_BITBUCKET_(\w+)", text)}
    known = {name.upper() for name in documents.settings()} | {"LOGLEVEL", "NIGHTLY"}
    assert named - known == set()
