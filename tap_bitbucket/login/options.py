"""What the commands have in common: settings by the tap's own rules, and an end in one line."""

from __future__ import annotations

import functools
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from singer_sdk.exceptions import ConfigValidationError

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.sign_in import SignIn
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.tap import Refusal, TapBitbucket

_STOPPED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Settings:
    """The settings of a command.

    Attributes:
        config: As a run of the tap would have them.
        file: The configuration file that a new refresh token is written back to.
        credential: Which of several credentials is meant; None if nobody said.
    """

    config: Mapping[str, Any]
    file: Path | None
    credential: str | None = None

    @classmethod
    def of(cls, given: Any, credential: str | None = None) -> Settings:
        """Read the settings that `--config` names, or else those of the environment.

        Args:
            given: What `TapBitbucket.cb_config` made of ``--config``.
            credential: Which of several credentials is meant.

        Raises:
            ConfigValidationError: The settings cannot be used.
        """
        files = TapBitbucket.config_files
        tap = a_tap(given.config, parse_env_config=given.parse_env or not files)
        return cls(tap.config, tap.file_of_tokens, credential)

    @functools.cached_property
    def sign_in(self) -> SignIn:
        """Return the way in of the consumer that is meant.

        Raises:
            AuthenticationError: There is none, or it keeps nothing.
        """
        sign_in = SignIn.of(self.config, self.credential, config_file=self.file)
        _ = sign_in.place  # says that there is nothing to sign in to, where that is so
        return sign_in


def a_tap(config: Any, **more: Any) -> TapBitbucket:
    """Return a tap that is only asked things: it leaves the signals of the process alone.

    Raises:
        ConfigValidationError: The settings cannot be used.
    """
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        return TapBitbucket(config=config, setup_mapper=False, **more)
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)


config_option = click.option(
    "--config",
    "given",
    multiple=True,
    metavar="FILE",
    callback=TapBitbucket.cb_config,
    help="The tap's configuration file; may be given several times. ENV stands for the"
    " environment and .env, which are read as well if no file is given.",
)
"""Which files hold the settings."""


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name settings, and hand it `Settings` as first argument."""

    @config_option
    @click.option(
        "--credential",
        metavar="NAME",
        help="Which OAuth consumer, if the setting credentials has several.",
    )
    @functools.wraps(command)
    def with_settings(given: Any, credential: str | None, **options: Any) -> None:
        with one_line():
            command(Settings.of(given, credential), **options)

    return with_settings


@contextmanager
def one_line() -> Iterator[None]:
    """End whatever cannot go on with one line and an exit code, as a run of the tap does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # people have names that some terminals lack
    if not any(os.environ.get(name) for name in ("LOGLEVEL", "TAP_BITBUCKET_LOGLEVEL")):
        logging.getLogger().setLevel(logging.WARNING)  # a person is told in lines, not in a log
    # By default SIGTERM would end the process between Bitbucket's answer and the stored tokens.
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except (AuthenticationError, ConfigValidationError, Refusal, ReadError) as error:
        TapBitbucket.refuse(str(error))
    except KeyboardInterrupt:
        TapBitbucket.logger.error("Stopped: `tap-bitbucket auth status` tells what is kept")
        sys.exit(_STOPPED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> NoReturn:
    sys.exit(_TERMINATED)
