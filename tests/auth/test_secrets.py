"""No token and no secret shows where people look."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tap_bitbucket.auth import AuthenticationError, Authenticator
from tap_bitbucket.auth.oauth import Granted
from tap_bitbucket.auth.rotation import Present
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.tokens import AccessToken, StoredTokens
from tap_bitbucket.demo import Fault
from tests.auth.conftest import HOUR, TOKEN_REQUEST, Consumer

CLIENT = OAuthClient("key", "hush", "https://h/", 1.0, "agent")


@pytest.mark.parametrize(
    "value",
    [
        AccessToken("hush", 0.0, 1.0),
        StoredTokens("client", "hush", AccessToken("hush", 0.0, 1.0)),
        Granted("hush", "hush", 1.0, None),
        Present("hush"),
        CLIENT,
    ],
)
def test_shown_values(value: object) -> None:
    """What holds a secret does not show it."""
    assert "hush" not in repr(value)
    assert "hush" not in str(value)


def everything_said(made: Authenticator, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """Yield all that a person could come to see of an authenticator."""
    try:
        made.authorization()
    except AuthenticationError as error:
        yield str(error)
        yield repr(error)
        shown = traceback.TracebackException.from_exception(error, capture_locals=False)
        yield "".join(shown.format())
        cause: BaseException | None = error
        while cause is not None:
            yield repr(vars(cause))
            cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    yield repr(made)
    yield made.identity
    yield made.explain_rejection()
    yield caplog.text


FAULTS = [
    None,
    {"status": 503, "times": None},
    {"status": 400, "body": '{"error": "invalid_grant", "error_description": "<token>"}'},
    {"status": 400, "body": '{"error": "<token>"}'},
    {"status": 200, "body": "<token>", "times": None},
    {"status": 404, "body": "<token>"},
    {"action": "redirect", "to": "http://127.0.0.1:1/?<token>"},
    {"action": "truncate", "times": None},
    {"action": "reset", "times": None},
    {"status": 200, "body": "x", "headers": {"Content-Encoding": "gzip"}, "times": None},
]


@pytest.mark.parametrize("grant", ["refresh_token", "client_credentials"])
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_shows(
    consumer: Consumer,
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, object] | None,
    grant: str,
) -> None:
    """Whatever the endpoint does, logs at their finest and errors show no secret."""
    caplog.set_level(logging.DEBUG)
    seed = consumer.fresh_seed
    if fault is not None:
        made_up = {
            name: value.replace("<token>", seed) if isinstance(value, str) else value
            for name, value in fault.items()
        }
        consumer.server.faults.add(Fault(TOKEN_REQUEST, **made_up))  # type: ignore[arg-type]
    made = consumer.sign(refresh_token=seed, oauth_grant=grant)
    said = "\n".join(everything_said(made, caplog))
    secrets = [
        consumer.client_secret,
        *consumer.oauth.refresh_tokens,
        *consumer.oauth.access_tokens,
    ]
    assert [secret[:40] for secret in secrets if secret in said] == []


def test_nothing_shows_when_the_store_fails(
    consumer: Consumer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token file that is damaged or cannot be replaced is not quoted."""
    caplog.set_level(logging.DEBUG)
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    made.authorization()
    text = consumer.token_file.read_text()
    consumer.token_file.write_text(text[:-20])
    said = "\n".join(everything_said(consumer.sign(), caplog))
    consumer.token_file.write_text(text)
    consumer.clock.now += 5 * HOUR

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    said += "\n".join(everything_said(consumer.sign(), caplog))
    assert "Input/output error" in said
    secrets = [
        consumer.client_secret,
        *consumer.oauth.refresh_tokens,
        *consumer.oauth.access_tokens,
    ]
    assert [secret[:40] for secret in secrets if secret in said] == []


def test_one_line_per_refresh(consumer: Consumer, caplog: pytest.LogCaptureFixture) -> None:
    """A refresh is one line at INFO: how long it lasts, and where the next token is."""
    caplog.set_level(logging.INFO)
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    (record,) = (record for record in caplog.records if record.name == "tap-bitbucket.auth")
    assert "valid for 120 min" in record.message
    assert str(consumer.token_file) in record.message
