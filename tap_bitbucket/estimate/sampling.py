"""Which repositories are looked at, and which of them stands for each of the others."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")

K = TypeVar("K", bound=Hashable)


def spread(order: Sequence[T], count: int) -> list[T]:
    """Return so many, from the first to the last.

    >>> spread("abcdefghi", 3), spread("ab", 3)
    (['a', 'e', 'i'], ['a', 'b'])
    """
    if count >= len(order):
        return list(order)
    return [order[round(number * (len(order) - 1) / max(1, count - 1))] for number in range(count)]


def chosen(order: Sequence[K], count: int) -> list[K]:
    """Return the first half of a sample from the front, the rest spread evenly over what follows.

    >>> chosen(range(20), 6)
    [0, 1, 2, 5, 11, 17]
    """
    if count >= len(order):
        return list(order)
    front = (count + 1) // 2
    rest, few = order[front:], count - front
    step = len(rest) / few if few else 0.0
    return [*order[:front], *(rest[int((number + 0.5) * step)] for number in range(few))]


def nearest(order: Sequence[K], sample: Sequence[K]) -> dict[K, K]:
    """Return for each the one of the sample that is nearest to it in this order."""
    position = {one: number for number, one in enumerate(order)}
    known = sorted(sample, key=position.__getitem__)
    found: dict[K, K] = {}
    ahead = 0
    for number, one in enumerate(order):
        while ahead + 1 < len(known) and (
            abs(position[known[ahead + 1]] - number) <= abs(position[known[ahead]] - number)
        ):
            ahead += 1
        if known:
            found[one] = known[ahead]
    return found
