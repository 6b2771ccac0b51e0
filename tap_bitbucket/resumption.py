"""Going on where a run ended that its limits cut short.

A run that ``max_requests``, ``max_duration`` or a spent rate limit ends leaves in its STATE, beside
the bookmarks, which partitions it had finished (``resume``). The next run reads the others only:
else a budget that is too small for everything would always be spent on the same first part. When
all of it is done the next run is a normal one again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_bitbucket.client import BitbucketStream

Context = Mapping[str, Any] | None


_TOO_LONG = (
    "a list was longer than the limits of the last run, so that a part of it was read; the next run"
    " goes on from here"
)


class Resumption:
    """What was finished in the round of runs that this one belongs to.

    Args:
        given: ``resume`` of the state that the run was given.
        version: The table version of a round that begins now.
        streams: The names of the streams that are read, and what else makes another round.

    Attributes:
        version: The table version of the round: rows of a table that is read in several runs carry
            the same one.
        resumed: Whether earlier runs belong to the round.
        cut: Why this run does not finish it, if it does not.
    """

    def __init__(
        self, given: Mapping[str, Any] | None, version: int, streams: Iterable[str]
    ) -> None:
        self._streams = hashlib.blake2b(
            "\n".join(sorted(streams)).encode(), digest_size=8
        ).hexdigest()
        # Other streams than the earlier runs read make it a round of its own.
        self.resumed = bool(given) and (given or {}).get("streams") == self._streams
        before: Mapping[str, Any] = given if given and self.resumed else {}
        self.version: int = before.get("version", version)
        self._repositories: frozenset[str] = frozenset(before.get("repositories", ()))
        self._before = {name: frozenset(done) for name, done in before.get("done", {}).items()}
        self._finished = dict.fromkeys(before.get("repositories", ()))
        self._done: dict[str, dict[str, None]] = {
            name: dict.fromkeys(done) for name, done in before.get("done", {}).items()
        }
        self.cut: str | None = None
        self._left: set[tuple[str, str]] = set()

    def skips(self, stream: BitbucketStream, context: Context) -> bool:
        """Whether a partition is left to the next round: it and all that needs it were read."""
        if not self.resumed or not self._read_before(stream, context):
            return False
        below = stream.below()
        return all(one.told_by != stream.entity for one in below) and all(
            self._read_before(one, context) for one in below
        )

    def _read_before(self, stream: BitbucketStream, context: Context) -> bool:
        key = key_of(context)
        if stream.kind == "repository" and key in self._repositories:
            return True
        return key in self._before.get(stream.name, ())

    def note(self, stream: BitbucketStream, context: Context) -> None:
        """Take note that a partition is read and written."""
        if (stream.name, key_of(context)) in self._left:
            self.cut = self.cut or _TOO_LONG
            return
        self._done.setdefault(stream.name, {})[key_of(context)] = None

    def leave(self, names: Iterable[str], context: Context) -> None:
        """Take note that streams read only a part of a partition in this run."""
        self._left.update((name, key_of(context)) for name in names)

    def note_repository(self, context: Context, streams: Iterable[BitbucketStream]) -> None:
        """Take note that all of a repository is read, if it is."""
        key = key_of(context)
        names = [one.name for one in streams]
        if all(key in self._done.get(name, ()) for name in names):
            self._finished[key] = None
            for name in names:
                self._done[name].pop(key, None)

    @property
    def state(self) -> dict[str, Any] | None:
        """Return what the next run must know to go on; None if it begins anew."""
        if self.cut is None and not self.resumed:
            return None
        done = {name: list(keys) for name, keys in self._done.items() if keys}
        return {
            "version": self.version,
            "streams": self._streams,
            "repositories": list(self._finished),
            "done": done,
        }

    def finish(self) -> None:
        """End the round, if nothing cut it."""
        if self.cut is None:
            self.resumed = False


def key_of(context: Context) -> str:
    """Return what identifies a partition: the value of its context, which is one."""
    return " ".join(str(value) for value in (context or {}).values())


def problem_of(resume: object) -> str | None:
    """Return what is wrong with ``resume`` of a state, None if nothing is."""
    if resume is None:
        return None
    if not isinstance(resume, dict):
        return "'resume' is not an object"
    if not isinstance(resume.get("version"), int) or isinstance(resume["version"], bool):
        return "'version' of 'resume' is not a number"
    done = resume.get("done", {})
    if not isinstance(done, dict):
        return "'done' of 'resume' is not an object"
    for keys in (resume.get("repositories", []), *done.values()):
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            return "'resume' names partitions that are no texts"
    return None
