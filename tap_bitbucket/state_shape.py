"""What a state must look like to be gone on with."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, TypedDict

import msgspec
from singer_sdk.exceptions import ConfigValidationError

from tap_bitbucket.resumption import problem_of
from tap_bitbucket.showing import shown
from tap_bitbucket.state import moment

logger = logging.getLogger("tap-bitbucket")

_FAR = timedelta(days=366)
"""How far ahead of a machine's clock no bookmark can be; the clock may be wrong by less."""

_AHEAD = timedelta(days=1)
"""How far ahead of a machine's clock a bookmark is odd."""

_TEXTS = ("unfinished", "heads", "known", "anchors", "window_heads", "later_heads")
_MAPS = ("seen", "gate_seen")
_MOMENTS = ("replication_key_value", "gate", "window_from", "later_from", "heads_as_of")


_Resume = TypedDict("_Resume", {"newest": str, "oldest": str, "from": str}, total=False)


class _Walk(TypedDict, total=False):
    heads: list[str]
    left: list[str]
    updated_on: str | None


class _Quiet(TypedDict, total=False):
    since: str
    began: str
    after: str


_Narrow = TypedDict("_Narrow", {"rows": int, "id": int, "until": str, "from": str}, total=False)


class _Cut(TypedDict, total=False):
    as_of: str | None
    until: str
    ask: list[str]
    read: dict[str, str]
    sample: dict[str, str]
    shows: list[str]
    open: dict[str, tuple[int, str]]


class _BeforeCut(TypedDict, total=False):
    heads: list[str]
    as_of: str | None
    asked: list[str]


_CUT: dict[str, Any] = {
    "before_cut": _BeforeCut,
    "resume": _Resume,
    "walk": _Walk,
    "quiet": _Quiet,
    "narrow": _Narrow,
    "cut": _Cut,
    "cuts": int,
    "partial": bool,
    "feed_is_whole": bool,
    "feed_agrees": int,
    "mark": str | None,
}
"""What runs that were cut leave in a partition."""

_REQUIRED = {"walk": ("heads", "left"), "cut": ("ask", "until")}

_CUT_MOMENTS = ("newest", "oldest", "since", "began", "as_of", "until", "updated_on")


def check(state: object) -> None:
    """Refuse a state that is not one of this tap's, in one line.

    Raises:
        ConfigValidationError: Naming what is wrong and the way out.
    """
    problem = _problem(state)
    if problem is not None:
        summary = (
            f"The state cannot be used: {problem}. Expected is the value of a STATE message of "
            "this tap. Give the last good one, or none to read everything again."
        )
        raise ConfigValidationError(summary, errors=[summary])
    stream = _ahead(state)  # type: ignore[arg-type]  # it has no problem, so it is an object
    if stream is not None:
        logger.warning(
            "The state has a bookmark of %s in the future: what happens until then is left out, "
            "unless it is this machine's clock that is wrong.",
            shown(stream),
        )


def _problem(state: object) -> str | None:
    if not isinstance(state, dict):
        return f"it is a {type(state).__name__}, not an object"
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict):
        return "'bookmarks' is not an object"
    for stream, bookmark in bookmarks.items():
        if not isinstance(bookmark, dict):
            return f"the bookmark of '{stream}' is not an object"
        partitions = bookmark.get("partitions", [])
        if not isinstance(partitions, list):
            return f"'partitions' of '{stream}' is not a list"
        for partition in [bookmark, *partitions]:
            problem = _partition_problem(stream, partition, whole=partition is bookmark)
            if problem is not None:
                return problem
    return problem_of(state.get("resume"))


def _partition_problem(stream: str, partition: object, *, whole: bool) -> str | None:
    if not isinstance(partition, dict):
        return f"a partition of '{stream}' is not an object"
    context = partition.get("context", {} if whole else None)
    if not isinstance(context, dict) or any(isinstance(v, (dict, list)) for v in context.values()):
        return f"a partition of '{stream}' has no usable 'context'"
    for name in _TEXTS:
        texts = partition.get(name, [])
        if not isinstance(texts, list) or not _all_text(texts):
            return f"'{name}' of '{stream}' is not a list of texts"
    for name in _MAPS:
        pairs = partition.get(name, {})
        if not isinstance(pairs, dict) or not _all_text(pairs.values()):
            return f"'{name}' of '{stream}' is not an object of texts"
    done = partition.get("reconciled_at", 0)
    if not isinstance(done, (int, float)) or isinstance(done, bool):
        return f"'reconciled_at' of '{stream}' is not a number"
    found = (_no_moment(stream, partition, name) for name in _MOMENTS)
    return next((problem for problem in found if problem), _cut_problem(stream, partition))


def _cut_problem(stream: str, partition: Mapping[str, Any]) -> str | None:
    for name, shape in _CUT.items():
        if name not in partition:
            continue
        value = partition[name]
        try:
            msgspec.convert(value, shape)
        except msgspec.ValidationError as error:
            return f"'{name}' of '{stream}' is not as it must be: {error}"
        lacking = [one for one in _REQUIRED.get(name, ()) if one not in value]
        if lacking:
            return f"'{name}' of '{stream}' has no '{lacking[0]}'"
        if isinstance(value, dict):
            found = (_no_moment(stream, value, one) for one in _CUT_MOMENTS)
            # Where a list goes on is an address, where a window begins a moment.
            begins = _no_moment(stream, value, "from") if name == "narrow" else None
            problem = next((problem for problem in found if problem), begins)
            if problem is not None:
                return problem
    told = partition.get("cut", {})
    prints = [*told.get("sample", {}).values(), *(one[1] for one in told.get("open", {}).values())]
    if not all(_is_hexadecimal(one) for one in prints):
        return f"'cut' of '{stream}' has something else where a hexadecimal number must be"
    return None


def _is_hexadecimal(text: str) -> bool:
    try:
        int(text, 16)
    except ValueError:
        return False
    return True


def _no_moment(stream: str, partition: Mapping[str, Any], name: str) -> str | None:
    value = partition.get(name)
    try:
        when = None if value is None else moment(value)
    except (ValueError, AttributeError, TypeError):
        return f"{shown(value)}, the {name} of {shown(stream)}, is not a date-time"
    if when is not None and when > datetime.now(timezone.utc) + _FAR:
        return f"{shown(value)}, the {name} of {shown(stream)}, lies far in the future"
    return None


def _ahead(state: Mapping[str, Any]) -> str | None:
    """Return which stream has a bookmark that this machine's clock has not come to by far."""
    latest = datetime.now(timezone.utc) + _AHEAD
    for stream, bookmark in state.get("bookmarks", {}).items():
        for partition in [bookmark, *bookmark.get("partitions", [])]:
            when = moment(partition.get("replication_key_value"))
            if when is not None and when > latest:
                name: str = stream
                return name
    return None


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
