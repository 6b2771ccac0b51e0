"""Walking commit history the way `git log include ^exclude` does."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from tap_bitbucket.demo.model import Commit


def walk(
    objects: Mapping[str, Commit], include: Iterable[str], exclude: Iterable[str] = ()
) -> list[Commit]:
    """List what can be reached from `include` but not from `exclude`, newest first."""
    unwanted = {name for name in exclude if name in objects}
    seen = set(unwanted)
    heap: list[tuple[int, str]] = [(-objects[name].sequence, name) for name in unwanted]
    open_ends = 0
    for name in include:
        if name in objects and name not in seen:
            seen.add(name)
            heap.append((-objects[name].sequence, name))
            open_ends += 1
    heapq.heapify(heap)
    found: list[Commit] = []
    # A parent's sequence is always lower: once popped, a commit's colour is final, and when
    # only unwanted ones are left there is nothing more to find.
    while heap and open_ends:
        _, name = heapq.heappop(heap)
        commit = objects[name]
        dark = name in unwanted
        if not dark:
            found.append(commit)
            open_ends -= 1
        for parent in commit.parents:
            if parent not in objects:
                continue
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(heap, (-objects[parent].sequence, parent))
                if dark:
                    unwanted.add(parent)
                else:
                    open_ends += 1
            elif dark and parent not in unwanted:
                unwanted.add(parent)
                open_ends -= 1
    return found
