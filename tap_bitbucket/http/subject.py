"""What a path of the API is about."""

from __future__ import annotations

from urllib.parse import unquote

_PERSONAL = "/user"
"""How the paths begin of what belongs to a person."""

_IN_WORKSPACE = frozenset(("repositories", "workspaces", "snippets"))


def is_personal(path: str) -> bool:
    """Tell whether a path is about the one who asks."""
    return path.startswith(_PERSONAL)


def workspace_of(path: str) -> str | None:
    """Return the slug or uuid of the workspace that a path is about, in lower case.

    >>> workspace_of("/repositories/acme/web/commits")
    'acme'
    """
    first, _, rest = path.lstrip("/").partition("/")
    name = rest.partition("/")[0]
    return unquote(name).casefold() if first in _IN_WORKSPACE and name else None
