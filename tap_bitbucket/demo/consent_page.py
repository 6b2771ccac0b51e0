"""What a person sees of the OAuth server: the consent page, and what a wrong request gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from tap_bitbucket.demo.model import User
from tap_bitbucket.demo.oauth import Client

# In words, because the names alone do not tell a person what is given away.
_MEANINGS = {
    "account": "who you are, and your workspaces",
    "email": "your e-mail addresses",
    "project": "projects and their repositories",
    "project:admin": "settings of projects",
    "repository": "source, commits, branches, tags",
    "repository:admin": "settings of repositories",
    "pullrequest": "pull requests, reviews, comments",
    "pipeline": "pipelines, logs, deployments",
    "runner": "the runners of pipelines",
    "snippet": "snippets and their comments",
    "webhook": "webhooks and what they report",
}
_STYLE = """
:root { color-scheme: light; --ink: #1f2a37; --soft: #5b6878; --line: #dde3ea; --deep: #0f6a73; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center;
  justify-content: center; gap: 12px; padding: 16px; background: #eff3f6; color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere; }
main { width: 100%; max-width: 600px; background: #fff; border: 1px solid var(--line);
  border-top: 4px solid var(--deep); border-radius: 10px; padding: 24px 32px;
  box-shadow: 0 8px 24px rgb(31 42 55 / 7%); }
main.problem { border-top-color: #b4532a; }
h1 { margin: 0 0 10px; font-size: 24px; line-height: 1.25; font-weight: 650; }
p { margin: 0 0 14px; }
.who { display: flex; align-items: center; gap: 12px; margin: 0 0 18px; padding: 8px 14px;
  background: #f6f9fa; border: 1px solid var(--line); border-radius: 8px; }
.who b, .who small { display: block; line-height: 1.35; }
.face { flex: none; width: 38px; height: 38px; border-radius: 50%; background: var(--deep);
  color: #fff; font-weight: 600; display: grid; place-items: center; }
small, .soft { color: var(--soft); font-size: 14px; }
h2 { margin: 0 0 4px; font-size: 14px; font-weight: 600; color: var(--soft); }
ul { list-style: none; margin: 0 0 20px; padding: 0; }
li { display: grid; grid-template-columns: 160px 1fr; column-gap: 14px; align-items: baseline;
  padding: 4px 0; border-bottom: 1px solid #edf1f4; line-height: 1.45; }
code { font: 14px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
form { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 16px; }
button { font: inherit; font-weight: 600; padding: 10px 22px; border-radius: 6px; cursor: pointer;
  border: 1px solid #b9c4cf; background: #fff; color: var(--ink); }
button:hover { background: #f2f5f7; }
#grant { background: var(--deep); border-color: var(--deep); color: #fff; }
#grant:hover { background: #0b555c; }
button:focus-visible { outline: 3px solid #8fc7cc; outline-offset: 2px; }
main > :last-child { margin-bottom: 0; }
dl { margin: 0 0 16px; padding: 10px 14px; background: #fbf5f1; border: 1px solid #ecd9cd;
  border-radius: 8px; }
dt { font-size: 14px; color: var(--soft); }
dd { margin: 0; }
header { color: var(--soft); font-size: 14px; text-align: center; }
@media (max-width: 600px) {
  body { justify-content: flex-start; padding: 16px 12px; }
  main { padding: 22px 18px; }
  li { grid-template-columns: 136px 1fr; }
  form { flex-direction: column; }
}
"""
_NOTICE = "A stand-in for Bitbucket, running on this machine. This is not Bitbucket."


def consent(client: Client, user: User, callback: str, asked: Mapping[str, str]) -> str:
    """Ask a person to grant a consumer its scopes; the answer repeats what was `asked`."""
    name = escape(client.client_id)
    owner = f" of the workspace {escape(client.workspace.name)}" if client.workspace else ""
    hidden = "".join(
        f'<input type="hidden" name="{escape(key)}" value="{escape(value)}">'
        for key, value in asked.items()
        if key != "approve"
    )
    return _page(
        f"Give {name} access?",
        f"<h1>Give {name} access?</h1>"
        f"<p>The consumer <b>{name}</b>{owner} asks to use Bitbucket on your behalf.</p>"
        f'<div class="who"><span class="face" aria-hidden="true">{escape(user.display_name[:1])}'
        f"</span><span><b>{escape(user.display_name)}</b>"
        f"<small>signed in as {escape(user.nickname)}</small></span></div>"
        f"<h2>It would get these scopes</h2><ul>{_listed(client.scopes)}</ul>"
        f'<form method="get">{hidden}'
        '<button id="grant" name="approve" value="yes">Grant access</button>'
        '<button id="cancel" name="approve" value="no">Cancel</button></form>'
        f'<p class="soft">Either way you go on to <code>{escape(callback)}</code></p>',
    )


def problem(what: str, why: str, asked: str | None = None) -> str:
    """Tell a person what is wrong with a request for consent, and what it had asked for."""
    shown = f"<code>{escape(asked)}</code>" if asked else "nothing"
    box = "" if asked is None else f"<dl><dt>The request said</dt><dd>{shown}</dd></dl>"
    return _page(
        what,
        f"<h1>{escape(what)}</h1><p>{escape(why)}</p>{box}"
        '<p class="soft">Nothing was granted, and the consumer was not told.</p>',
        "problem",
    )


def _listed(scopes: Iterable[str]) -> str:
    return "".join(
        f"<li><code>{escape(scope)}</code><small>{_MEANINGS.get(scope, '')}</small></li>"
        for scope in scopes
    )


def _page(title: str, content: str, kind: str = "") -> str:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Without an icon of its own, a browser would ask the server for one.
        f'<link rel="icon" href="data:,"><title>{title}</title><style>{_STYLE}</style></head>'
        f'<body><header>{_NOTICE}</header><main class="{kind}">{content}</main></body></html>'
    )
