"""Client credentials, API tokens, access tokens."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tap_bitbucket.auth import AuthenticationError, Authenticator, authenticators_from
from tap_bitbucket.demo import Fault
from tests.auth.conftest import TOKEN_REQUEST, Consumer


def by_client(consumer: Consumer, **changes: Any) -> Authenticator:
    """Return a run's authenticator by client credentials."""
    return consumer.sign(oauth_grant="client_credentials", token_file=None, **changes)


def test_client_credentials(consumer: Consumer) -> None:
    """The consumer signs in as itself, as often as needed, and writes nothing down."""
    made = by_client(consumer)
    first = made.authorization()
    assert made.authorization() == first
    consumer.clock.now += 7000
    assert made.authorization() != first
    forms = [parse_qs(body) for body in consumer.token_requests()]
    assert forms == [{"grant_type": ["client_credentials"]}] * 2
    assert not consumer.token_file.parent.exists()


def test_a_lockout_while_the_token_is_good(consumer: Consumer) -> None:
    """Refreshing ahead nobody waits for the end of a lockout; at the end of the token all do."""
    made = by_client(consumer)
    first = made.authorization()
    client = consumer.oauth.clients[consumer.client_id]
    consumer.clock.now += 7190
    client.locked_until = consumer.clock.now + 100
    assert made.authorization() == first
    assert consumer.clock.slept == []
    consumer.clock.now += 10
    assert made.authorization() != first
    assert consumer.clock.slept


def test_client_credentials_use_no_refresh_token(consumer: Consumer) -> None:
    """A refresh token is not presented, neither a configured one nor one that was answered."""
    extra = Fault(TOKEN_REQUEST, action="edit", edit=lambda a: a | {"refresh_token": "r"}, times=9)
    consumer.server.faults.add(extra)
    made = by_client(consumer, refresh_token=consumer.fresh_seed)
    made.rejected(made.authorization())
    assert all("refresh_token" not in body for body in consumer.token_requests())
    assert consumer.oauth.refreshes == 0


def test_client_credentials_from_many_threads(consumer: Consumer) -> None:
    """Sixteen threads ask once."""
    made = by_client(consumer)
    barrier = threading.Barrier(16)

    def ask(_: int) -> str:
        barrier.wait()
        return made.authorization()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    assert len(consumer.token_requests()) == 1


def test_client_credentials_rejected(consumer: Consumer) -> None:
    """A token that is refused at once is replaced, three times; then it is final and explained."""
    made = by_client(consumer)
    for _ in range(3):
        assert made.rejected(made.authorization())
    assert not made.rejected(made.authorization())
    assert "private" in made.explain_rejection()
    assert len(consumer.token_requests()) == 4


def test_client_credentials_locked_out(consumer: Consumer) -> None:
    """A consumer that was good before waits for the end of a lockout, and not for ever."""
    made = by_client(consumer)
    made.authorization()
    client = consumer.oauth.clients[consumer.client_id]
    consumer.clock.now += 7200
    client.locked_until = consumer.clock.now + 300
    first = made.authorization()
    assert made.authorization() == first
    assert sum(consumer.clock.slept) == pytest.approx(600)
    consumer.clock.now += 7200
    client.locked_until = consumer.clock.now + 9000
    with pytest.raises(AuthenticationError, match="unauthorized_client"):
        made.authorization()
    assert len(consumer.token_requests()) == 1 + 3 + 3


def test_client_credentials_refused(consumer: Consumer) -> None:
    """A wrong secret is one line that names the settings, asked once for all threads."""
    made = by_client(consumer, client_secret="wrong")
    for _ in range(3):
        with pytest.raises(AuthenticationError, match="check client_id and client_secret"):
            made.authorization()
    assert len(consumer.token_requests()) == 1


def test_client_credentials_lose_a_reply(consumer: Consumer) -> None:
    """A lost reply is asked for again."""
    consumer.server.faults.add(Fault(TOKEN_REQUEST, action="reset_after_handling"))
    assert by_client(consumer).authorization().startswith("Bearer ")


def test_scopes_of_client_credentials(consumer: Consumer) -> None:
    """The scopes are those of the consumer."""
    made = by_client(consumer)
    made.authorization()
    assert made.scopes == frozenset(consumer.oauth.clients[consumer.client_id].scopes)


def test_api_token(consumer: Consumer) -> None:
    """An API token goes as Basic with the email address, and asks nobody."""
    ann = next(iter(consumer.world.users.values()))
    consumer.world.identities.add_api_token("ann@acme.example", "ATATT3x=1", user=ann)
    (made,) = authenticators_from({"email": "ann@acme.example", "api_token": " ATATT3x=1\n"})
    expected = base64.b64encode(b"ann@acme.example:ATATT3x=1").decode()
    assert made.authorization() == f"Basic {expected}"
    assert consumer.accepts(made.authorization())
    assert made.identity == "API token of ann@acme.example"
    assert made.scopes is None


def test_access_token() -> None:
    """An access token goes as Bearer, and asks nobody."""
    (made,) = authenticators_from({"access_token": "ATCTT3x=1"})
    assert made.authorization() == "Bearer ATCTT3x=1"
    assert "ATCTT" not in made.identity
    assert made.scopes is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"email": "a@b.c", "api_token": "t"}, ("email", "api_token", "expired")),
        ({"access_token": "t"}, ("access_token", "expired", "api_token")),
    ],
)
def test_nothing_else_to_try(settings: dict[str, str], words: tuple[str, ...]) -> None:
    """A refused token that cannot be replaced is final; the explanation says what to check."""
    (made,) = authenticators_from(settings)
    assert not made.rejected(made.authorization())
    assert all(word in made.explain_rejection() for word in words)
    assert "\n" not in made.explain_rejection()


def test_identities(consumer: Consumer, tmp_path: Path) -> None:
    """An identity stays the same from run to run and differs from consumer to consumer."""
    seed: dict[str, Any] = {"refresh_token": "r", "token_file": str(tmp_path / "t")}
    one = consumer.sign(**seed).identity
    assert one == consumer.sign(**seed).identity
    assert one == by_client(consumer).identity
    assert one.startswith("OAuth consumer acme…")
    assert one != consumer.sign(**seed, client_id="acme-other").identity
    tokens = [authenticators_from({"access_token": token})[0].identity for token in "ab"]
    assert tokens[0] != tokens[1]
