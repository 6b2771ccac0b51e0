"""The pages that a browser gets at the callback: what happened, and what to do. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # The address of the page holds the code.
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every page: nothing is loaded, kept or passed on."""

_STYLE = """
:root { color-scheme: light dark; --back: #f2f4f7; --card: #fff; --ink: #1c2733; --soft: #5a6675;
  --line: #dde2e8; --good: #1a7f52; --good-back: #e3f3eb; --bad: #b3502a; --bad-back: #faece5; }
@media (prefers-color-scheme: dark) {
  :root { --back: #12171d; --card: #1b222b; --ink: #e6ebf1; --soft: #9aa7b6; --line: #303a46;
    --good: #5cc795; --good-back: #1c3a2d; --bad: #eb9671; --bad-back: #40291f; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center;
  justify-content: center; gap: 14px; padding: 24px 16px; background: var(--back);
  color: var(--ink);
  font: 17px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { width: 100%; max-width: 560px; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; padding: 36px 40px; box-shadow: 0 10px 30px rgb(0 0 0 / 6%); }
svg { display: block; width: 52px; height: 52px; padding: 13px; border-radius: 50%;
  margin: 0 0 18px; fill: none; stroke: var(--tone); background: var(--tone-back);
  stroke-width: 2.6; stroke-linecap: round; stroke-linejoin: round; }
.good { --tone: var(--good); --tone-back: var(--good-back); }
.bad { --tone: var(--bad); --tone-back: var(--bad-back); }
h1 { margin: 0 0 10px; font-size: 27px; line-height: 1.25; font-weight: 650; }
p { margin: 0 0 12px; }
h1, p, dd { overflow-wrap: anywhere; text-wrap: pretty; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 8px 20px; margin: 22px 0;
  padding: 18px 0; border: solid var(--line); border-width: 1px 0; font-size: 15px; }
dt { color: var(--soft); }
dd { margin: 0; }
.told { margin: 20px 0; padding: 12px 16px; border-left: 3px solid var(--tone);
  border-radius: 0 8px 8px 0; background: var(--tone-back); font-size: 15px; }
code { font: 0.9em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  background: var(--back); border: 1px solid var(--line); border-radius: 5px; padding: 1px 5px; }
p code { white-space: nowrap; }
dd code { display: inline-block; margin: 0 4px 5px 0; }
main > :last-child { margin-bottom: 0; }
.todo { font-weight: 600; }
footer { color: var(--soft); font-size: 14px; text-align: center; }
@media (max-width: 560px) {
  body { justify-content: flex-start; padding: 16px 12px; }
  main { padding: 26px 22px; }
  dl { grid-template-columns: 1fr; gap: 2px; }
  dd { margin-bottom: 8px; }
}
"""
_TICK = '<svg class="good" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 13l5 5L20 6"/></svg>'
_MARK = (
    '<svg class="bad" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3v11M12 20.5v.1"/></svg>'
)
_AGAIN = "Run `tap-bitbucket auth login` again"


@dataclass(frozen=True)
class Page:
    """A page and its HTTP status."""

    status: int
    html: str


def signed_in(account: str | None, consumer: str, scopes: Iterable[str] | None) -> Page:
    """Say that the tokens are stored.

    Args:
        account: Who signed in; None if Bitbucket did not tell.
        consumer: The OAuth consumer.
        scopes: What was granted; None if Bitbucket did not tell.
    """
    rows = [("Account", escape(account or "not known")), ("Signed in by", escape(consumer))]
    if scopes is not None:
        rows.append(("Scopes", "".join(f"<code>{escape(one)}</code>" for one in scopes) or "none"))
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return _page(
        200,
        "You are signed in",
        "tap-bitbucket may now read from Bitbucket in your name.",
        "You can close this window.",
        f"<dl>{listed}</dl>",
    )


def denied() -> Page:
    """Say that consent was denied."""
    return _page(
        403,
        "Access was not granted",
        "You chose not to let tap-bitbucket in, so nothing has changed.",
        f"Close this window. If it was a mistake: {_AGAIN[0].lower()}{_AGAIN[1:]} and grant"
        " access.",
    )


def wrong_state() -> Page:
    """Say that this is the answer to another question."""
    return _page(
        400,
        "This is not the sign-in that was begun",
        "The page that led here belongs to another sign-in, so nothing of it was used and nothing"
        " has changed.",
        f"Close this window. {_AGAIN}, and go on only in the page that it opens.",
    )


def no_code(error: str) -> Page:
    """Say that Bitbucket sent no code, and the name of the error that it gave, if it gave one."""
    return _page(
        400,
        "Bitbucket sent no code",
        "Bitbucket sent you back without what the sign-in needs, so nothing has changed.",
        f"Check the settings of the OAuth consumer at Bitbucket. Then: {_AGAIN[0].lower()}"
        f"{_AGAIN[1:]}.",
        _told(f"Bitbucket said: {error}") if error else "",
    )


def failed(error: str) -> Page:
    """Say that consent was given, and why there are no tokens all the same."""
    return _page(
        502,
        "You are not signed in",
        "You granted access, but the sign-in could not be finished:",
        "The terminal in which the sign-in was begun says the same. This window can be closed.",
        _told(error),
    )


def over() -> Page:
    """Say that the sign-in was answered before, or is not waited for any more."""
    return _page(
        409,
        "This sign-in is over",
        "It was answered already, or was stopped in the terminal; this page changed nothing.",
        "Close this window. The terminal in which the sign-in was begun says what came of it.",
    )


def elsewhere(status: int) -> Page:
    """Say that there is nothing at this address."""
    return _page(
        status,
        "There is nothing here",
        "At this address tap-bitbucket only waits for one sign-in to come back.",
        "Go on in the page of Bitbucket that asks for access.",
    )


def _told(message: str) -> str:
    return f'<p class="told bad">{_text(message)}</p>'


def _text(sentence: str) -> str:
    """Return a sentence as HTML, in which backticks mark code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(sentence))


def _page(status: int, title: str, what: str, todo: str, more: str = "") -> Page:
    good = status == 200  # noqa: PLR2004 - the status by its number, as everywhere
    return Page(
        status,
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Without an icon of its own, a browser would ask for one.
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"</head><body><main>{_TICK if good else _MARK}<h1>{escape(title)}</h1>"
        f'<p>{_text(what)}</p>{more}<p class="todo">{_text(todo)}</p></main>'
        "<footer>tap-bitbucket, on this machine</footer></body></html>",
    )
