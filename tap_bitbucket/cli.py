"""The command ``tap-bitbucket``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from tap_bitbucket.tap import TapBitbucket


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tap, or one of its own commands, which are words where Singer has options."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["demo"]:
        from tap_bitbucket.demo.run import main as demo  # noqa: PLC0415 - needs its own packages

        demo(given[1:])
        return
    try:
        code = TapBitbucket.cli.main(args=given, prog_name="tap-bitbucket", standalone_mode=False)
    except click.ClickException as error:
        TapBitbucket.refuse(error.format_message())
    except click.Abort:
        TapBitbucket.refuse("Stopped.")
    sys.exit(code if isinstance(code, int) else 0)
