"""The command that tests the connection: who, what for, until when, and what is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from tap_bitbucket.auth import AuthenticationError, credentials_from
from tap_bitbucket.inputs import check_catalog, check_json_file
from tap_bitbucket.login.options import Settings, settings_options
from tap_bitbucket.login.report import as_json, as_text, reports
from tap_bitbucket.tap import TapBitbucket


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
    tap = TapBitbucket(
        config={**settings.config, "layout": "shared"},
        catalog=_catalog(catalog_file),
        parse_env_config=False,
        setup_mapper=False,
    )
    credentials = credentials_from(
        {**settings.config, "user_agent": tap.user_agent},
        config_file=settings.file,
        patient=False,
    )
    if settings.credential is not None:
        credentials = [one for one in credentials if one.name == settings.credential]
        if not credentials:
            message = f"There is no credential {settings.credential!r} in the settings"
            raise AuthenticationError(message)
    config = {**settings.config, "user_agent": tap.user_agent}
    found = list(reports(credentials, config, tap.streams_read()))
    click.echo(as_json(found) if wants_json else as_text(found))
    if not all(one.works for one in found):
        sys.exit(1)


def _catalog(name: str | None) -> dict[str, Any] | None:
    """Read a catalog file.

    Raises:
        ConfigValidationError: It is none.
    """
    if name is None:
        return None
    check_json_file(Path(name), "catalog")
    catalog: dict[str, Any] = json.loads(Path(name).read_text(encoding="utf-8"))
    check_catalog(catalog)
    return catalog
