"""What to do about an answer that is not the one asked for: the whole policy on one screen.

``decide`` is a function of status and body. Whoever reads a list acts on the ``Action``; the
sentence is for the person who reads the log, and says what to do.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from typing import Any


class Action(enum.Enum):
    """What the reader does next."""

    RETRY = "ask again after a while"
    WAIT = "wait for the rate limit, then ask again"
    REFRESH = "get a new access token, then ask again"
    EMPTY = "there is nothing: go on as if the list were empty"
    SKIP = "leave this partition, keep its bookmark, go on with the next"


@dataclass(frozen=True)
class Rule:
    """One line of the policy."""

    action: Action
    sentence: str


RULES: dict[int, Rule] = {
    400: Rule(Action.SKIP, "Bitbucket does not accept the request"),
    401: Rule(Action.REFRESH, "the credential was not accepted"),
    402: Rule(Action.SKIP, "the workspace's plan does not include this"),
    403: Rule(
        Action.SKIP, "no permission: check the account's access to it, or the token's scopes"
    ),
    404: Rule(Action.SKIP, "not found: it was deleted, moved or is not visible to this account"),
    406: Rule(Action.SKIP, "Bitbucket does not offer JSON here"),
    408: Rule(Action.RETRY, "Bitbucket took too long"),
    409: Rule(Action.EMPTY, "the repository is empty"),
    410: Rule(Action.SKIP, "gone: Bitbucket removed it or the workspace was closed"),
    429: Rule(Action.WAIT, "the rate limit of this credential is spent"),
}
"""By status; any 5xx is retried."""

TOO_LONG = 555
"""Bitbucket's own status for a computation that takes too long: diffs, deep listings of files."""

_LIMIT_SPENT = re.compile(r"rate limit.{0,80}\bexceeded|too many requests", re.IGNORECASE)

_PIPELINES_OFF = Rule(Action.EMPTY, "Pipelines is not enabled in this repository")


class ReadError(Exception):
    """A list could not be read. The message names the request, never a header or a body."""


class SkipPartition(ReadError):  # noqa: N818 - it says what to do
    """This partition cannot be read now; the others can."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class MissingScope(SkipPartition):
    """The credential lacks a scope, here and everywhere else."""


class Postponed(SkipPartition):
    """The limit of those who may read this is spent, and others go on (``on_rate_limit: stop``).

    Nothing failed: it is not read in this run, its bookmark stays, and the next run goes on there.
    """


class Transient(ReadError):  # noqa: N818
    """It may work when asked again."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Unavailable(SkipPartition):
    """It still failed after all retries."""


class Fatal(ReadError):  # noqa: N818
    """No further request makes sense: the credential is refused or the network is down."""


class StopReading(ReadError):  # noqa: N818
    """A budget is spent (``on_rate_limit: stop``, ``max_requests``, ``max_duration``)."""


def decide(status: int, body: bytes) -> Rule:
    """Return what to do about an answer with this status and body."""
    if status >= 500:  # noqa: PLR2004
        return Rule(Action.RETRY, "Bitbucket has a problem")
    if status == 404 and _is_pipelines_off(body):  # noqa: PLR2004
        return _PIPELINES_OFF
    if status == 403 and _LIMIT_SPENT.search(explain(body) or _plain(body)):  # noqa: PLR2004
        return RULES[429]
    return RULES.get(status, Rule(Action.SKIP, "an answer that is not documented"))


def explain(body: bytes) -> str:
    """Return what Bitbucket says in an error body, in at most one short line.

    ``detail`` is a string or, for a missing scope, ``{required, granted}``; the pipelines service
    puts the real text there. Bodies that are not JSON (Bitbucket has 25 KB HTML pages) say nothing.
    """
    error = _error(body)
    message = str(error.get("message") or "").strip()
    detail = error.get("detail")
    if isinstance(detail, dict):
        required, granted = _scopes(detail.get("required")), _scopes(detail.get("granted"))
        detail = f"Required: {required}; granted: {granted}."
    parts = [message, str(detail or "").strip()]
    said = " ".join(dict.fromkeys(part for part in parts if part))
    return " ".join(said.split())[:300]


def lacks_scope(body: bytes) -> bool:
    """Whether a 403 is about the credential's scopes, not about this one resource."""
    detail = _error(body).get("detail")
    return isinstance(detail, dict) and bool(detail.get("required"))


def unknown_hashes(body: bytes) -> list[str]:
    """Return the commits that Bitbucket does not know, from a 404 of the commits list."""
    data = _error(body).get("data")
    shas = data.get("shas") if isinstance(data, dict) else None
    return [str(sha) for sha in shas] if isinstance(shas, list) else []


def _scopes(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) and value else "none"


def _error(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body[:100_000])
    except (ValueError, RecursionError):
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _plain(body: bytes) -> str:
    """Return a body that is one line of text; nothing of a page."""
    return "" if body.lstrip().startswith((b"<", b"{")) else body[:300].decode(errors="replace")


def _is_pipelines_off(body: bytes) -> bool:
    """Whether a 404 is the pipelines service's own, not "no such repository".

    Its errors have no ``type`` beside ``error`` and a key such as ``rest-service.…`` in ``data``.
    """
    data = _error(body).get("data")
    key = data.get("key", "") if isinstance(data, dict) else ""
    return "rest-service." in str(key)
