"""A refresh token is used once; the next one is kept, shared and found again."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.authenticators import OAuthToken
from tap_bitbucket.auth.client_credentials import ClientCredentials
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.demo import Fault
from tests.auth.conftest import HOUR, TOKEN_REQUEST, Clock, Consumer


def presented(consumer: Consumer) -> list[str]:
    """Return the refresh tokens the token endpoint was shown."""
    return [parse_qs(body)["refresh_token"][0] for body in consumer.token_requests()]


def test_the_next_token_is_kept(consumer: Consumer) -> None:
    """The first refresh spends the configured token and keeps its successor."""
    seed = consumer.fresh_seed
    authorization = consumer.sign(refresh_token=seed).authorization()
    assert consumer.accepts(authorization)
    kept = consumer.kept()
    assert kept["refresh_token"] == consumer.oauth.refresh_tokens[seed].successor
    assert authorization == f"Bearer {kept['access']['value']}"


def test_nothing_is_asked_before_it_is_needed(consumer: Consumer) -> None:
    """Making authenticators neither asks nor writes anything."""
    consumer.sign(refresh_token=consumer.fresh_seed)
    assert consumer.server.requests == []
    assert not consumer.token_file.parent.exists()


def test_later_runs_share_the_access_token(consumer: Consumer) -> None:
    """A run that finds a living access token asks for none."""
    seed = consumer.fresh_seed
    first = consumer.sign(refresh_token=seed).authorization()
    assert consumer.sign(refresh_token=seed).authorization() == first
    assert consumer.oauth.refreshes == 1


def test_the_seed_may_stay_configured_for_ever(consumer: Consumer) -> None:
    """A seed that never changes, as Meltano passes it, is presented once in all runs."""
    seed = consumer.fresh_seed
    for _ in range(5):
        assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())
        consumer.clock.now += 5 * HOUR
    assert presented(consumer).count(seed) == 1
    assert len(set(presented(consumer))) == 5


def test_any_earlier_token_is_no_new_seed(consumer: Consumer) -> None:
    """A configuration that holds a token of some runs ago goes on with the latest."""
    config = consumer.fresh_seed
    for _ in range(4):
        consumer.sign(refresh_token=config).authorization()
        consumer.clock.now += 5 * HOUR
    earlier = presented(consumer)
    for token in earlier:
        consumer.sign(refresh_token=token).authorization()
        consumer.clock.now += 5 * HOUR
    assert len(set(presented(consumer))) == len(presented(consumer)) == 8


def test_a_new_seed_wins(consumer: Consumer) -> None:
    """A refresh token configured after signing in again replaces the stored one at once."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    newer = consumer.fresh_seed
    authorization = consumer.sign(refresh_token=newer).authorization()
    assert presented(consumer)[-1] == newer
    assert consumer.accepts(authorization)
    assert consumer.kept()["refresh_token"] == consumer.oauth.refresh_tokens[newer].successor
    consumer.clock.now += 5 * HOUR
    consumer.sign(refresh_token=newer).authorization()
    assert presented(consumer).count(newer) == 1


def test_the_token_left_unused_may_come_back(consumer: Consumer) -> None:
    """A stored token that a new seed replaced before its use is itself a new seed later on."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    unused = consumer.kept()["refresh_token"]
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    consumer.sign(refresh_token=unused).authorization()
    assert presented(consumer)[-1] == unused


def test_no_seed_is_needed_once_there_is_a_token_file(consumer: Consumer) -> None:
    """The configured refresh token may be removed after the first run."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    consumer.clock.now += 5 * HOUR
    assert consumer.accepts(consumer.sign().authorization())


def test_a_token_that_is_not_rotated_stays(consumer: Consumer) -> None:
    """An answer without a refresh token leaves the one that was presented in use."""

    def unrotated(answer: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in answer.items() if name != "refresh_token"}

    consumer.server.faults.add(Fault(TOKEN_REQUEST, action="edit", edit=unrotated))
    seed = consumer.fresh_seed
    assert consumer.accepts(consumer.sign(refresh_token=seed).authorization())
    assert consumer.kept()["refresh_token"] == seed


