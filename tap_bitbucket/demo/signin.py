"""The two OAuth addresses: consent in a browser, and the token endpoint."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_bitbucket.demo import consent_page
from tap_bitbucket.demo.call import Reply
from tap_bitbucket.demo.oauth import OAuthError

if TYPE_CHECKING:
    from tap_bitbucket.demo.application import Incoming
    from tap_bitbucket.demo.model import User
    from tap_bitbucket.demo.world import World

_HTML = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    # The page brings all it needs; a browser may fetch nothing for it.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
}
# Scopes are fixed on the consumer, and PKCE is not enforced: those three change nothing.
_IGNORED = {"scope", "code_challenge", "code_challenge_method"}
_KNOWN = {"client_id", "response_type", "state", "redirect_uri", "approve", "user"} | _IGNORED


class _WrongRequestError(Exception):
    """A request for consent that gets a page, because no callback can be trusted with it."""

    def __init__(self, what: str, why: str, asked: str | None = None) -> None:
        super().__init__(what)
        self.page = consent_page.problem(what, why, asked)


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
    """Show a consent page; its buttons, or a test's `approve=`, send back to the callback.

    `user` names who is asked; without it the first person of the world is.
    """
    try:
        return _consent(world, incoming.query)
    except _WrongRequestError as wrong:
        return Reply(400, wrong.page, _HTML)


def _consent(world: World, query: dict[str, list[str]]) -> Reply:
    asked = _checked(query)
    client = world.oauth.clients.get(asked.get("client_id", ""))
    if client is None:
        raise _WrongRequestError(
            "Unknown consumer",
            "No consumer has this client_id. It is the key that was shown when it was made.",
            asked.get("client_id", ""),
        )
    if asked.get("response_type") != "code":
        raise _WrongRequestError(
            "Unsupported response_type",
            "Only response_type=code is answered here.",
            asked.get("response_type", ""),
        )
    target = asked.get("redirect_uri")
    if target is not None and target != client.callback:
        raise _WrongRequestError(
            "Wrong redirect_uri",
            "It must be the callback registered with the consumer, exactly, or be left out.",
            target,
        )
    user = _person(world, asked.get("user"))
    if "approve" not in asked:
        return Reply(200, consent_page.consent(client, user, client.callback, asked), _HTML)
    if asked["approve"] == "yes":
        back = {"code": world.oauth.issue_code(client.client_id, user, target)}
    else:
        back = {
            "error": "access_denied",
            "error_description": "The person who was asked did not grant access.",
        }
    back |= {"state": asked["state"]} if "state" in asked else {}
    sign = "&" if "?" in client.callback else "?"
    place = f"{client.callback}{sign}{urlencode(back)}"
    return Reply(302, "", _HTML | {"Location": place})


def _checked(query: dict[str, list[str]]) -> dict[str, str]:
    """Return the parameters, none of them misspelt, given twice or without a meaning."""
    for name, values in query.items():
        if name not in _KNOWN:
            raise _WrongRequestError(
                "Unknown query parameter", "A request for consent has no such parameter.", name
            )
        if len(values) > 1:
            raise _WrongRequestError(
                "Repeated query parameter", "A parameter may be given once only.", name
            )
    asked = {name: values[0] for name, values in query.items()}
    if asked.get("approve", "yes") not in ("yes", "no"):
        raise _WrongRequestError(
            "Unsupported approve", "The answer is either yes or no.", asked["approve"]
        )
    return asked


def _person(world: World, name: str | None) -> User:
    """Find who is asked for consent."""
    if name is None:
        return next(one for one in world.users.values() if one.kind == "user" and not one.deleted)
    try:
        return world.user(name)
    except KeyError:
        raise _WrongRequestError("Unknown user", "There is no such person here.", name) from None
