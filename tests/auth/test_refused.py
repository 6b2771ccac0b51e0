"""A refused refresh token: what is said, what is remembered, what is not tried again."""

from __future__ import annotations

from typing import Any

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.sign_in import SignIn
from tap_bitbucket.demo import Fault
from tests.auth.conftest import HOUR, TOKEN_REQUEST, Consumer


def dead_token(consumer: Consumer) -> str:
    """Return a refresh token that somebody else used long ago."""
    token = consumer.fresh_seed
    consumer.oauth.refresh_tokens[token].used = consumer.clock.now - HOUR
    return token


def refusal(consumer: Consumer, **settings: Any) -> str:
    """Return what a run says when it cannot sign in."""
    with pytest.raises(AuthenticationError) as caught:
        consumer.sign(**settings).authorization()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_dead(consumer: Consumer) -> None:
    """A dead token is one line that says how to sign in again, and is not presented again."""
    seed = dead_token(consumer)
    first = refusal(consumer, refresh_token=seed)
    assert 'sign in again with `tap-bitbucket auth login` (README, "Sign in")' in first
    assert "client_secret" in first
    assert "ten minutes" in first
    assert refusal(consumer, refresh_token=seed) == first
    assert consumer.oauth.dead_presented == 1


def test_dead_for_certain(consumer: Consumer) -> None:
    """A token refused as such (`invalid_grant`) is never presented again."""
    said = refusal(consumer, refresh_token="made-up")
    assert "invalid_grant" in said
    assert "sign in again" in said
    consumer.clock.now += 1000 * HOUR
    assert refusal(consumer, refresh_token="made-up") == said
    assert len(consumer.token_requests()) == 1


def test_one_more_chance(consumer: Consumer) -> None:
    """After an answer that may have been a lockout, a dead token gets one more chance, no third."""
    seed = dead_token(consumer)
    refusal(consumer, refresh_token=seed)
    consumer.clock.now += HOUR
    said = refusal(consumer, refresh_token=seed)
    assert "client_secret" not in said
    consumer.clock.now += 1000 * HOUR
    assert refusal(consumer, refresh_token=seed) == said
    assert consumer.oauth.dead_presented == 2


def locked_out(consumer: Consumer, seconds: float) -> None:
    """Let the stored access token end, and let somebody have the client locked out."""
    consumer.clock.now += 5 * HOUR
    consumer.oauth.clients[consumer.client_id].locked_until = consumer.clock.now + seconds


@pytest.mark.parametrize(("seconds", "presented"), [(50, 2), (300, 3)])
def test_locked_out(consumer: Consumer, seconds: float, presented: int) -> None:
    """A run with a good token waits for the end of a lockout that somebody else has caused."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    locked_out(consumer, seconds)
    assert consumer.accepts(consumer.sign().authorization())
    assert len(consumer.token_requests()) == 1 + presented
    assert sum(consumer.clock.slept) <= 600
    consumer.clock.now += 5 * HOUR
    assert consumer.accepts(consumer.sign().authorization())


def test_locked_out_at_a_terminal(consumer: Consumer) -> None:
    """Somebody who waits for a command is told at once, and the token has its chances later."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    locked_out(consumer, 300)
    sign_in = SignIn.of(consumer.settings(), clock=consumer.clock, sleep=consumer.clock.sleep)
    for _ in range(2):
        with pytest.raises(AuthenticationError, match="locked the consumer out"):
            sign_in.refresh()
    assert consumer.clock.slept == []
    assert len(consumer.token_requests()) == 2
    consumer.clock.now += 301
    assert consumer.accepts(consumer.sign().authorization())


