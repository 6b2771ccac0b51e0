"""How the truth about one kind of thing is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import Json, Repository, User, Workspace

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World

Key = str | int | None
Truth = tuple[str, str | None, Key, Json]
Rows = Iterator[tuple[Key, Json]]
OfRepository = Callable[["World", Repository], Rows]
OfWorkspace = Callable[["World", Workspace], Rows]
OfUser = Callable[["World", User], Rows]
