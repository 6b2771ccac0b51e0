"""A value in a message: short, writable, and without a secret from the wrong place."""

from __future__ import annotations

import json
import re
from decimal import Decimal

_TOKEN = re.compile(
    r"(?=[a-z0-9_+=~./-]*[A-Z])(?=[A-Z0-9_+=~./-]*[a-z])(?=[A-Za-z_+=~./-]*[0-9])"
    r"[A-Za-z0-9_+=~./-]{20,}.*",
    re.DOTALL,
)
"""What may be a token: a long word with capitals, small letters and digits; and what follows."""

_SIGN_IN = re.compile(r"//[^/?#]*@")
"""A user and a password in an address."""

_HALF = re.compile("[\ud800-\udfff]")

_LONGEST = 78


def shown(value: object) -> str:
    """Return a value as a message shows it: of a long one, and of a token, the beginning.

    >>> shown("acme"), shown("ATATT3xFfGF0" * 9), shown("http://me:word@host/2.0")
    ("'acme'", "'ATAT…'", "'http://…@host/2.0'")
    """
    if isinstance(value, str):
        return repr(_plain(value))
    return _plain(str(value) if isinstance(value, Decimal) else repr(value))


def half_character(value: object) -> str | None:
    """Return the first half of a surrogate pair in JSON, which no file or address can hold.

    >>> half_character({"name": chr(0xD83D)}) == chr(0xD83D), half_character(["whole"])
    (True, None)
    """
    found = _HALF.search(json.dumps(value, ensure_ascii=False, default=str))
    return found[0] if found else None


def _plain(text: str) -> str:
    text = _SIGN_IN.sub("//…@", text)
    return _TOKEN.sub(lambda found: found[0][:4] + "…", text)[:_LONGEST]
