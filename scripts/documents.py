"""Write what is said twice: meltano.yml, plugin.yml, .env.example, the catalog, README's tables.

``python -m scripts.documents`` writes them from the code; ``tests/test_documents.py`` compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from scripts import airflow_project, contract
from scripts.catalog import catalog
from scripts.pages import page_names, stream_pages
from scripts.tables import (
    choices,
    kind_of,
    plain,
    settings_table,
    streams_list,
    streams_table,
)
from tap_bitbucket.login.commands import auth
from tap_bitbucket.tap import TapBitbucket

ROOT = Path(__file__).resolve().parents[1]
TOKEN_FILE = "$MELTANO_PROJECT_ROOT/.tap-bitbucket/token.json"  # noqa: S105 - a path
_KINDS = {"string": "string", "integer": "integer", "boolean": "boolean", "number": "decimal"}
_BULK = ("*.links", "*.*.links", "*.*.html", "*.rendered", "*.*_object")
"""Properties that no stream selects by default; the rest is named stream by stream."""

Json = dict[str, Any]


# -- settings -------------------------------------------------------------------------------------


@cache
def settings() -> dict[str, Json]:
    """Return all settings, the SDK's own last."""
    schema: Json = {
        "type": "object",
        "properties": dict(TapBitbucket.config_jsonschema["properties"]),
    }
    TapBitbucket.append_builtin_config(schema)
    properties: dict[str, Json] = schema["properties"]
    return properties


def title(name: str, setting: Json) -> str:
    """Return a setting's name for people."""
    return str(setting.get("title") or name.replace("_", " ").capitalize())


def meltano_setting(name: str, setting: Json) -> Json:
    """Describe a setting to Meltano."""
    kind = kind_of(setting)
    found: Json = {"name": name, "label": title(name, setting)}
    if choices(setting):
        found["kind"] = "options"
        found["options"] = [{"label": value, "value": value} for value in choices(setting)]
    elif setting.get("format") == "date-time":
        found["kind"] = "date_iso8601"
    else:
        found["kind"] = _KINDS.get(kind, kind)
    found["description"] = plain(setting.get("description", ""))
    if setting.get("secret"):
        found["sensitive"] = True
    if name == "token_file":
        found["value"] = TOKEN_FILE
    elif "default" in setting:
        found["value"] = setting["default"]
    return found


# -- streams --------------------------------------------------------------------------------------


def selection() -> list[str]:
    """Return Meltano patterns that select what the tap selects by itself."""
    rules: list[str] = []
    for stream in catalog()["streams"]:
        name = stream["tap_stream_id"]
        chosen = {tuple(entry["breadcrumb"]): entry["metadata"] for entry in stream["metadata"]}
        if not chosen[()].get("selected-by-default", chosen[()].get("selected")):
            continue
        rules.append(f"{name}.*")
    return [*rules, *(f"!{rule}" for rule in _BULK), *(f"!{rule}" for rule in _particular())]


def unselected(stream: Json) -> Iterator[str]:
    """Yield the properties of a catalog's stream that are not selected, with dots."""
    for entry in stream["metadata"]:
        if entry["metadata"].get("selected-by-default") is False and entry["breadcrumb"]:
            yield ".".join(entry["breadcrumb"][1::2])


def _particular() -> Iterator[str]:
    bulk = [rule.removeprefix("*.") for rule in _BULK]
    for stream in catalog()["streams"]:
        done: list[str] = []
        for path in sorted(unselected(stream), key=lambda path: path.count(".")):
            ancestors = [path[: match.start()] for match in re.finditer(r"\.", path)]
            if any(fnmatchcase(one, rule) for one in [path, *ancestors] for rule in bulk):
                continue
            if not any(one in done for one in ancestors):
                done.append(path)
                yield f"{stream['tap_stream_id']}.{path}"


# -- the documents --------------------------------------------------------------------------------