@pytest.mark.parametrize(("lifetime", "early"), [(7200.0, 300.0), (3600.0, 300.0), (600.0, 60.0)])
def test_refreshed_ahead(consumer: Consumer, lifetime: float, early: float) -> None:
    """A token is replaced five minutes, or a tenth of a short life, before its end."""
    consumer.oauth.access_token_lifetime = lifetime
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    first = made.authorization()
    consumer.clock.now += lifetime - early - 1
    assert made.authorization() == first
    consumer.clock.now += 1
    assert made.authorization() != first


def test_clock_set_back(consumer: Consumer) -> None:
    """A stored token from the future says nothing about its age and is replaced."""
    seed = consumer.fresh_seed
    first = consumer.sign(refresh_token=seed).authorization()
    consumer.clock.now -= 24 * HOUR
    assert consumer.sign(refresh_token=seed).authorization() != first


def test_clock_set_back_during_a_run(consumer: Consumer) -> None:
    """A clock that is set back does not make a token live longer."""
    uptime = Clock()
    url = consumer.server.oauth_token_url
    client = OAuthClient(
        *(consumer.client_id, consumer.client_secret, url, 60.0, "agent"),
        clock=consumer.clock,
    )
    made = OAuthToken(ClientCredentials(client), clock=consumer.clock, monotonic=uptime)
    first = made.authorization()
    uptime.now += 6899
    consumer.clock.now -= HOUR
    assert made.authorization() == first
    uptime.now += 1
    assert made.authorization() != first


def test_expires_in_lies(consumer: Consumer) -> None:
    """A token refused before its announced end is replaced, each time it happens."""
    consumer.oauth.expires_in_reported = 7200
    consumer.oauth.access_token_lifetime = 100
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    for _ in range(4):
        authorization = made.authorization()
        consumer.clock.now += 101
        assert not consumer.accepts(authorization)
        assert made.rejected(authorization)
        assert consumer.accepts(made.authorization())
        made.accepted(made.authorization())
        consumer.clock.now += 60


@pytest.mark.parametrize("told", ["1", 0, -5, None, "soon", 1e300])
def test_expires_in_is_nonsense(consumer: Consumer, told: object) -> None:
    """Whatever `expires_in` says, a token is not replaced at every request."""
    fault = Fault(TOKEN_REQUEST, action="edit", edit=lambda answer: answer | {"expires_in": told})
    consumer.server.faults.add(fault)
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    assert made.authorization() == made.authorization()
    assert consumer.oauth.refreshes == 1


def test_no_refresh_loop(consumer: Consumer) -> None:
    """Tokens that are refused at once are replaced three times; then it is final."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    for _ in range(3):
        refused = made.authorization()
        assert made.rejected(refused)
        assert made.authorization() != refused
    assert not made.rejected(made.authorization())
    assert consumer.oauth.refreshes == 4
    assert "refresh" in made.explain_rejection()


def test_tokens_that_end_at_once(consumer: Consumer) -> None:
    """A token past its own end is replaced, however often that happens before it is of use."""
    consumer.oauth.access_token_lifetime = 1
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    for _ in range(20):
        authorization = made.authorization()
        consumer.clock.now += 1
        assert made.rejected(authorization)
    assert consumer.accepts(made.authorization())


def test_a_dead_token_of_another_process(consumer: Consumer) -> None:
    """A token that another process fetched and that has died unannounced is replaced."""
    consumer.oauth.expires_in_reported = 7200
    consumer.oauth.access_token_lifetime = 10
    seed = consumer.fresh_seed
    for _ in range(6):
        other, made = (consumer.sign(refresh_token=seed) for _ in range(2))
        other.rejected(other.authorization())
        consumer.clock.now += 11
        authorization = made.authorization()
        assert not consumer.accepts(authorization)
        assert made.rejected(authorization)
        assert consumer.accepts(made.authorization())


def test_slow_refusals_end_too(consumer: Consumer) -> None:
    """Tokens refused again and again, each after some seconds, are not replaced for ever."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    tries = 0
    while made.rejected(made.authorization()):
        tries += 1
        consumer.clock.now += 10
        assert tries < 10
    assert tries == 3


