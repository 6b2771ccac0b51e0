"""Structs that several threads may decode."""

from __future__ import annotations

from typing import TypeVar

import msgspec

S = TypeVar("S", bound=type[msgspec.Struct])


def decodable(struct: S) -> S:
    """Return a struct that msgspec has looked at.

    It looks at the types of a struct's fields when it first decodes one, and hands what it knows
    to other threads before that is whole: where two of them get their first page at the same
    moment, the process ends by a segmentation fault (``StructInfo_Convert`` in msgspec 0.22).
    """
    msgspec.json.Decoder(struct)
    return struct
