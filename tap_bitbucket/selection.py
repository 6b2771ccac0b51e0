"""What a catalog selects, as ``fields=`` for Bitbucket and as cuts in a row.

What nobody selected is not asked for. Bitbucket leaves it out of most lists when told with
``fields=-values.links``; where it does not, the tap cuts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from singer_sdk.singerlib import CatalogEntry, SelectionMask
from singer_sdk.streams import Stream

from tap_bitbucket.rows import DISPLACED
from tap_bitbucket.schemas import ITEMS, Path, StreamSchema, walk
from tap_bitbucket.showing import shown


def is_chosen(entry: CatalogEntry) -> bool:
    """Whether a catalog's stream is selected."""
    root = entry.metadata.root
    return bool(root.selected_by_default if root.selected is None else root.selected)


def strangers(
    catalog: Mapping[str, CatalogEntry] | None, streams: Mapping[str, Stream]
) -> Iterator[str]:
    """Yield a sentence for what only the catalog has, and one for what only the tap has."""
    if catalog is None:
        return
    known = set(streams)
    for name in sorted(known.intersection(catalog)):
        yield from _overruled(catalog[name], streams[name])
    if not any(is_chosen(catalog[name]) for name in known.intersection(catalog)):
        yield "The catalog selects no stream: there is nothing to read."
    chosen = sorted(name for name in catalog if name not in known and is_chosen(catalog[name]))
    if chosen:
        yield f"The catalog selects what there is not: {_some(chosen)}. It is left out."
    new = sorted(known - set(catalog))
    if new:
        yield (
            f"The catalog does not know {_some(new)}: not read. Make a new catalog with "
            "--discover to select what is new."
        )


def _overruled(entry: CatalogEntry, stream: Stream) -> Iterator[str]:
    """Yield what a catalog says of a stream and the tap does not do."""
    root = entry.metadata.root
    if root.selected is None and root.selected_by_default is None:
        yield f"The catalog does not say whether '{stream.name}' is selected: it is not read."
    keys = entry.key_properties or root.table_key_properties
    if keys and sorted(keys) != sorted(stream.primary_keys or ()):
        told = ", ".join(stream.primary_keys or ())
        yield f"The catalog gives '{stream.name}' other keys than it has: they stay {told}."
    method = entry.replication_method or root.forced_replication_method
    if method not in {None, "INCREMENTAL", "FULL_TABLE"}:
        yield (
            f"The catalog asks for {shown(method)} of '{stream.name}': it is read as usual; "
            "FULL_TABLE would read it whole."
        )


def _some(names: Sequence[str]) -> str:
    some = ", ".join(f"'{name}'" for name in names[:3])
    return some if len(names) <= 3 else f"{some} and {len(names) - 3} more"  # noqa: PLR2004


def deselected(schema: StreamSchema, mask: SelectionMask) -> list[Path]:
    """Return the paths that are not selected, each once: nothing below a deselected one.

    Singer's catalog cannot name what lies in an array. Bulk in there (``reviewers[].links``)
    follows the row's own property of that name; if the row has none, it comes as soon as any
    property of that name is selected.
    """
    paths: set[Path] = set()
    _collect(schema.published, (), mask, paths)
    bulk = {path: mask[_breadcrumb(path)] for path in schema.unselected if ITEMS not in path}
    for path in schema.unselected:
        if ITEMS in path:
            named = [selected for other, selected in bulk.items() if other[-1] == path[-1]]
            if not bulk.get(path[-1:], any(named)):
                paths.add(path)
    return topmost(paths)


def _collect(node: dict[str, Any], path: Path, mask: SelectionMask, paths: set[Path]) -> None:
    for name, child in node.get("properties", {}).items():
        below = (*path, name)
        if not mask[_breadcrumb(below)]:
            paths.add(below)
        else:
            _collect(child, below, mask, paths)


def kept(node: Mapping[str, Any], cuts: Iterable[Path], path: Path = ()) -> Iterator[Path]:
    """Yield the paths of the values that are selected, of which nothing below is described."""
    left_out = set(cuts)
    properties: Mapping[str, Any] = node.get("properties", {})
    for name, child in properties.items():
        if (*path, name) not in left_out:
            yield from kept(child, left_out, (*path, name))
    if path and not properties:
        yield path


def _breadcrumb(path: Path) -> tuple[str, ...]:
    """Return a path as Singer's catalog writes it."""
    return tuple(part for name in path for part in ("properties", name))


def fields(paths: Iterable[Path], needed: Iterable[Path], ours: Iterable[str]) -> list[str]:
    """Return what to exclude in a list of rows: ``-values.author.links``.

    Args:
        paths: What is not selected, by the names it has in a row of the tap.
        needed: What the tap itself looks at, by Bitbucket's names.
        ours: Top-level properties that Bitbucket does not know, because the tap makes them.
    """
    bitbuckets = {instead: name for name, instead in DISPLACED.items()}
    made = set(ours)
    asked = [tuple(part for part in path if part != ITEMS) for path in needed]
    excluded = []
    for path in paths:
        if path[0] in made:
            continue
        theirs = (bitbuckets.get(path[0], path[0]), *(part for part in path[1:] if part != ITEMS))
        if not any(wanted[: len(theirs)] == theirs for wanted in asked):
            excluded.append("-values." + ".".join(theirs))
    return excluded


def topmost(paths: Iterable[Path]) -> list[Path]:
    """Return the paths, each once: nothing below another one."""
    found = set(paths)
    return sorted(
        path for path in found if not any(path[:end] in found for end in range(len(path)))
    )


def cut(row: dict[str, Any], paths: Iterable[Path]) -> None:
    """Remove paths from a row."""
    for path in paths:
        for holder, key in list(walk(row, path)):
            del holder[key]
