"""Partial responses: `fields=` selects, `-x` drops, `+x` adds what is hidden by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.errors import Json

Hidden = Mapping[str, Callable[[Any], Any]]
Path = tuple[str, ...]
Tree = dict[str, "Tree"]
"""Paths by their first names; below the last name of one there is nothing."""


class Fields:
    """One `fields=` parameter. A raw `+` arrives as a space and so is not an addition."""

    def __init__(self, text: str | None) -> None:
        """Split the comma list into what to keep, to add and to drop."""
        names = [name for name in (text or "").split(",") if name]
        self.add = [_path(name[1:]) for name in names if name.startswith("+")]
        self.drop = _tree(_path(name[1:]) for name in names if name.startswith("-"))
        self.keep = [_path(name) for name in names if name[0] not in "+-"]

    def reveals(self, hidden: Path) -> bool:
        """Tell whether a field that is left out by default was asked for."""
        return any(_touches(path, hidden) for path in (*self.add, *self.keep))

    def reveal(self, row: Json, item: Any, hidden: Hidden, inside: Path = ()) -> Json:
        """Add the hidden fields of one row that were asked for."""
        for name, compute in hidden.items():
            path = tuple(name.split("."))
            if self.reveals(inside + path):
                row = _with(row, path, compute(item))
        return row

    def apply(self, body: Json, *, strict: bool = False) -> Json:
        """Cut an answer down to what was asked for."""
        if strict:
            for path in (*self.keep, *self.add):
                if not _exists(body, path):
                    raise errors.core(400, f"Unknown field: {'.'.join(path)}")
        answer: Any = body
        if self.keep:
            answer = _only(body, [*self.keep, *self.add])
        if self.drop:
            answer = _without(answer, self.drop)
        return answer if isinstance(answer, dict) else {}


def _path(name: str) -> Path:
    return tuple(name.split("."))


def _touches(asked: Path, hidden: Path) -> bool:
    """`values.reviewers`, `values.reviewers.uuid`, `values.*` and `*` all ask for reviewers."""
    if asked == ("*",):
        return True
    pairs = list(zip(asked, hidden, strict=False))
    if not all(one in ("*", other) for one, other in pairs):
        return False
    return len(asked) >= len(hidden)


def _with(row: Json, path: Path, value: Any) -> Json:
    head, *rest = path
    copy = dict(row)
    if not rest:
        copy[head] = value
    elif isinstance(copy.get(head), dict):
        copy[head] = _with(copy[head], tuple(rest), value)
    return copy


def _only(value: Any, paths: list[Path]) -> Any:
    if isinstance(value, list):
        return [_only(one, paths) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, inner in value.items():
        tails = [path[1:] for path in paths if path[0] in ("*", name)]
        if not tails:
            continue
        if () in tails:
            kept[name] = inner
        elif isinstance(inner, dict | list):
            kept[name] = _only(inner, tails)
    return kept


def _tree(paths: Iterable[Path]) -> Tree:
    tree: Tree = {}
    for path in sorted(paths, key=len, reverse=True):
        *above, last = path
        inner = tree
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = {}
    return tree


def _without(value: Any, tree: Tree) -> Any:
    if isinstance(value, list):
        return [_without(one, tree) for one in value]
    if not isinstance(value, dict):
        return value
    kept = dict(value)
    for head, below in tree.items():
        for name in value if head == "*" else (head,):
            if not below:
                kept.pop(name, None)
            elif name in kept:
                kept[name] = _without(kept[name], below)
    return kept


def _exists(value: Any, path: Path) -> bool:
    if not path:
        return True
    if isinstance(value, list):
        return not value or any(_exists(one, path) for one in value)
    if not isinstance(value, dict):
        return False
    heads = list(value) if path[0] == "*" else [path[0]]
    return any(name in value and _exists(value[name], path[1:]) for name in heads)
