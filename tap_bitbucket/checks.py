"""Is what was given as settings usable? In sentences: name, value, what is accepted; no secrets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft7Validator

from tap_bitbucket.settings import SETTINGS, SHARD
from tap_bitbucket.state import moment


def is_secret(name: str) -> bool:
    """Whether a setting's value must not be shown."""
    return bool(SETTINGS["properties"].get(name, {}).get("secret"))


def problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the settings: name, value, what is accepted. No secrets.

    Args:
        config: As given.
        schema: The settings, with those that the SDK adds.
    """
    found = [_sentence(error) for error in Draft7Validator(schema).iter_errors(config)]
    return found or [*_beyond_the_schema(config)]


def unknown(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each setting that does not exist."""
    known: Sequence[str] = list(schema["properties"])
    for name in config:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            yield f"There is no setting '{name}'; it is ignored.{hint}"


def _sentence(error: Any) -> str:
    """Say what is wrong, in the words of the setting."""
    place = _place(error.absolute_path) or "config"
    setting = str(error.absolute_path[0]) if error.absolute_path else ""
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        names = ", ".join(repr(name) for name in error.instance if name not in known)
        return f"Setting '{place}': there is no {names} in it; it takes {', '.join(known)}."
    value = "the value" if is_secret(setting) else repr(error.instance)[:80]
    wanted = {
        "enum": f"one of {', '.join(map(repr, filter(None, error.schema.get('enum', []))))}",
        "type": f"of type {_type_words(error.schema)}",
        "minimum": f"at least {error.schema.get('minimum')}",
        "maximum": f"at most {error.schema.get('maximum')}",
    }.get(error.validator, f"valid ({error.validator})")
    return f"Setting '{place}': {value} must be {wanted}."


def _place(path: Iterable[str | int]) -> str:
    """Return where something is: ``credentials[1].email``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def _type_words(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "string")
    return " or ".join(
        kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"
    )


def _beyond_the_schema(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _moments_and_shards(config)
    for name in ("api_url", "oauth_token_url", "oauth_authorize_url"):
        if not re.match(r"^https?://[^/]+", str(config.get(name, "https://x"))):
            yield f"Setting '{name}': {config[name]!r} must be a URL that starts with https://."
    for name in ("repositories", "exclude_repositories"):
        for pattern in config.get(name) or ():
            if "/" not in pattern:
                yield (
                    f"Setting '{name}': {pattern!r} must be 'workspace/slug'; "
                    f"'*/{pattern}' matches in every workspace."
                )


def _moments_and_shards(config: Mapping[str, Any]) -> Iterator[str]:
    try:
        moment(config.get("start_date"))
    except ValueError:
        yield (
            f"Setting 'start_date': {config['start_date']!r} must be a date-time such as "
            "2026-01-31T00:00:00Z."
        )
    if config.get("shard") is not None:
        match = SHARD.match(str(config["shard"]))
        if match is None or int(match[1]) >= int(match[2]):
            yield (
                f"Setting 'shard': {config['shard']!r} must be 'i/n' with i from 0 to n-1, "
                "such as 0/4."
            )
