"""Asking a person for consent: in the browser of this machine, or in any, with a code to paste."""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from contextlib import closing, suppress

from tap_bitbucket.auth.errors import AuthenticationError
from tap_bitbucket.auth.sign_in import SignIn, Tokens, code_in, code_of, new_state
from tap_bitbucket.login import pages
from tap_bitbucket.login.account import Account, consumer, scopes_of
from tap_bitbucket.login.callback import Call, Callback, Listener
from tap_bitbucket.login.pages import Page

Say = Callable[[str], None]

_LONGEST_LINE = 65_536
_SETTINGS = ("TAP_", "TARGET_", "MELTANO_")
"""How variables begin that may hold secrets; those of .env are among them."""


def in_browser(
    sign_in: SignIn,
    callback_url: str,
    *,
    timeout: float,
    say: Say,
    account: Callable[[Tokens], Account],
) -> tuple[Tokens, Account]:
    """Open the consent page, and wait at the callback for what comes back.

    Args:
        sign_in: Whose consent page.
        callback_url: Of the consumer; on this machine.
        timeout: Seconds to wait for the person.
        say: Tells the person something.
        account: Asks who signed in.

    Returns:
        The tokens, which are kept, and who signed in.

    Raises:
        AuthenticationError: The port is not to be had, nobody came back, consent was denied, or
            the code is not taken.
    """
    with closing(Listener(Callback.of(callback_url))) as listener:
        state = new_state()
        url = sign_in.url(state=state, callback_url=callback_url)
        say("Bitbucket's consent page opens in the browser. If it does not, open this address:")
        say(f"\n  {url}\n")
        say(f"Waiting for the answer at {callback_url}, for {timeout:g} s at most (Ctrl-C ends it)")
        opening = _Opening(url, say)
        call = listener.wait(timeout, opening.look)
        if call is None:
            raise AuthenticationError(_nobody(callback_url, timeout))
        return _answer(sign_in, call, state, callback_url, account)


def by_pasting(sign_in: SignIn, callback_url: str | None, *, say: Say, prompt: Say) -> Tokens:
    """Print the address of the consent page, and read the code from standard input.

    Args:
        sign_in: Whose consent page.
        callback_url: Of the consumer; None for the one that Bitbucket knows.
        say: Tells the person the address.
        prompt: Asks the person.

    Raises:
        AuthenticationError: There was no code, or it is not taken.
    """
    state = new_state()
    say(sign_in.url(state=state, callback_url=callback_url))
    prompt(
        "Open this address in any browser and grant access. The browser then goes to the consumer's"
        " callback, where it may find nothing: that is all right. Copy the whole address of that"
        " page, or the value after code= in it, and paste it here:"
    )
    return sign_in.exchange(code_in(read_line(), state), callback_url=callback_url)


def read_line() -> str:
    """Return a line of standard input, whatever is in it.

    Raises:
        AuthenticationError: There was none.
    """
    line = sys.stdin.buffer.readline(_LONGEST_LINE)
    if not line:
        message = (
            "Standard input ended before a code came: run it where you can paste one, or pipe the"
            " code to `tap-bitbucket auth exchange --code -`"
        )
        raise AuthenticationError(message)
    return line.decode(errors="replace")


def _answer(
    sign_in: SignIn,
    call: Call,
    state: str,
    callback_url: str,
    account: Callable[[Tokens], Account],
) -> tuple[Tokens, Account]:
    """Finish the sign-in, and send the page that tells the truth about it."""
    try:
        code = code_of(call.query, state)
    except AuthenticationError:
        call.reply(_refusal(call, state))
        raise
    try:
        tokens = sign_in.exchange(code, callback_url=callback_url)
    except AuthenticationError as error:
        call.reply(pages.failed(str(error)))
        raise
    who = account(tokens)
    call.reply(pages.signed_in(who.name, consumer(sign_in), scopes_of(tokens.access)))
    return tokens, who


def _refusal(call: Call, state: str) -> Page:
    if call.query.get("state") != state:
        return pages.wrong_state()
    error = "".join(char for char in call.query.get("error", "") if char.isprintable())[:60]
    return pages.denied() if error == "access_denied" else pages.no_code(error)


def _nobody(callback_url: str, timeout: float) -> str:
    return (
        f"Nobody came back to {callback_url} within {timeout:g} s: if Bitbucket's page said that"
        " the redirect URI is wrong, register exactly this callback with the consumer, or give the"
        " registered one with --callback-url; if the browser is on another machine, use"
        " --no-browser"
    )


class _Opening:
    """The opening of the browser, which must not stop the waiting.

    It is a process of its own: some browsers end only when their window is closed, and some write
    to standard output.
    """

    _PROGRAM = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"

    def __init__(self, url: str, say: Say) -> None:
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        if _can_open():
            with suppress(OSError):
                self._process = subprocess.Popen(  # noqa: S603 - this Python, and an address of ours
                    [sys.executable, "-I", "-c", self._PROGRAM, url],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    # A browser outlives the sign-in, and all that it starts inherits from it.
                    env={n: v for n, v in os.environ.items() if not n.startswith(_SETTINGS)},
                    start_new_session=True,  # Ctrl-C ends the waiting, not the browser
                )
        if self._process is None:
            self._failed()

    def look(self) -> None:
        """Say once that it did not work, when it did not."""
        if self._process is not None and self._process.poll():
            self._process = None
            self._failed()

    def _failed(self) -> None:
        self._say(
            "No browser can be opened here: open the address yourself, in a browser on this"
            " machine, or use --no-browser"
        )


def _can_open() -> bool:
    """Tell whether there is a browser; one that would take over the terminal is none."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    return bool(os.environ.get("BROWSER")) or type(found) is not webbrowser.GenericBrowser
