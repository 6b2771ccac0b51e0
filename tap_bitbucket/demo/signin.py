"""The two OAuth pages: consent in a browser, and the token endpoint."""

from __future__ import annotations

import base64
import binascii
import html
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_bitbucket.demo.call import Reply
from tap_bitbucket.demo.oauth import OAuthError

if TYPE_CHECKING:
    from tap_bitbucket.demo.application import Incoming
    from tap_bitbucket.demo.world import World

_HTML = {"Content-Type": "text/html; charset=utf-8"}


def answer(world: World, incoming: Incoming) -> Reply:
    """Answer a request below `/site/oauth2/`."""
    if incoming.path == "/site/oauth2/access_token":
        if incoming.method != "POST":
            return Reply(405, {"error": "invalid_request", "error_description": "Use POST"})
        return _token(world, incoming)
    if incoming.path == "/site/oauth2/authorize":
        return _authorize(world, incoming)
    return Reply(404, "Not found", _HTML)


def _token(world: World, incoming: Incoming) -> Reply:
    form = {name: values[-1] for name, values in incoming.form.items()}
    client_id, secret = form.get("client_id"), form.get("client_secret")
    scheme, _, value = incoming.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client_id = secret = None
    try:
        headers = {"Cache-Control": "no-store"}
        return Reply(200, world.oauth.token_request(client_id, secret, form), headers)
    except OAuthError as refused:
        return Reply(refused.status, refused.body)


def _authorize(world: World, incoming: Incoming) -> Reply:
    """Show a consent page; `approve=yes` (its button, or a test) sends back with a code.

    `user` names who consents; without it the first person of the world does.
    """
    asked = {name: values[-1] for name, values in incoming.query.items()}
    client = world.oauth.clients.get(asked.get("client_id", ""))
    if client is None:
        return Reply(400, "<h1>Invalid client_id</h1>", _HTML)
    if asked.get("response_type") != "code":
        return Reply(400, "<h1>Unsupported response_type</h1>", _HTML)
    target = asked.get("redirect_uri")
    # A loopback callback may be called at any port (RFC 8252); others must match exactly.
    if target is not None and not _allowed(client.callback, target):
        return Reply(400, "<h1>Invalid redirect_uri</h1>", _HTML)
    if asked.get("approve") != "yes":
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in client.scopes)
        page = (
            "<!DOCTYPE html><title>Confirm access</title><h1>Confirm access to your account</h1>"
            f"<p>{html.escape(client.client_id)} asks to read:</p><ul>{scopes}</ul><form>{hidden}"
            '<button name="approve" value="yes">Grant access</button></form>'
        )
        return Reply(200, page, _HTML)
    people = [user for user in world.users.values() if user.kind == "user" and not user.deleted]
    user = world.user(asked["user"]) if "user" in asked else people[0]
    code = world.oauth.issue_code(client.client_id, user, target)
    back = {"code": code} | ({"state": asked["state"]} if "state" in asked else {})
    place = target or client.callback
    sign = "&" if "?" in place else "?"
    return Reply(302, "", {"Location": f"{place}{sign}{urlencode(back)}"})


def _allowed(registered: str, asked: str) -> bool:
    local = ("http://localhost", "http://127.0.0.1")
    if registered.startswith(local) and asked.startswith(local):
        return True
    return registered == asked