def test_an_old_header_is_old_news(consumer: Consumer) -> None:
    """A refusal of a header that was replaced meanwhile costs no refresh."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    first = made.authorization()
    made.rejected(first)
    assert made.rejected(first)
    assert consumer.oauth.refreshes == 2


def test_sixteen_threads_begin(consumer: Consumer) -> None:
    """Sixteen threads that need the first token spend one refresh."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    barrier = threading.Barrier(16)

    def ask(_: int) -> str:
        barrier.wait()
        return made.authorization()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1
    assert consumer.oauth.refreshes == 1


def test_sixteen_threads_are_refused(consumer: Consumer) -> None:
    """Sixteen threads whose token is refused at the same time spend one refresh."""
    made = consumer.sign(refresh_token=consumer.fresh_seed)
    refused = made.authorization()
    barrier = threading.Barrier(16)

    def ask(_: int) -> tuple[bool, str]:
        barrier.wait()
        return made.rejected(refused), made.authorization()

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(ask, range(16)))
    assert len(answers) == 1
    assert answers.pop()[0]
    assert consumer.oauth.refreshes == 2


def test_a_run_uses_what_another_has_fetched(consumer: Consumer) -> None:
    """When its token ends or is refused, a run first looks for another run's new token."""
    seed = consumer.fresh_seed
    one, other = consumer.sign(refresh_token=seed), consumer.sign(refresh_token=seed)
    first = one.authorization()
    assert other.authorization() == first
    consumer.clock.now += 7000
    assert other.authorization() == one.authorization() != first
    refused = one.authorization()
    assert one.rejected(refused)
    assert other.rejected(refused)
    assert other.authorization() == one.authorization() != refused
    assert consumer.oauth.refreshes == 3


def test_scopes(consumer: Consumer) -> None:
    """The scopes are those of the token answer, under its old name too, and unknown before."""
    seed = consumer.fresh_seed
    assert consumer.sign(refresh_token=seed).scopes is None
    made = consumer.sign(refresh_token=seed)
    made.authorization()
    granted = frozenset(consumer.oauth.clients[consumer.client_id].scopes)
    assert made.scopes == granted

    def renamed(answer: dict[str, object]) -> dict[str, object]:
        answer["scopes"] = answer.pop("scope")
        return answer

    consumer.server.faults.add(Fault(TOKEN_REQUEST, action="edit", edit=renamed))
    again = consumer.sign(refresh_token=consumer.fresh_seed)
    again.authorization()
    assert again.scopes == granted


def test_one_consumer_per_token_file(consumer: Consumer) -> None:
    """A token file of another consumer is neither used nor overwritten."""
    consumer.sign(refresh_token=consumer.fresh_seed).authorization()
    before = consumer.token_file.read_bytes()
    consumer.world.identities.add_oauth_consumer("another", "one")
    with pytest.raises(AuthenticationError, match="another OAuth consumer") as caught:
        consumer.sign(client_id="another", client_secret="one", refresh_token="x").authorization()
    assert str(consumer.token_file) in str(caught.value)
    assert consumer.token_file.read_bytes() == before
    assert len(consumer.token_requests()) == 1


def test_default_place(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a token file or a config file the tokens live in the user's state directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sys.platform", "linux")
    consumer.sign(token_file=None, refresh_token=consumer.fresh_seed).authorization()
    (place,) = (tmp_path / "state" / "tap-bitbucket").glob("*.json")
    assert consumer.kept(place)["refresh_token"]
    assert place.parent.stat().st_mode & 0o777 == 0o700 or os.name == "nt"
    consumer.world.identities.add_oauth_consumer("another", "one")
    seed = consumer.oauth.issue_refresh_token("another", next(iter(consumer.world.users.values())))
    consumer.sign(
        token_file=None, client_id="another", client_secret="one", refresh_token=seed
    ).authorization()
    assert len(list(place.parent.glob("*.json"))) == 2
