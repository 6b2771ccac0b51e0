"""The layout per repository: its catalogs, and which stream holds which rows."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from tap_bitbucket.tap import TapBitbucket
from tests.catalogs import only
from tests.loading import by_key
from tests.story import Story
from tests.support import Row, Run, api_token_config, run_here, select
from tests.truth import ALL_STREAMS, Key

Catalog = dict[str, Any]


def discover(story: Story, **settings: Any) -> Catalog:
    """Return the catalog that ``--discover`` prints."""
    config = api_token_config(story.server, **{**story.settings, "layout": "per_repository"})
    catalog: Catalog = TapBitbucket(config={**config, **settings}, setup_mapper=False).catalog_dict
    return catalog


def schemas(story: Story, **settings: Any) -> dict[str, str]:
    """Return the database schema of each repository, project and workspace, by what it is of."""
    config = api_token_config(story.server, **{**story.settings, "layout": "per_repository"})
    tap = TapBitbucket(config={**config, **settings}, setup_mapper=False)
    lines = [line.split(maxsplit=2) for line in tap.schemas_table().splitlines()[1:]]
    return {f"{kind} {name}": schema for schema, kind, name in lines if kind in _KINDS}


_KINDS = {"workspace", "project", "repository"}


@cache
def _described() -> dict[str, Any]:
    """Return the schema of each entity."""
    shared = TapBitbucket(config={}, setup_mapper=False, validate_config=False).catalog_dict
    return {one["tap_stream_id"]: one["schema"] for one in shared["streams"]}


def entities(catalog: Catalog) -> dict[str, str]:
    """Return the entity of each stream, by the columns and the end of the name."""
    found = {}
    for one in catalog["streams"]:
        name = one["tap_stream_id"]
        (entity,) = [
            entity
            for entity, schema in _described().items()
            if entity.endswith(name.partition("-")[2])
            and schema["description"] == one["schema"]["description"]
        ]
        found[name] = entity
    return found


def chosen(catalog: Catalog, *names: str) -> Catalog:
    """Return a catalog of these streams alone."""
    return select(only(catalog, *names), *names)


def of(catalog: Catalog, some: Collection[str]) -> Catalog:
    """Return a catalog of the streams of some entities alone."""
    return chosen(catalog, *(name for name, one in entities(catalog).items() if one in some))


def run(story: Story, catalog: Catalog, state: Any = None, **settings: Any) -> Run:
    """Sync in the layout per repository, and note what was asked."""
    story.server.clear_requests()
    config = api_token_config(story.server, **{**story.settings, "layout": "per_repository"})
    made = run_here({**config, **settings}, state=state, catalog=catalog)
    story.clock.later(hours=1)
    return made


def gathered(catalog: Catalog, target: dict[str, dict[Key, Row]]) -> dict[str, dict[Key, Row]]:
    """Return the rows of all streams of an entity together, by entity."""
    rows: dict[str, list[Row]] = {entity: [] for entity in ALL_STREAMS}
    for name, entity in entities(catalog).items():
        rows[entity] += target[name].values()
    return {entity: by_key(entity, found) for entity, found in rows.items()}