def test_a_token_used_elsewhere(consumer: Consumer) -> None:
    """A stored token that somebody else has used is given up for good after three refusals."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    consumer.clock.now += 5 * HOUR
    stored = consumer.oauth.refresh_tokens[consumer.kept()["refresh_token"]]
    stored.used = consumer.clock.now - HOUR
    said = refusal(consumer)
    assert "used elsewhere" in said
    assert "tap-bitbucket auth login" in said
    assert consumer.oauth.dead_presented == 3
    consumer.clock.now += 1000 * HOUR
    assert refusal(consumer) == said
    assert consumer.oauth.dead_presented == 3


def test_processes_share_the_wait(consumer: Consumer) -> None:
    """Of runs that wait for the end of one lockout, one presents the token."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    locked_out(consumer, 50)
    first, second = consumer.sign(), consumer.sign()
    assert first.authorization() == second.authorization()
    assert len(consumer.token_requests()) == 3


def test_signing_in_again(consumer: Consumer) -> None:
    """A newly configured token is presented at once, whatever became of the one before."""
    refusal(consumer, refresh_token="made-up")
    assert consumer.accepts(consumer.sign(refresh_token=consumer.fresh_seed).authorization())


def test_the_stored_family_goes_on(consumer: Consumer, caplog: pytest.LogCaptureFixture) -> None:
    """A new seed that turns out dead is told, and does not end what is stored."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    assert consumer.accepts(consumer.sign(refresh_token="made-up").authorization())
    assert "was refused (invalid_grant)" in caplog.text
    consumer.clock.now += 5 * HOUR
    assert consumer.accepts(consumer.sign(refresh_token="made-up").authorization())
    assert sum("made-up" in body for body in consumer.token_requests()) == 1


def test_a_wrong_secret(consumer: Consumer) -> None:
    """A refresh token refused with a wrong client secret is good with the right one."""
    seed = consumer.fresh_seed
    said = refusal(consumer, refresh_token=seed, client_secret="wrong")
    assert "client_secret" in said
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())


def test_a_wrong_secret_told_apart(consumer: Consumer) -> None:
    """`invalid_client` is about the consumer alone; the token is not blamed."""
    body = '{"error": "invalid_client", "error_description": "x"}'
    consumer.server.faults.add(Fault(TOKEN_REQUEST, status=401, body=body))
    seed = consumer.fresh_seed
    said = refusal(consumer, refresh_token=seed)
    assert "client_id and client_secret" in said
    assert "sign in" not in said
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())


def test_somebody_else_was_faster(consumer: Consumer) -> None:
    """A refusal is no failure when the store holds another token by then."""
    seed = consumer.fresh_seed
    consumer.sign(refresh_token=seed).authorization()
    behind = consumer.token_file.read_bytes()
    other = consumer.sign()
    other.rejected(other.authorization())
    ahead = consumer.token_file.read_bytes()
    consumer.token_file.write_bytes(behind)
    consumer.clock.now += 5 * HOUR
    other_run = consumer.sign()

    # On a file system whose locks do not work, say: written while Bitbucket is asked.
    consumer.server.faults.add(
        Fault(
            TOKEN_REQUEST,
            action="callback",
            callback=lambda: consumer.token_file.write_bytes(ahead),
        )
    )
    consumer.oauth.lockout = 0
    assert consumer.accepts(other_run.authorization())


def test_refused_in_the_middle_of_a_run(consumer: Consumer) -> None:
    """A 401 that a refresh does not mend is final, and explained by what the refresh met."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    authorization = made.authorization()
    consumer.oauth.refresh_tokens.clear()
    assert not made.rejected(authorization)
    assert "invalid_grant" in made.explain_rejection()
    assert "sign in again" in made.explain_rejection()


def test_no_token_at_all(consumer: Consumer) -> None:
    """A token file without a token in it says what is missing."""
    refusal(consumer, refresh_token="made-up")
    assert "There is no refresh token" in refusal(consumer)


def test_a_lockout_spares_the_stored_token(consumer: Consumer) -> None:
    """While a refused seed may have the client locked out, the stored token is not presented."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    consumer.clock.now += 5 * HOUR
    seed = dead_token(consumer)
    began = consumer.clock.now
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())
    assert consumer.clock.now - began >= 60
    assert len(consumer.token_requests()) == 3
    for _ in range(3):
        consumer.clock.now += 5 * HOUR
        assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())
    assert consumer.oauth.dead_presented == 2
