"""The commands of ``tap-bitbucket auth`` about the tokens that are kept here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.tokens import StoredTokens
from tap_bitbucket.login import account
from tap_bitbucket.login.options import Settings, settings_options


@click.command(
    "logout",
    short_help="Forget the tokens that are kept here.",
    help="Forget the tokens that are kept here, and empty refresh_token in the configuration file"
    " if it is there.\n\n"
    "Bitbucket has no way to be told: an access token ends by itself after some hours, and the"
    " consent is withdrawn in the personal settings there, under App authorizations.",
)
@settings_options
def logout(settings: Settings) -> None:
    """Forget the tokens."""
    sign_in = settings.sign_in
    place, kept, was_there = sign_in.place, None, True
    try:
        kept = sign_in.kept()
        was_there = kept is not None
    except AuthenticationError as error:  # to forget what cannot be read is a way out of that
        click.echo(f"What is kept could not be read ({error})", err=True)
    changed = emptied(settings, sign_in.forget)
    if was_there:
        click.echo(f"Removed: the tokens of {account.consumer(sign_in)} from {place}")
    tell_of_seed(settings, emptied=changed)
    if was_there or changed:
        click.echo(
            f"Bitbucket itself accepts the access token {_end(kept)}. To withdraw the consent for"
            " good: Bitbucket > Personal settings > App authorizations"
        )
    else:
        click.echo(
            f"There was nothing to forget: no tokens of {account.consumer(sign_in)} are in {place}"
        )


def emptied(settings: Settings, forget: Callable[[], None]) -> bool:
    """Forget, and tell whether that emptied the refresh token of the configuration.

    Raises:
        AuthenticationError: The tokens could not be removed.
    """
    before = _content(settings.file)
    forget()
    return before != _content(settings.file)


def tell_of_seed(settings: Settings, *, emptied: bool) -> None:
    """Say what became of the refresh token in the settings."""
    if emptied:
        click.echo(f"Emptied: refresh_token in {settings.file}")
    if settings.sign_in.seed_remains:
        click.echo(
            "refresh_token remains in the settings, in the environment or in a file that is not"
            " written to: remove it there, or the next run begins with it again"
        )


def _end(kept: StoredTokens | None) -> str:
    if kept is None or kept.access is None:
        return "until it ends, if there is one"
    return f"until it ends, at {account.until(kept.access)}"


def _content(file: Path | None) -> bytes | None:
    try:
        return None if file is None else file.read_bytes()
    except OSError:
        return None