class _Yaml(yaml.SafeDumper):
    """Indents lists and writes long text on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        return super().increase_indent(flow, indentless=False)


def _yaml(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Yaml, sort_keys=False, width=10_000, allow_unicode=True)
    return text


def definition(pip_url: str) -> Json:
    """Return the tap as Meltano wants it described."""
    capabilities = {one.value for one in TapBitbucket.capabilities}
    return {
        "name": TapBitbucket.name,
        "namespace": TapBitbucket.name.replace("-", "_"),
        "label": "Bitbucket Cloud",
        "pip_url": pip_url,
        "executable": TapBitbucket.name,
        "capabilities": sorted(capabilities),
        "settings_group_validation": [
            ["email", "api_token"],
            ["access_token"],
            ["client_id", "client_secret"],
        ],
        "settings": [meltano_setting(name, setting) for name, setting in settings().items()],
        "select": selection(),
        "commands": commands(),
    }


def commands() -> Json:
    """Return what `meltano invoke tap-bitbucket:NAME` runs; Meltano hands on the settings."""
    found = {
        "discover": {"args": "--discover", "description": "Print the catalog"},
        "test": {"args": "--config=ENV --test", "description": "Read a row of each stream"},
        "about": {"args": "--about --format=markdown", "description": "Print the settings"},
        "version": {"args": "--version", "description": "Print the version"},
    }
    for name, command in auth.commands.items():
        text = str(command.short_help).rstrip(".")
        found[name] = {"args": f"auth {name}", "description": text}
    return found


def meltano_yml() -> str:
    """Return the project file: the tap of this folder, and a target."""
    template = (ROOT / "scripts" / "meltano.yml.head").read_text(encoding="utf-8")
    target = (ROOT / "scripts" / "meltano.yml.target").read_text(encoding="utf-8")
    extractors = {"plugins": {"extractors": [definition("-e .")]}}
    return template + _yaml(extractors) + target


def airflow_yml() -> str:
    """Return the project file of the example for Airflow."""
    template = (ROOT / "scripts" / "meltano.yml.airflow").read_text(encoding="utf-8")
    target = (ROOT / "scripts" / "meltano.yml.target").read_text(encoding="utf-8")
    tap = definition(f"{TapBitbucket.package_name}[database]")
    return template + _yaml({"plugins": {"extractors": airflow_project.extractors(tap)}}) + target


def plugin_yml() -> str:
    """Return the definition for ``meltano add --from-ref``.

    That command drops the `select` of a definition, but keeps that of a definition's variant.
    """
    variant = definition(TapBitbucket.package_name or "")
    found = {name: variant.pop(name) for name in ("name", "namespace", "label")}
    head = (
        "# For `meltano add tap-bitbucket --from-ref`. Written by scripts/documents.py.\n"
        "# All but the names is in the one variant, for only there the command keeps `select`,\n"
        "# without which Meltano would select everything.\n"
    )
    return head + _yaml({**found, "variants": [variant]})


def target_yml() -> str:
    """Return the definition of the target for ``meltano add``, which else asks Meltano's Hub."""
    text = (ROOT / "scripts" / "meltano.yml.target").read_text(encoding="utf-8")
    head = "# For `meltano add target-postgres --from-ref`. Written by scripts/documents.py.\n"
    (target,) = yaml.safe_load(text)["loaders"]
    return head + _yaml(target)


def env_example() -> str:
    """Return a file to copy and fill in."""
    head = (ROOT / "scripts" / "env.head").read_text(encoding="utf-8")
    lines = [head.rstrip()]
    given = set(re.findall(r"^(TAP_BITBUCKET_\w+)=", head, re.MULTILINE))
    for name, setting in settings().items():
        variable = f"TAP_BITBUCKET_{name.upper()}"
        if variable not in given:
            lines.append(f"\n# {plain(setting.get('description', ''))}")
            lines.append(f"# {variable}={_example(setting)}")
    return "\n".join(lines) + "\n"


def _example(setting: Json) -> str:
    if "default" in setting:
        value = setting["default"]
        return str(value).lower() if isinstance(value, bool) else str(value)
    empty = {"array": "'[]'", "object": "'{}'", "boolean": "false"}
    return empty.get(kind_of(setting), "")


def catalog_example() -> str:
    """Return the catalog, a line per property and per metadata so that it can be read."""
    streams = [_lines(stream) for stream in catalog()["streams"]]
    return '{\n"streams": [\n' + ",\n".join(streams) + "\n]\n}\n"


def _lines(stream: Json) -> str:
    """Return a catalog's stream with its long parts in lines."""
    properties = [
        f"   {json.dumps(name)}: {json.dumps(declared, ensure_ascii=False)}"
        for name, declared in stream["schema"]["properties"].items()
    ]
    schema = {**stream["schema"], "properties": "PROPERTIES"}
    whole = {**stream, "schema": schema, "metadata": "METADATA"}
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    metadata = [f"  {json.dumps(one)}" for one in stream["metadata"]]
    text = text.replace('"PROPERTIES"', "{\n" + ",\n".join(properties) + "\n  }")
    return text.replace('"METADATA"', "[\n" + ",\n".join(metadata) + "\n ]")


_USUAL = (
    "workspaces", "repositories", "projects", "start_date", "email", "api_token", "access_token",
    "client_id", "client_secret", "credentials", "token_store", "concurrency", "on_rate_limit",
    "max_requests", "max_duration", "reconcile_every", "layout", "shard", "fail_on_skipped",
)  # fmt: skip
"""The settings that README has."""


def tables() -> dict[str, dict[str, str]]:
    """Return the tables that are part of written documents, by the names of their places."""
    usual = {name: one for name, one in settings().items() if name in _USUAL}
    return {
        "README.md": {"streams": streams_list(), "settings": settings_table(usual)},
        "docs/streams.md": {"streams": streams_table(catalog())},
        "docs/settings.md": {"settings": settings_table(settings())},
    }


def filled(document: str) -> str:
    """Return a document with its tables as they must be."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for name, table in tables()[document].items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        whole = f"{begin}\n\n{table}\n\n{end}"
        text, found = re.subn(pattern, lambda _, w=whole: w, text, flags=re.DOTALL)  # type: ignore[misc]
        if found != 1:
            message = f"{document} must have {begin} and {end} once"
            raise ValueError(message)
    return text


@cache
def _pages() -> dict[str, str]:
    return stream_pages(catalog())


def _page(name: str) -> str:
    return _pages()[name]


DOCUMENTS: dict[str, Callable[[], str]] = {
    "meltano.yml": meltano_yml,
    "plugin.yml": plugin_yml,
    "examples/airflow/meltano.yml": airflow_yml,
    "examples/meltano/target-postgres.yml": target_yml,
    ".env.example": env_example,
    "catalog.example.json": catalog_example,
    contract.PLACE: lambda: contract.document(catalog()),
    **{name: partial(filled, name) for name in tables()},
    **{name: partial(_page, name) for name in page_names()},
}


def main() -> None:
    """Write all documents."""
    for name, make in DOCUMENTS.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
