"""The command ``tap-bitbucket``."""

from __future__ import annotations

import atexit
import signal
import sys
from collections.abc import Sequence

import click

from tap_bitbucket.tap import TapBitbucket

OWN_WORDS = (
    "Words instead of options, each with --help: `tap-bitbucket auth` signs in and tests the"
    " connection, `tap-bitbucket estimate` tells what a run will cost in requests and hours,"
    " `tap-bitbucket schemas` tells the database schemas of a layout per repository,"
    " `tap-bitbucket demo` shows the tap at work without an account."
)


def schemas_command(tap: click.Command) -> click.Command:
    """Return the command that prints which database schemas ``layout: per_repository`` makes."""
    config = next(option for option in tap.params if option.name == "config")
    return click.Command(
        "schemas",
        params=[config],
        callback=TapBitbucket.print_schemas,
        help="Print the database schemas of the layout per repository, and whose they are.",
    )


def _keep_exit_code() -> None:
    """Be deaf to signals while Python ends: its handlers are gone then, and one would kill it."""
    if TapBitbucket.is_program:
        for one in (signal.SIGINT, signal.SIGTERM):
            atexit.register(signal.signal, one, signal.SIG_IGN)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tap, or one of its own commands, which are words where Singer has options."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["demo"]:
        from tap_bitbucket.demo.run import main as demo  # noqa: PLC0415 - needs its own packages

        demo(given[1:])
        return
    TapBitbucket.is_program = arguments is None
    _keep_exit_code()
    command, name = TapBitbucket.cli, "tap-bitbucket"
    command.epilog = OWN_WORDS
    if given[:1] == ["schemas"]:
        command, name, given = schemas_command(command), "tap-bitbucket schemas", given[1:]
    elif given[:1] == ["auth"]:
        from tap_bitbucket.login.commands import auth  # noqa: PLC0415 - no run needs it

        command, name, given = auth, "tap-bitbucket auth", given[1:]
    elif given[:1] == ["estimate"]:
        from tap_bitbucket.estimate.command import (  # noqa: PLC0415 - no run needs it
            command as estimate,
        )

        command, name, given = estimate, "tap-bitbucket estimate", given[1:]
    try:
        code = command.main(args=given, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        TapBitbucket.refuse(error.format_message())
    except click.Abort:
        TapBitbucket.refuse("Stopped.")
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise  # not about stdout
        TapBitbucket.refuse_output(error)
    sys.exit(code if isinstance(code, int) else 0)
