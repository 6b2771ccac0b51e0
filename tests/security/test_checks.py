"""What SECURITY.md promises has tests, and the checks that CI makes are made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.support import PROJECT

PROMISES = (PROJECT / ".github" / "SECURITY.md").read_text(encoding="utf-8")


def promises() -> list[str]:
    """Return what is promised."""
    part = PROMISES.partition("## What is promised")[2].partition("\n## ")[0]
    return re.split(r"\n- ", part)[1:]


@pytest.mark.parametrize("promise", promises(), ids=lambda text: text[:30].strip())
def test_each_promise_names_its_tests(promise: str) -> None:
    """A promise ends with files of tests, each of which is there and has tests."""
    named = re.findall(r"`(tests/[\w/]+\.py)`", promise)
    assert named
    assert promise.rstrip().endswith(".py`)")
    for name in named:
        assert "\ndef test_" in (PROJECT / name).read_text(encoding="utf-8")


def test_every_file_here_is_named() -> None:
    """No file of these tests shows something that is not promised."""
    here = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert here == set(re.findall(r"tests/security/(\w+\.py)", PROMISES))


def test_weaknesses_are_looked_up_with_every_change_and_every_week() -> None:
    """CI has a job that asks about the packages, on its own schedule too."""
    text = (PROJECT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    when = workflow[True]  # YAML takes `on` for that
    assert {"push", "pull_request", "schedule"} <= when.keys()
    assert re.fullmatch(r"\d+ \d+ \* \* \d", when["schedule"][0]["cron"])
    assert "make audit" in [step.get("run") for step in workflow["jobs"]["audit"]["steps"]]
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert "scripts/audit.sh $(UV)" in makefile
    assert "--strict" in (PROJECT / "scripts" / "audit.sh").read_text(encoding="utf-8")


def test_no_rule_of_security_is_broken_without_a_reason() -> None:
    """Where a line is excused from one of ruff's rules for security, it says why."""
    excused = []
    for folder in ("tap_bitbucket", "scripts", "benchmarks"):
        for file in (PROJECT / folder).rglob("*.py"):
            lines = file.read_text(encoding="utf-8").splitlines()
            excused += [line for line in lines if re.search(r"# noqa: (\w+, ?)*S\d", line)]
    assert excused
    assert [line for line in excused if not re.search(r"# noqa: [\w, ]+ - \w", line)] == []
    settings = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'select = ["ALL"]' in settings
    everywhere = settings.partition("\nignore = [")[2].partition("\n]")[0]
    assert not re.search(r'"S(\d+)?"', everywhere)
