"""The command that tests the connection: who, what for, until when, and what is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from tap_bitbucket.auth import AuthenticationError, credentials_from
from tap_bitbucket.inputs import catalog_in
from tap_bitbucket.login.options import Settings, a_tap, settings_options
from tap_bitbucket.login.report import Report, as_json, as_text, reports


@click.command(
    "status",
    short_help="Test the connection: who, which scopes, which workspaces.",
    help="Test the connection, with a few requests: who signs in, which scopes and workspaces there"
    " are, until when the access token is good, how many requests are left, and which selected"
    " streams lack a scope. Exits with 1 if a credential does not work.",
)
@settings_options
@click.option(
    "--catalog",
    "catalog_file",
    metavar="FILE",
    help="The catalog whose selected streams are looked at; without it, those that are on by"
    " default.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print it for a program to read.")
def status(settings: Settings, *, catalog_file: str | None, wants_json: bool) -> None:
    """Test the connection."""
    found = check(
        settings.config,
        config_file=settings.file,
        credential=settings.credential,
        catalog=catalog_in(catalog_file),
    )
    click.echo(as_json(found) if wants_json else as_text(found))
    if not all(one.works for one in found):
        sys.exit(1)


def check(
    config: Mapping[str, Any],
    *,
    config_file: Path | None = None,
    credential: str | None = None,
    catalog: Mapping[str, Any] | None = None,
) -> list[Report]:
    """Test the connection with a few requests, and return what was found out.

    Args:
        config: The tap's settings.
        config_file: The file they are from, if a rotated refresh token is to be kept there, too.
        credential: Which of several is meant; None for all.
        catalog: A Singer catalog, whose selected streams are looked at.

    Raises:
        AuthenticationError: There is no such credential, or nobody has signed in yet.
        ConfigValidationError: The settings cannot be used.
    """
    tap = a_tap({**config, "layout": "shared"}, catalog=catalog, parse_env_config=False)
    found = credentials_from(tap.whole_config, config_file=config_file, patient=False)
    chosen = [one for one in found if credential in {None, one.name}]
    if not chosen:
        message = f"There is no credential {credential!r} in the settings"
        raise AuthenticationError(message)
    return list(reports(chosen, tap.whole_config, tap.streams_read()))
