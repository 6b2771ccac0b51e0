"""The command that tells what a pass will cost."""

from __future__ import annotations

from typing import Any

import click

from tap_bitbucket.estimate.estimate import estimate
from tap_bitbucket.estimate.report import as_json, as_text
from tap_bitbucket.inputs import catalog_in
from tap_bitbucket.login.options import Settings, a_tap, config_option, one_line


@click.command(
    "estimate",
    short_help="Tell what a pass will cost in requests and hours.",
    help="Tell what a first run of the selected streams will cost in requests and hours, stream by"
    " stream, and the next one if nothing changed. It asks how long the lists are, of a sample of"
    " the repositories: first those that were pushed to last, then an even spread over the rest.",
)
@config_option
@click.option(
    "--catalog",
    "catalog_file",
    metavar="FILE",
    help="The catalog whose selected streams are meant; without it, those that are on by default.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many repositories are looked at; 0 for none, which tells the least that it costs.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For a person, or for a program.",
)
def command(given: Any, catalog_file: str | None, sample: int, form: str) -> None:
    """Tell what a pass will cost."""
    with one_line():
        settings = Settings.of(given)
        # A limit that is spent, or a scope that is missing, is part of the answer.
        config = {**settings.config, "on_rate_limit": "stop", "on_missing_scope": "skip"}
        for name in ("max_requests", "max_duration"):
            config.pop(name, None)
        tap = a_tap(config, catalog=catalog_in(catalog_file), parse_env_config=False)
        try:
            found = estimate(tap, sample, announce)
        finally:
            tap.session.transport.close()
        click.echo(as_json(found) if form == "json" else as_text(found))


def announce(most: int) -> None:
    """Say what it takes, before anything is asked."""
    click.echo(
        f"Asking at most {most:,} times, and once for each 100 repositories and projects.",
        err=True,
    )
