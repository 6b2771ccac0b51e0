"""The commands of ``tap-bitbucket auth`` that carry tokens to another machine."""

from __future__ import annotations

from pathlib import Path

import click

from tap_bitbucket.auth.encryption import new_key
from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.sign_in import SignIn
from tap_bitbucket.auth.tokens import StoredTokens
from tap_bitbucket.login import account, keeping, parcel
from tap_bitbucket.login.options import Settings, one_line, settings_options
from tap_bitbucket.tap import TapBitbucket

_FILE = click.Path(path_type=Path)


@click.command(
    "export",
    short_help="Write the tokens to an encrypted file.",
    help="Write the tokens to FILE, encrypted, to be carried to another machine, which takes them"
    " in by `auth import`.\n\n"
    "Bitbucket replaces the refresh token at every use, so only one machine may go on using the"
    " tokens: --move forgets them here.",
)
@click.argument("file", type=_FILE)
@settings_options
@click.option(
    "--key-file",
    type=_FILE,
    metavar="KEYFILE",
    help="The key to encrypt with; made if it does not exist.  [default: the setting"
    " token_encryption_key, else a new key in FILE.key]",
)
@click.option("--move", is_flag=True, help="Forget the tokens here once the file is written.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def export(
    settings: Settings, *, file: Path, key_file: Path | None, move: bool, force: bool
) -> None:
    """Write the tokens to an encrypted file."""
    sign_in = settings.sign_in
    tokens = _to_export(sign_in)
    key = parcel.key_to_seal(file, key_file, settings.config.get("token_encryption_key"))
    _warn_if_exposed(None if key.is_new else key.file)
    parcel.seal(tokens, file, key, force=force)
    click.echo(f"Exported: the tokens of {account.consumer(sign_in)} to {file}, encrypted")
    click.echo(f"Key: {key.source}{_CARRY if key.file else _SAME_SETTING}")
    if not move:
        click.echo(
            "Only one machine may go on using these tokens, for Bitbucket replaces the refresh"
            " token at every use: run `tap-bitbucket auth logout` here before the other machine"
            " begins, or export with --move"
        )
        return

    def write_again(latest: StoredTokens) -> None:
        # A run that renewed the tokens meanwhile made those in the file old.
        if latest != tokens:
            parcel.seal(latest, file, parcel.again(key), force=True)

    emptied = keeping.emptied(settings, lambda: sign_in.move(write_again))
    click.echo(f"Moved: the tokens are no longer in {sign_in.place}")
    keeping.tell_of_seed(settings, emptied=emptied)


@click.command(
    "import",
    short_help="Take in the tokens from an encrypted file.",
    help="Take in the tokens from FILE, which `auth export` wrote on another machine.",
)
@click.argument("file", type=_FILE)
@settings_options
@click.option(
    "--key-file",
    type=_FILE,
    metavar="KEYFILE",
    help="The key that FILE was encrypted with.  [default: FILE.key if it exists, else the setting"
    " token_encryption_key]",
)
def take_in(settings: Settings, *, file: Path, key_file: Path | None) -> None:
    """Take in the tokens from an encrypted file."""
    sign_in = settings.sign_in
    key = parcel.key_to_open(file, key_file, settings.config.get("token_encryption_key"))
    _warn_if_exposed(file, key.file)
    tokens = parcel.opened(file, key)
    sign_in.keep(tokens)
    click.echo(
        f"Imported: the tokens of {account.consumer(sign_in)} are kept in {sign_in.place}, instead"
        " of those that were there"
    )
    if tokens.access is not None:
        scopes = account.scopes_of(tokens.access)
        click.echo(f"Scopes: {'not known' if scopes is None else ', '.join(scopes) or 'none'}")
        click.echo(f"The access token ends at {account.until(tokens.access)}")
    if tokens.refresh_token is None:
        click.echo("There is no refresh token among them: sign in again when the access token ends")
    seed = settings.config.get("refresh_token")
    if seed and not tokens.knows(seed.strip()):
        click.echo(
            "refresh_token in the settings is another one, and goes first: remove it, so that runs"
            " use what was imported"
        )
    click.echo(f"Delete {file}{f' and {key.file}' if key.file else ''} now")


@click.command(
    "key",
    short_help="Make a key to keep tokens encrypted with.",
    help="Make a new key for the setting token_encryption_key, with which tokens are kept"
    " encrypted.\n\nIt is printed only with --show-secret.",
)
@click.option("--show-secret", is_flag=True, help="Print the key, which is a secret.")
def key(*, show_secret: bool) -> None:
    """Print a new key."""
    with one_line():
        if not show_secret:
            message = (
                "This would print a secret: add --show-secret, and put the key where secrets are"
                " kept, as token_encryption_key"
            )
            raise AuthenticationError(message)
        click.echo(new_key())


_CARRY = ", which others must not read: carry it to the other machine by another way than the file"
_SAME_SETTING = ", which the other machine needs, too"


def _to_export(sign_in: SignIn) -> StoredTokens:
    tokens = sign_in.kept()
    if tokens is None or not (tokens.refresh_token or tokens.access):
        message = (
            f"No tokens are in {sign_in.place} to be exported: run `tap-bitbucket auth login`, or"
            " with a refresh_token in the settings `tap-bitbucket auth refresh`, first"
        )
        raise AuthenticationError(message)
    return tokens


def _warn_if_exposed(*files: Path | None) -> None:
    for file in parcel.exposed(*files):
        TapBitbucket.logger.warning("Others may read %s: chmod 600 %s", file, file)
