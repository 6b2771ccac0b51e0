"""How what a target holds differs from the world, but for what is documented."""

from __future__ import annotations

from collections.abc import Iterable

from tests.furniture import KEPT
from tests.model.promises import Promises
from tests.story import Story, settled
from tests.truth import Key, content, missing, truth, with_columns


def _is_of_its_time(what: str) -> bool:
    """Whether a difference is what stays in rows that are history as it was then.

    That is the address of a page for people, and the commit of a fork that was deleted.
    """
    of_a_fork = ".source.commit:" in what and what.endswith("is not None")
    return "https://bitbucket.org/" in what or of_a_fork


def held_wrongly(
    story: Story, streams: Iterable[str], kept: set[str], promises: Promises
) -> list[str]:
    """Return what is lost, left over or stale, in a few sentences.

    Args:
        story: The world and the target.
        streams: The streams.
        kept: Those of which rows may be left over.
        promises: What is forgiven.
    """
    found: list[str] = []
    for stream in streams:
        expected, held = with_columns(story.world, stream), story.target[stream]
        if stream not in kept:
            found += [f"{stream} {key} should be gone" for key in held.keys() - expected.keys()]
        for key, (columns, whole) in expected.items():
            of = (*key, columns.get("commit_hash"), columns.get("pipeline_uuid"))
            if promises.forgives(stream, of):
                continue
            if key not in held:
                found.append(f"{stream} {key} is missing")
                continue
            row = settled(content(held[key], stream), stream)
            found += [
                f"{stream} {key}{what}"
                for what in missing(row, settled(whole, stream))
                if stream not in KEPT or not _is_of_its_time(what)
            ]
    return found[:8]


class Witness:
    """Sees which rows a target loses in a sync, and whether Bitbucket has them still."""

    def __init__(self, story: Story, streams: Iterable[str]) -> None:
        self._story = story
        self._streams = sorted(set(streams) - KEPT)
        self._there: dict[str, set[Key]] = {}
        self._were_gone: dict[str, set[Key]] = {}

    def looks(self) -> None:
        """Note what the target holds that Bitbucket has, before a sync.

        Of runs that go on where others were cut, those before may have read the list while a row
        was gone: it then comes again with the next round.
        """
        if "resume" not in (self._story.state or {}):
            self._were_gone = {stream: set() for stream in self._streams}
        self._note_what_is_gone()
        target = self._story.target
        self._there = {
            stream: target[stream].keys() - self._were_gone[stream] for stream in self._streams
        }

    def _note_what_is_gone(self) -> None:
        world, target = self._story.world, self._story.target
        for stream in self._streams:
            self._were_gone[stream] |= target[stream].keys() - truth(world, stream).keys()

    def misses(self) -> list[str]:
        """Return what the target lost in the sync, although Bitbucket had it all the time."""
        world, target = self._story.world, self._story.target
        lost = {stream: there - target[stream].keys() for stream, there in self._there.items()}
        self._note_what_is_gone()
        return [
            f"{stream} {key} vanished"
            for stream, keys in lost.items()
            for key in keys
            if key in truth(world, stream)
        ]
