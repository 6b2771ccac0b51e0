"""Values of the declared type, whatever Bitbucket sends, so that one odd row stops nothing.

Bitbucket has sent a string where an object is documented, a list for an object, and a number where
a string is. Nothing is dropped: text is kept as ``{"value": …}``, structure as JSON text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from tap_bitbucket.rows import DISPLACED, Row

logger = logging.getLogger("tap-bitbucket.rows")

_TYPES: dict[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


class Fit:
    """Decodes rows of one stream.

    A row is decoded twice: by the declared types, which is quick and tells whether they hold, and
    as it is. Only a row that does not fit is looked at value by value.

    Args:
        stream: Its name, for the log.
        schema: As published.
        made: Columns that Bitbucket does not know.
    """

    def __init__(self, stream: str, schema: Mapping[str, Any], made: set[str]) -> None:
        self._stream = stream
        self._keys: list[str] = schema["required"]
        theirs = {instead: name for name, instead in DISPLACED.items()}
        self._sent = {
            "type": ["object"],
            "properties": {
                theirs.get(name, name): declared
                for name, declared in schema["properties"].items()
                if name not in made or name in theirs
            },
        }
        self._told: set[str] = set()

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(_decoded(self._sent, {}))

    def row(self, raw: msgspec.Raw) -> Row | None:
        """Decode a row. A value that is no object is none: the Free plan has sent sentences."""
        row = msgspec.json.decode(raw)
        if not isinstance(row, dict):
            return None
        try:
            self._decoder.decode(raw)
        except msgspec.ValidationError:
            self._mend(row, self._sent, "")
        return row

    def require_keys(self, row: Row) -> None:
        """Write a key that is missing as empty text."""
        for key in self._keys:
            if row.get(key) is None:
                self._tell(key, "missing", "empty text stands for it")
                row[key] = ""

    def _mend(self, value: Any, declared: Mapping[str, Any], place: str) -> Any:
        """Return a value that fits; objects and lists are changed where they are."""
        kinds = [kind for kind in declared["type"] if kind != "null"]
        if value is None:
            return None
        accepted = tuple(python for kind in kinds for python in _PYTHON_TYPES[kind])
        if not isinstance(value, accepted) or (isinstance(value, bool) and "boolean" not in kinds):
            value = self._converted(place, value, kinds[0])
        if isinstance(value, dict):
            for name, below in declared.get("properties", {}).items():
                if name in value:
                    value[name] = self._mend(value[name], below, f"{place}.{name}".lstrip("."))
        elif isinstance(value, list) and "items" in declared:
            value[:] = [self._mend(item, declared["items"], f"{place}[]") for item in value]
        return value

    def _tell(self, name: str, what: str, so: str) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.warning("'%s' of %s is %s here; %s.", name, self._stream, what, so)

    def _converted(self, name: str, value: Any, kind: str) -> Any:
        self._tell(name, f"a {type(value).__name__}, not a {kind} as documented", "it is kept")
        if kind == "string":
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if kind == "object":
            return {"value": value}
        if kind == "array":
            return [value]
        return _scalar(value, kind)


def _scalar(value: Any, kind: str) -> Any:
    """Return the number or truth value that text spells, or null: the column takes no other."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(str(value).lower())
    try:
        return {"integer": int, "number": float}[kind](value)
    except (TypeError, ValueError):
        return None


def _decoded(declared: Mapping[str, Any], made: dict[str, Any]) -> Any:
    """Return a type that decodes what JSON schema declares; ``made`` shares equal ones."""
    kinds = [kind for kind in declared["type"] if kind != "null"]
    if len(kinds) != 1:
        return Any
    if kinds[0] in _TYPES:
        return _TYPES[kinds[0]] | None
    if kinds[0] == "array":
        item = _decoded(declared["items"], made) if "items" in declared else Any
        return list[item] | None  # type: ignore[valid-type]
    if not declared.get("properties"):
        return dict[str, Any] | None
    types = {name: _decoded(below, made) for name, below in declared["properties"].items()}
    if repr(types) not in made:
        fields = [
            (f"f{number}", kind, msgspec.field(name=name, default=None))
            for number, (name, kind) in enumerate(types.items())
        ]
        made[repr(types)] = msgspec.defstruct(f"Row{len(made)}", fields)
    return made[repr(types)] | None
