"""The commands of ``tap-bitbucket auth`` that sign in, and all that there are."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from tap_bitbucket.auth.sign_in import CALLBACK_URL, Tokens, code_in, new_state
from tap_bitbucket.login import account as accounts
from tap_bitbucket.login import consent, keeping, transfer
from tap_bitbucket.login.options import Settings, settings_options
from tap_bitbucket.login.status import status


@click.group(
    "auth",
    invoke_without_command=True,
    context_settings={"max_content_width": 100},
    help="Sign in to Bitbucket with an OAuth consumer, and look after the tokens.\n\n"
    "A person signs in once, by `login`; the tap then renews its access by itself for as long as it"
    " is used. The consumer is set by client_id and client_secret, in a configuration file or in"
    " the environment. API tokens and access tokens need none of this.",
)
@click.pass_context
def auth(context: click.Context) -> None:
    """Tell what there is, if no command is named."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _show_secrets(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--show-secrets",
        is_flag=True,
        help="Print the tokens themselves, as one JSON object, and nothing else to standard"
        " output.",
    )(command)


@auth.command(
    "login",
    short_help="Sign in: by the browser, or with a code to paste.",
    help="Sign in: opens Bitbucket's consent page in the browser, waits for the answer, and keeps"
    " the tokens.\n\n"
    "Where there is no browser, --no-browser prints the address of that page, to be opened on any"
    " machine, and reads the code that it leads to.",
)
@settings_options
@click.option(
    "--callback-url",
    metavar="URL",
    help="Where Bitbucket sends the browser back to: the callback registered with the consumer,"
    f" exactly, on this machine.  [default: {CALLBACK_URL}]",
)
@click.option(
    "--no-browser",
    is_flag=True,
    help="Print the address of the consent page, and read the code, or the address that the browser"
    " was sent to, from standard input.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser to come back.",
)
@_show_secrets
def login(
    settings: Settings,
    *,
    callback_url: str | None,
    no_browser: bool,
    timeout: float,
    show_secrets: bool,
) -> None:
    """Sign in."""
    sign_in = settings.sign_in
    sign_in.kept()  # what makes them unreadable is said before anybody is asked for consent
    say = functools.partial(click.echo, err=show_secrets)
    ask = functools.partial(accounts.account_of, config=settings.config)
    if no_browser:
        prompt = functools.partial(click.echo, err=True)
        tokens = consent.by_pasting(sign_in, callback_url, say=say, prompt=prompt)
        account = ask(tokens.access)
    else:
        tokens, account = consent.in_browser(
            sign_in,
            callback_url or CALLBACK_URL,
            timeout=timeout,
            say=say,
            account=lambda tokens: ask(tokens.access),
        )
    _tell(settings, tokens, account, show_secrets=show_secrets)


@auth.command(
    "url",
    short_help="Print the address of Bitbucket's consent page.",
    help="Print the address of Bitbucket's consent page, and do no more: the first half of a"
    " sign-in, for web applications and scripts. `auth exchange` is the second.",
)
@settings_options
@click.option(
    "--callback-url",
    metavar="URL",
    help="Where Bitbucket sends the browser back to: the callback registered with the consumer,"
    " exactly. Without it Bitbucket takes the registered one.",
)
@click.option(
    "--state",
    help="Comes back with the code; compare it. Without it a new one is made, and told on standard"
    " error.",
)
def url(settings: Settings, *, callback_url: str | None, state: str | None) -> None:
    """Print the address of the consent page."""
    sign_in = settings.sign_in
    if not state:
        state = new_state()
        click.echo(f"state: {state}", err=True)
    click.echo(sign_in.url(state=state, callback_url=callback_url))


@auth.command(
    "exchange",
    short_help="Exchange a code for tokens, and keep them.",
    help="Exchange the code that a consent led to for tokens, and keep them: the second half of a"
    " sign-in that `auth url` began.",
)
@settings_options
@click.option(
    "--code",
    required=True,
    help="The code, or the whole address that the browser was sent to; - reads it from standard"
    " input, where no list of processes shows it.",
)
@click.option(
    "--callback-url",
    metavar="URL",
    help="As it was given to `auth url`, if it was.",
)
@click.option("--state", help="What must come back in the address, if the code is given as one.")
@_show_secrets
def exchange(
    settings: Settings,
    *,
    code: str,
    callback_url: str | None,
    state: str | None,
    show_secrets: bool,
) -> None:
    """Exchange a code for tokens."""
    sign_in = settings.sign_in
    given = code_in(consent.read_line() if code == "-" else code, state)
    tokens = sign_in.exchange(given, callback_url=callback_url)
    account = accounts.account_of(tokens.access, settings.config)
    _tell(settings, tokens, account, show_secrets=show_secrets)


@auth.command(
    "refresh",
    short_help="Renew the access token now.",
    help="Renew the access token now, whatever its age. Runs of the tap do so by themselves when it"
    " is time.",
)
@settings_options
@_show_secrets
def refresh(settings: Settings, *, show_secrets: bool) -> None:
    """Renew the access token."""
    sign_in = settings.sign_in
    tokens = sign_in.refresh()
    click.echo(f"Renewed for {accounts.consumer(sign_in)}", err=show_secrets)
    click.echo(accounts.kept(tokens), err=show_secrets)
    if show_secrets:
        click.echo(accounts.secrets_as_json(tokens))


def _tell(
    settings: Settings, tokens: Tokens, account: accounts.Account, *, show_secrets: bool
) -> None:
    for line in accounts.lines(settings.sign_in, tokens, settings.config, account):
        click.echo(line, err=show_secrets)
    if show_secrets:
        click.echo(accounts.secrets_as_json(tokens))


for _command in (status, keeping.logout, transfer.export, transfer.take_in, transfer.key):
    auth.add_command(_command)
