"""Which streams a credential has no scope for, said before their lists are asked for.

Which scope a list needs is in Bitbucket's API description; what the credential has is in the
token response, and in a header of every answer. The two together are good for a warning, and for
ending a run that was told to (``on_missing_scope: fail``). What is really refused is left to
Bitbucket, at one request per stream: an error in the description must cost nobody rows.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from tap_bitbucket.http.errors import Fatal
from tap_bitbucket.http.identities import Group, Identity, is_personal
from tap_bitbucket.listing import ListedStream

logger = logging.getLogger("tap-bitbucket.preflight")

Stream = ListedStream | type[ListedStream]

_SUFFIX = ":bitbucket"
"""What the names of the scopes of API tokens end in."""

_TOKEN_SCOPES = {
    "account": "read:workspace",
    "project:admin": "read:project",
    "repository:admin": "admin:repository",
    "repository, repository:admin": "admin:repository",
}

_IMPLIED = {
    "account:write": ("account",),
    "pipeline:variable": ("pipeline", "pipeline:write"),
    "pipeline:write": ("pipeline",),
    "project": ("repository",),
    "pullrequest": ("repository",),
    "pullrequest:write": ("pullrequest", "repository", "repository:write"),
    "repository:write": ("repository",),
    "runner:write": ("runner",),
    "snippet:write": ("snippet",),
}
"""What an OAuth scope brings along (https://developer.atlassian.com/cloud/bitbucket/rest/intro/,
"Scopes"); the scopes of API tokens, and those of administrators, bring nothing."""


def token_scope(stream: Stream) -> str:
    """Return the scope that a stream needs of an API token, without its ending."""
    usual = _TOKEN_SCOPES.get(stream.scope, f"read:{stream.scope}" if stream.scope else "")
    return stream.token_scope or usual


def missing(stream: Stream, granted: Collection[str]) -> list[str]:
    """Return the scopes that a stream needs and a credential does not have."""
    if any(scope.endswith(_SUFFIX) for scope in granted):
        needed, has = [f"{token_scope(stream)}{_SUFFIX}"] if token_scope(stream) else [], {*granted}
    else:
        needed = [scope.strip() for scope in stream.scope.split(",") if scope.strip()]
        has = {*granted, *(name for scope in granted for name in _IMPLIED.get(scope, ()))}
    return [scope for scope in needed if scope not in has]


def lacking(streams: Iterable[ListedStream], group: Sequence[Identity]) -> dict[str, list[str]]:
    """Return the streams that none of these identities may read: name → scopes of which it lacks.

    Args:
        streams: Those that are read.
        group: Identities for the same workspaces, of known scopes.
    """
    able = [one.scopes for one in group if one.scopes is not None]
    found: dict[str, list[str]] = {}
    for stream in streams:
        each = [missing(stream, scopes) for scopes in able]
        if each and all(each):
            found[stream.entity] = min(each, key=len)
    return found


def sentence(found: Mapping[str, Sequence[str]]) -> str:
    """Say which scopes are missing, and for which streams.

    >>> sentence({"tags": ["repository"], "branches": ["repository"], "runners": ["runner"]})
    'repository for tags and branches; runner for runners'
    """
    by_scopes: dict[str, list[str]] = {}
    for stream, scopes in found.items():
        by_scopes.setdefault(" and ".join(scopes), []).append(stream)
    return "; ".join(f"{scopes} for {_listed(names)}" for scopes, names in by_scopes.items())


class Preflight:
    """Compares scopes with streams once, as soon as both are known.

    Args:
        on_missing: ``skip`` or ``fail``.

    Attributes:
        doubtful: Streams that some credential has no scope for.
    """

    def __init__(self, on_missing: str) -> None:
        self.doubtful: set[str] = set()
        self._on_missing = on_missing
        self._streams: list[ListedStream] | None = None
        self._known: list[tuple[Group, Identity | None]] = []

    def begin(self, streams: Iterable[ListedStream]) -> None:
        """Take note of the streams that are read.

        Raises:
            Fatal: As below, for identities whose scopes are known already.
        """
        self._streams = list(streams)
        for group, person in self._known:
            self._compare(self._streams, group, person)

    def __call__(self, group: Group, person: Identity | None) -> None:
        """Take note of what the identities for a workspace may do, and say what they lack.

        Args:
            group: The identities, of known scopes.
            person: Who of them asks for what belongs to a person.

        Raises:
            Fatal: They lack something, and ``on_missing_scope`` is ``fail``.
        """
        if self._streams is None:
            self._known.append((group, person))
        else:
            self._compare(self._streams, group, person)

    def _compare(
        self, streams: Iterable[ListedStream], group: Group, person: Identity | None
    ) -> None:
        personal = [stream for stream in streams if is_personal(stream.path)]
        found = lacking([stream for stream in streams if stream not in personal], group)
        found |= lacking(personal, [] if person is None else [person])
        if not found:
            return
        names = " and ".join(one.name for one in group)
        said = f"{names} lacks scopes: {sentence(found)}"
        way_out = "Give the credential these scopes, or deselect the streams"
        if self._on_missing == "fail":
            message = f"{said}. {way_out}, or set on_missing_scope to 'skip'"
            raise Fatal(message)
        self.doubtful.update(found)
        logger.warning("%s. Bitbucket will refuse them, and they are skipped. %s.", said, way_out)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
