"""The JSON files of the command line, read so that a bad one is explained in one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from singer_sdk.exceptions import ConfigValidationError

from tap_bitbucket.catalog_shape import problem_of
from tap_bitbucket.showing import half_character


def json_option(stream: Any, what: str) -> Any:
    """Read a JSON option.

    Raises:
        ConfigValidationError: If it is no JSON object, naming file and place.
    """
    if stream is None:
        return None
    try:
        text = stream.read()
    except UnicodeDecodeError:
        message = f"The {what} file '{getattr(stream, 'name', what)}' is not text."
        raise ConfigValidationError(message, errors=[message]) from None
    if not text.strip() and what == "state":
        return {}
    return _json_object(text, getattr(stream, "name", what), what)


def last_with(files: Sequence[Path], setting: str) -> Path | None:
    """Return the file whose value of a setting holds: of several, the last."""
    for file in reversed(files):
        if setting in json.loads(file.read_text(encoding="utf-8")):
            return file
    return None


def catalog_in(name: str | None) -> dict[str, Any] | None:
    """Read a catalog file.

    Raises:
        ConfigValidationError: It is none.
    """
    if name is None:
        return None
    check_json_file(Path(name), "catalog")
    catalog: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    check_catalog(catalog)
    return catalog


def check_catalog(catalog: Any) -> None:
    """Refuse a catalog that is none.

    Raises:
        ConfigValidationError: Naming what is wrong and the way out.
    """
    if catalog is None:
        return
    problem = problem_of(catalog)
    if problem is not None:
        message = f"The catalog cannot be used: {problem}. Make a new one with --discover."
        raise ConfigValidationError(message, errors=[message])


def check_json_file(file: Path, what: str) -> None:
    """Check that a file holds a JSON object, so that the SDK need not fail with a traceback.

    Raises:
        ConfigValidationError: If it does not, naming file and place.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        message = f"The {what} file '{file}' cannot be read: {reason}."
        raise ConfigValidationError(message, errors=[message]) from None
    _json_object(text, str(file), what)


def _json_object(text: str, name: str, what: str) -> dict[str, Any]:
    if text.startswith("\ufeff"):
        message = (
            f"The {what} file '{name}' begins with a byte order mark, which JSON has not: save it "
            "as UTF-8 without one."
        )
        raise ConfigValidationError(message, errors=[message])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        message = f"The {what} file '{name}' is not JSON (see {place})."
        raise ConfigValidationError(message, errors=[message]) from None
    # Of settings it can be said which one has it.
    if what != "config" and "\\ud" in text.lower() and half_character(value):
        advice = "Make a new one with --discover" if what == "catalog" else "Give the last good one"
        message = f"The {what} file '{name}' has half a character in it. {advice}."
        raise ConfigValidationError(message, errors=[message])
    if not isinstance(value, dict):
        message = f"The {what} file '{name}' must hold a JSON object, not a {type(value).__name__}."
        raise ConfigValidationError(message, errors=[message])
    return value
