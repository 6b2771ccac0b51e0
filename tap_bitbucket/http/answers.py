"""An answer as it comes in: read whole, but not for ever and not without measure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests
from urllib3.response import BaseHTTPResponse

LARGEST = 128 * 1024 * 1024
"""Bytes of a body, decompressed. A page of a hundred large rows has a few MiB."""

LONGEST = 10
"""How many times the seconds between two bytes the whole of an answer may take."""

_AT_ONCE = 64 * 1024


class Endless(Exception):  # noqa: N818 - it says what the answer is
    """The answer does not come to an end."""


@dataclass(frozen=True)
class Received:
    """A whole answer.

    Attributes:
        status_code: The HTTP status.
        headers: By name, in any spelling.
        content: The body, decompressed.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def receive(response: requests.Response, timeout: float) -> Received:
    """Read the body of an answer that was asked for as a stream.

    Args:
        response: Of which the headers have come.
        timeout: Seconds between two bytes, which the connection sees to.

    Raises:
        Endless: It takes too long, or is too large.
        urllib3.exceptions.HTTPError: It was cut short, late, or cannot be decompressed.
    """
    raw: BaseHTTPResponse = response.raw
    try:
        body = _body(raw, time.monotonic() + LONGEST * timeout)
    except BaseException:
        raw.close()
        raise
    raw.release_conn()
    return Received(response.status_code, response.headers, body)


def _body(raw: BaseHTTPResponse, ends: float) -> bytes:
    parts, size = [], 0
    # A plain read waits for all that it asks for: for ever, where a byte comes now and then.
    while part := raw.read1(_AT_ONCE, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > LARGEST or time.monotonic() > ends:
            raise Endless
    return b"".join(parts)
