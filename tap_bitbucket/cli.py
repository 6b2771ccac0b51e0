"""The command ``tap-bitbucket``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tap_bitbucket.tap import TapBitbucket


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tap, or one of its own commands, which are words where Singer has options."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["demo"]:
        from tap_bitbucket.demo.run import main as demo  # noqa: PLC0415 - needs its own packages

        demo(given[1:])
        return
    TapBitbucket.cli(args=given)
