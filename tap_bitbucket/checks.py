"""Is what was given as settings usable? In sentences: name, value, what is accepted; no secrets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft7Validator

from tap_bitbucket.settings import SETTINGS, SHARD
from tap_bitbucket.showing import half_character, shown
from tap_bitbucket.state import moment

_LARGEST = 2**31 - 1
"""What a number may be: of seconds that is 68 years, and no clock takes more of them."""

_AGENT = re.compile(r"[!-~]([ -~]*[!-~])?")
"""What can be sent as a header."""

_WORKSPACE = re.compile(r"\{[^{}/]{1,40}\}|[\w.-]{1,100}")


def is_secret(name: str) -> bool:
    """Whether a setting's value must not be shown."""
    return bool(SETTINGS["properties"].get(name, {}).get("secret"))


def problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the settings: name, value, what is accepted. No secrets.

    Args:
        config: As given.
        schema: The settings, with those that the SDK adds.
    """
    found = [*_no_text(config), *_stream_maps(config.get("stream_maps"))]
    found = found or [_sentence(error) for error in Draft7Validator(schema).iter_errors(config)]
    known = {name: value for name, value in config.items() if name in schema["properties"]}
    return found or [*_beyond_the_schema(known)]


def unknown(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each setting that does not exist."""
    known: Sequence[str] = list(schema["properties"])
    for name in config:
        if name not in known:
            yield f"There is no setting {shown(name)}; it is ignored.{_hint(name, known)}"


def unknown_streams(config: Mapping[str, Any], streams: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each stream of ``lookback`` that does not exist."""
    known = {"*", *streams}
    for name in config.get("lookback") or {}:
        if name not in known:
            hint = _hint(name, sorted(known))
            yield f"Setting 'lookback': there is no stream {shown(name)}; it is ignored.{hint}"


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _sentence(error: Any) -> str:
    """Say what is wrong, in the words of the setting."""
    place = _place(error.absolute_path) or "config"
    setting = str(error.absolute_path[0]) if error.absolute_path else ""
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        names = ", ".join(shown(name) for name in error.instance if name not in known)
        return f"Setting '{place}': there is no {names} in it; it takes {', '.join(known)}."
    value = "the value" if is_secret(setting) else shown(error.instance)
    wanted = {
        "enum": f"one of {', '.join(map(repr, filter(None, error.schema.get('enum', []))))}",
        "type": f"of type {_type_words(error.schema)}",
        "minimum": f"at least {error.schema.get('minimum')}",
        "maximum": f"at most {error.schema.get('maximum')}",
    }.get(error.validator, f"valid ({error.validator})")
    return f"Setting '{place}': {value} must be {wanted}."


def _place(path: Iterable[str | int]) -> str:
    """Return where something is: ``credentials[1].email``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shown(part)[1:-1]}" for part in path)
    return "".join(parts).removeprefix(".")


def _type_words(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "string")
    return " or ".join(
        kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"
    )


def _beyond_the_schema(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _too_large(config)
    yield from _moments_and_shards(config)
    yield from _of_the_sdk(config)
    for name in ("api_url", "oauth_token_url", "oauth_authorize_url"):
        url = str(config.get(name, "https://x"))
        # A browser opens the last of them, and no token is sent to it: it may have a query.
        if not _is_address(url.partition("?")[0] if name == "oauth_authorize_url" else url):
            yield (
                f"Setting '{name}': {shown(config[name].partition('?')[0])} must be a URL that "
                "starts with https://, without a user, a password or a query in it."
            )
    for workspace in config.get("workspaces") or ():
        if not _WORKSPACE.fullmatch(workspace):
            yield f"Setting 'workspaces': {shown(workspace)} must be a slug or a uuid."
    agent = config.get("user_agent")
    if agent and not _AGENT.fullmatch(agent):
        yield f"Setting 'user_agent': {shown(agent)} must be plain ASCII without line breaks."
    for name in ("repositories", "exclude_repositories"):
        for pattern in config.get(name) or ():
            if "/" not in pattern:
                yield (
                    f"Setting '{name}': {shown(pattern)} must be 'workspace/slug'; "
                    f"{shown('*/' + pattern)} matches in every workspace."
                )


def _is_address(text: str) -> bool:
    """Whether a text is a plain address: without a user, a password or a query in it."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    # Over plain HTTP everybody on the way reads the token: for a stand-in, never for Bitbucket.
    bitbucket = f".{parts.hostname or ''}".endswith(".bitbucket.org")
    schemes = {"https"} if bitbucket else {"http", "https"}
    return parts.scheme in schemes and bool(parts.hostname) and plain


def _too_large(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each number that would not fit where it goes."""
    lookback = {f"lookback.{name}": value for name, value in (config.get("lookback") or {}).items()}
    for name, value in {**config, **lookback}.items():
        if isinstance(value, int) and value > _LARGEST:
            number = shown(value if value < 10**80 else "the number")
            yield f"Setting '{name}': {number} must be at most {_LARGEST}."


def _of_the_sdk(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the SDK would say later, and in fewer words."""
    if config.get("flattening_enabled") and config.get("flattening_max_depth") is None:
        yield "Setting 'flattening_max_depth' must be set, to a number, for 'flattening_enabled'."


def _no_text(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for what JSON can name and no file or address can hold: half a character."""
    for name, value in config.items():
        half = half_character([name, value])
        if half:
            said = f"there is half a character in it ({half!a}): take it out"
            yield f"Setting {shown(name)}: {said}."


def _stream_maps(maps: Any) -> Iterator[str]:
    """Yield what the SDK's own schema of stream maps cannot tell, or fails at."""
    if not isinstance(maps, dict):
        return
    for name, one in [("stream_maps", maps), *maps.items()]:
        place = "stream_maps" if one is maps else f"stream_maps.{shown(name)[1:-1]}"
        if not isinstance(one, dict):
            continue
        if one.get("__else__") not in (None, "__NULL__"):
            value = shown(one["__else__"])
            yield f"Setting '{place}': {value} of '__else__' must be '__NULL__' or null."
        for column, expression in one.items():
            if isinstance(expression, str) and not expression.strip():
                yield f"Setting '{place}': an empty text of {shown(column)} is no expression."


def _moments_and_shards(config: Mapping[str, Any]) -> Iterator[str]:
    try:
        moment(config.get("start_date"))
    except ValueError:
        yield (
            f"Setting 'start_date': {shown(config['start_date'])} must be a date-time such as "
            "2026-01-31T00:00:00Z."
        )
    if config.get("shard") is not None:
        match = SHARD.match(str(config["shard"]))
        if match is None or int(match[1]) >= int(match[2]):
            yield (
                f"Setting 'shard': {shown(config['shard'])} must be 'i/n' with i from 0 to n-1, "
                "such as 0/4."
            )
