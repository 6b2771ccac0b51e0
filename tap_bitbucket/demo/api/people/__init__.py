"""The caller, and other people."""

from tap_bitbucket.demo.api.people import (
    caller,
    keys,
)

__all__ = [
    "caller",
    "keys",
]
