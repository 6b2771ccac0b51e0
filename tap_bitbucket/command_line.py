"""The command's options, and how a run ends: one line that says why, and an exit code."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import click
from dotenv import find_dotenv, load_dotenv
from singer_sdk import Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.plugin_base import _ConfigInput

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.uninterrupted import wait_for_crucial
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.inputs import check_catalog, check_json_file, json_option
from tap_bitbucket.progress import calm
from tap_bitbucket.showing import shown

FAILED, SKIPPED = 1, 3
"""Exit codes; 128 + signal number is the third."""


_GRACE = 1.8
"""Seconds that a stopping run has, until it ends even inside a write that its target blocks."""


_EXCHANGE = 6.0
"""Seconds more for an exchange of tokens; Docker, for one, kills ten seconds after SIGTERM."""


class Refusal(Exception):  # noqa: N818 - ends the run with one line
    """The run cannot go on; the message says why and what to do."""


class CommandLine(Tap):
    """A tap that explains itself."""

    config_files: ClassVar[tuple[Path, ...]] = ()
    """The files given with ``--config``: a rotated refresh token is written back into them."""

    is_program: ClassVar[bool] = False
    """Whether the process does nothing else."""

    stopping: threading.Event
    """Set to end a run."""

    stopped_by: int | None = None
    """The signal that ended the run."""

    def __init__(self, *, config: Any = None, **kwargs: Any) -> None:
        """Set the tap up. A setting that is null is one that is not set: its default holds."""
        if isinstance(config, dict):
            config = {name: value for name, value in config.items() if value is not None}
        super().__init__(config=config, **kwargs)

    @property
    def reading_ahead(self) -> bool:
        """Whether this is a sync, with workers."""
        raise NotImplementedError

    def settle(self, *, quiet: bool = False) -> None:
        """Make ready a process that does nothing but this run."""
        raise NotImplementedError

    def _handle_termination(self, signum: int, frame: Any) -> None:  # noqa: ARG002
        """Stop at the next record, with the STATE of what is out; at once the second time.

        The SDK writes STATE from inside the handler, which may be inside a RECORD, and exits 0.
        """
        if self.stopped_by is not None or not self.reading_ahead:
            self.restore_terminal()
            os._exit(128 + signum)
        self.stopped_by = signum
        self.stopping.set()
        last_resort = threading.Timer(_GRACE, self._end_now, [128 + signum])
        last_resort.daemon = True
        last_resort.start()

    def _end_now(self, code: int) -> None:
        """End, but not between the answer to a refresh and the stored token, if that ends soon."""
        wait_for_crucial(_EXCHANGE)
        self.restore_terminal()
        os._exit(code)

    def restore_terminal(self) -> None:
        """Leave the terminal as it was, at once."""
        raise NotImplementedError

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command, with the tap's own options."""
        command = super().get_singer_command()
        command.params.append(
            click.Option(
                ["--quiet"],
                is_flag=True,
                help="Show neither progress nor what is usual: only warnings and errors.",
            )
        )
        return command

    @property
    def exit_code(self) -> int:
        """Return how the run ended."""
        raise NotImplementedError

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - a property of the class
        """Return the settings of the environment.

        Raises:
            ConfigValidationError: If one cannot be read; the SDK would not say which.
        """
        # A .env file is looked for where the command runs; the SDK looks beside its own files.
        load_dotenv(find_dotenv(usecwd=True))
        cls.append_builtin_config(cls.config_jsonschema)
        prefix = cls._env_var_prefix
        found: dict[str, Any] = {}
        for name, declared in cls.config_jsonschema["properties"].items():
            variable = f"{prefix}{name.upper()}"
            if variable not in os.environ:
                continue
            try:
                if "array" in declared["type"] and os.environ[variable].startswith("["):
                    json.loads(os.environ[variable])  # the SDK would split it at its commas
                found |= parse_environment_config({"properties": {name: declared}}, prefix, "-")
            except (ValueError, TypeError):
                kinds = [kind for kind in declared["type"] if kind != "null"]
                value = "its value" if declared.get("secret") else shown(os.environ[variable])
                message = (
                    f"The environment variable {variable}: {value} must be of type "
                    f"{' or '.join(kinds)}; arrays and objects are written as JSON."
                )
                raise ConfigValidationError(message, errors=[message]) from None
        return found

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read ``--config``, remembering the files' names, which the SDK forgets."""
        files = tuple(Path(name) for name in value if name != "ENV")
        try:
            for file in files:
                check_json_file(file, "config")
        except ConfigValidationError as error:
            cls.refuse(str(error))
        cls.config_files = files
        return super().cb_config(ctx, param, value)

    @classmethod
    def invoke(cls, **kwargs: Any) -> None:
        """Run from the command line; whatever goes wrong ends in one line and an exit code."""
        if kwargs.get("about"):
            cls.print_about(kwargs.get("about_format"))
            return
        config: _ConfigInput = kwargs.get("config") or _ConfigInput()
        calm(quiet=bool(kwargs.get("quiet")))
        try:
            with cls._explaining():
                catalog = json_option(kwargs.get("catalog"), "catalog")
                check_catalog(catalog)
                tap = cls(
                    config=config.config,
                    state=json_option(kwargs.get("state"), "state"),
                    catalog=catalog,
                    parse_env_config=config.parse_env,
                )
                tap.settle(quiet=bool(kwargs.get("quiet")))
                tap.sync_all()
        except RecursionError:
            cls.refuse("The config, the catalog or the state is nested too deep to be read.")
        except OSError as error:
            cls.refuse_output(error)
        code = tap.exit_code
        if code == FAILED:
            cls.refuse("Nothing could be read: see what was skipped, and why, above.")
        if code:
            sys.exit(code)

    @classmethod
    def print_schemas(cls, config: _ConfigInput | None = None) -> None:
        """Print the database schemas of the layout per repository; errors end in one line."""
        given = config or _ConfigInput()
        places = {**given.config, "layout": "per_repository"}
        with cls._explaining():
            tap = cls(config=places, parse_env_config=given.parse_env, setup_mapper=False)
            click.echo(tap.schemas_table())

    def schemas_table(self) -> str:
        """Return the database schemas of the layout per repository as text."""
        raise NotImplementedError

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Run ``--discover``; what goes wrong ends in one line."""
        with cls._explaining():
            super().cb_discover(ctx, param, value)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run ``--test``; what goes wrong ends in one line."""
        with cls._explaining():
            super().cb_test(ctx, param, value)

    @classmethod
    @contextmanager
    def _explaining(cls) -> Iterator[None]:
        """End what cannot go on with one line."""
        try:
            yield
        except (Refusal, AuthenticationError, ConfigValidationError, ReadError) as error:
            cls.refuse(str(error))
        except (MapExpressionError, StreamMapConfigError) as error:
            cls.refuse(f"The setting 'stream_maps' cannot be used: {error}")

    @classmethod
    def refuse_output(cls, error: OSError) -> NoReturn:
        """Say that nothing more can be written, and exit with 1."""
        # Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            cls.refuse("The target closed the pipe: its own messages say why.")
        cls.refuse(f"Writing to stdout failed: {error.strerror or error}.")

    @classmethod
    def refuse(cls, sentence: str) -> NoReturn:
        """Say in one line why there is nothing more, and exit with 1."""
        line = " ".join(sentence.split())
        # What came from a file or from Bitbucket must not be able to command a terminal.
        visible = (one if one.isprintable() else ascii(one)[1:-1] for one in line)
        cls.logger.error("%s", "".join(visible))
        sys.exit(FAILED)
