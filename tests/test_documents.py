"""What is said in several places says the same everywhere."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from meltano.core.plugin.singer.catalog import SelectExecutor, visit

from scripts import documents
from scripts.catalog import catalog


def in_meltano_yml() -> dict[str, Any]:
    """Return the tap's definition in meltano.yml."""
    text = (documents.ROOT / "meltano.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["plugins"]["extractors"][0]
    return found


def in_plugin_yml() -> dict[str, Any]:
    """Return the tap's definition for other projects."""
    text = (documents.ROOT / "plugin.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    (variant,) = found.pop("variants")
    return {**found, **variant}


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_documents_are_current(name: str) -> None:
    """What is written from the code is what the code would write now (`make docs`)."""
    assert (documents.ROOT / name).read_text(encoding="utf-8") == documents.DOCUMENTS[name]()


def test_meltano_knows_every_setting() -> None:
    """A setting that Meltano's definition lacks would be ignored without a word."""
    wanted = set(documents.settings())
    assert {one["name"] for one in in_meltano_yml()["settings"]} == wanted
    assert {one["name"] for one in in_plugin_yml()["settings"]} == wanted


def test_meltano_hides_what_is_secret() -> None:
    """Every secret of the settings is one to Meltano."""
    secret = {name for name, setting in documents.settings().items() if setting.get("secret")}
    assert {"client_secret", "refresh_token", "api_token", "access_token"} <= secret
    hidden = {one["name"] for one in in_meltano_yml()["settings"] if one.get("sensitive")}
    assert hidden == secret


def test_meltano_needs_no_hub() -> None:
    """Every plugin of the project is defined here, and nothing is reported anywhere."""
    project = yaml.safe_load((documents.ROOT / "meltano.yml").read_text(encoding="utf-8"))
    assert all(
        plugin.get("namespace") and plugin.get("pip_url")
        for plugins in project["plugins"].values()
        for plugin in plugins
    )
    assert project["send_anonymous_usage_stats"] is False
    assert project["cli"] == {"disable_version_check": True}


def test_meltano_selects_what_the_tap_selects() -> None:
    """Meltano, which selects everything unless told, selects just the tap's own default."""
    told = json.loads(json.dumps(catalog()))
    visit(told, SelectExecutor(["!*.*"]))  # as Meltano does before it looks at `select`
    visit(told, SelectExecutor(in_meltano_yml()["select"]))
    assert selected(told) == selected(catalog())
    assert in_plugin_yml()["select"] == in_meltano_yml()["select"]


def selected(catalog: dict[str, Any]) -> set[tuple[str, ...]]:
    """Return the properties that are selected together with all that they lie in."""
    found: set[tuple[str, ...]] = set()
    for stream in catalog["streams"]:
        chosen: dict[tuple[str, ...], bool] = {}
        for entry in stream["metadata"]:
            about = entry["metadata"]
            here = about.get("selected", about.get("selected-by-default", True))
            chosen[tuple(entry["breadcrumb"])] = here or about.get("inclusion") == "automatic"
        for place in chosen:
            if all(chosen.get(place[:end], True) for end in range(0, len(place) + 1, 2)):
                found.add((stream["tap_stream_id"], *place))
    return found


def test_env_example_names_every_setting_once() -> None:
    """Each setting stands in .env.example, those of the simplest sign-in ready to fill in."""
    text = (documents.ROOT / ".env.example").read_text(encoding="utf-8")
    names = re.findall(r"^(?:# )?(TAP_BITBUCKET_\w+)=", text, re.MULTILINE)
    assert sorted(names) == sorted(f"TAP_BITBUCKET_{name.upper()}" for name in documents.settings())
    filled = dotenv_values(documents.ROOT / ".env.example")
    assert json.loads(filled["TAP_BITBUCKET_WORKSPACES"] or "") == ["your-workspace"]


def test_version_is_in_the_changelog() -> None:
    """The changelog speaks about the version that is packaged."""
    packaged = version("tap-bitbucket")
    text = (documents.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{packaged}]" in text
