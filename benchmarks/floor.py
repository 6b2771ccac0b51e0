"""The least that a tap can spend: ask, decode, encode, write, and nothing else.

Run it with `python -m benchmarks.floor <url of the first page> <name of the stream>`.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import requests


class _Page(msgspec.Struct):
    values: list[dict[str, Any]]
    next: str | None = None


def main() -> None:
    """Write each row of a list as a RECORD."""
    url: str | None = sys.argv[1]
    decoder, encoder = msgspec.json.Decoder(_Page), msgspec.json.Encoder()
    with requests.Session() as session:
        while url is not None:
            page = decoder.decode(session.get(url, timeout=60).content)
            lines = [
                encoder.encode({"type": "RECORD", "stream": sys.argv[2], "record": row})
                for row in page.values
            ]
            sys.stdout.buffer.write(b"\n".join([*lines, b""]))
            url = page.next


if __name__ == "__main__":
    main()
