"""The OAuth server: grants, rotation, grace, lock-out and persistence."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tests.standin.client import ANCHOR, Answer, Client, basic


class Ticker:
    """A clock that is wound by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


@pytest.fixture
def clock(world: World) -> Ticker:
    """Run OAuth on a clock of the test's."""
    ticker = Ticker()
    world.oauth.clock = ticker
    return ticker


def ask(server: BitbucketServer, secret: str = "secret", **form: str) -> Answer:
    """Ask the token endpoint."""
    client = Client(server, basic("client", secret))
    return client.ask("POST", server.oauth_token_url, form=list(form.items()))


def refresh(server: BitbucketServer, token: str) -> Answer:
    """Refresh."""
    return ask(server, grant_type="refresh_token", refresh_token=token)


def seed(world: World) -> str:
    """Get a first refresh token."""
    return world.oauth.issue_refresh_token("client", user=world.user("Ann"))


def test_answer(server: BitbucketServer, world: World) -> None:
    """A refresh gives a long access token, a new refresh token, and `scope`."""
    first = seed(world)
    body = refresh(server, first).json
    assert set(body) == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert body["refresh_token"] != first
    assert len(body["access_token"]) > 2400
    assert body["expires_in"] == 7200
    client = Client(server, f"Bearer {body['access_token']}")
    assert client.get("/user").json["display_name"] == "Ann"
    assert client.get("/user").headers["x-credential-type"] == "oauth2"
    assert world.oauth.refreshes == 1


def test_client_credentials(server: BitbucketServer, world: World) -> None:
    """Client credentials give no refresh token, and reach one workspace as an app."""
    body = ask(server, grant_type="client_credentials").json
    assert "refresh_token" not in body
    client = Client(server, f"Bearer {body['access_token']}")
    assert client.get("/repositories/acme").status == 200
    assert client.get("/user/workspaces").status == 403
    world.add_workspace("rival")
    assert client.get("/repositories/rival").status == 403


def test_client_in_the_body(server: BitbucketServer) -> None:
    """The client may name itself in the body."""
    form = [("client_id", "client"), ("client_secret", "secret"),
            ("grant_type", "client_credentials")]  # fmt: skip
    answer = Client(server, None).ask("POST", server.oauth_token_url, form=form)
    assert answer.status == 200


def test_consent(server: BitbucketServer) -> None:
    """Consent sends back with a code and the state; a code is good once."""
    client = Client(server, None)
    asked = {"client_id": "client", "response_type": "code", "state": "s1",
             "redirect_uri": "http://localhost:8123/cb"}  # fmt: skip
    page = client.get(server.oauth_authorize_url, **asked)
    assert b"Grant access" in page.body
    answer = client.get(server.oauth_authorize_url, approve="yes", **asked)
    assert answer.status == 302
    place = urlsplit(answer.headers["location"])
    back = parse_qs(place.query)
    assert (place.netloc, back["state"]) == ("localhost:8123", ["s1"])
    form = {"grant_type": "authorization_code", "code": back["code"][0]}
    assert ask(server, **form).json["error"] == "invalid_grant"  # without its redirect_uri
    again = client.get(server.oauth_authorize_url, approve="yes", **asked)
    code = parse_qs(urlsplit(again.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code,
            "redirect_uri": asked["redirect_uri"]}  # fmt: skip
    assert "refresh_token" in ask(server, **form).json
    assert ask(server, **form).json["error"] == "invalid_grant"


def test_foreign_redirect(server: BitbucketServer) -> None:
    """A redirect address other than the registered one is refused."""
    asked = {"client_id": "client", "response_type": "code", "redirect_uri": "http://evil.example"}
    assert Client(server, None).get(server.oauth_authorize_url, **asked).status == 400


def test_grace(server: BitbucketServer, world: World, clock: Ticker) -> None:
    """A used refresh token works for a while, and gives the same successor while unused."""
    first = seed(world)
    second = refresh(server, first).json["refresh_token"]
    clock.at += 599
    assert refresh(server, first).json["refresh_token"] == second
    third = refresh(server, second).json["refresh_token"]
    other = refresh(server, first).json["refresh_token"]
    assert other not in (first, second, third)
    assert refresh(server, other).status == 200


def test_dead_token_locks_the_client(server: BitbucketServer, world: World, clock: Ticker) -> None:
    """A dead refresh token locks its client out: valid ones fail too, for a while."""
    first = seed(world)
    second = refresh(server, first).json["refresh_token"]
    clock.at += 601
    answer = refresh(server, first)
    assert (answer.status, answer.json) == (
        400,
        {"error": "unauthorized_client", "error_description": "Invalid OAuth client credentials"},
    )
    assert world.oauth.dead_presented == 1
    assert refresh(server, second).json["error"] == "unauthorized_client"
    assert ask(server, grant_type="client_credentials").status == 400
    clock.at += 61
    assert refresh(server, second).status == 200


def test_no_lockout(server: BitbucketServer, world: World, clock: Ticker) -> None:
    """The lock-out can be switched off."""
    world.oauth.lockout = 0
    first = seed(world)
    second = refresh(server, first).json["refresh_token"]
    clock.at += 601
    assert refresh(server, first).status == 400
    assert refresh(server, second).status == 200


def test_unused_for_three_months(server: BitbucketServer, world: World, clock: Ticker) -> None:
    """A refresh token that nobody used for three months is gone."""
    first = seed(world)
    clock.at += 91 * 86400
    assert refresh(server, first).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("secret", "form", "error"),
    [
        ("wrong", {"grant_type": "client_credentials"}, "unauthorized_client"),
        ("secret", {"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ("secret", {"grant_type": "password"}, "unsupported_grant_type"),
        ("secret", {"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
    ],
)
def test_errors(server: BitbucketServer, secret: str, form: dict[str, str], error: str) -> None:
    """Errors have the two keys of OAuth, with status 400."""
    answer = ask(server, secret, **form)
    assert answer.status == 400
    assert answer.json["error"] == error
    assert set(answer.json) == {"error", "error_description"}


def test_expired_access_token(server: BitbucketServer, world: World, clock: Ticker) -> None:
    """An expired access token answers 401 and says so; its lifetime may be told wrongly."""
    world.oauth.expires_in_reported = 99
    body = refresh(server, seed(world)).json
    assert body["expires_in"] == 99
    client = Client(server, f"Bearer {body['access_token']}")
    clock.at += 7199
    assert client.get("/user").status == 200
    clock.at += 2
    answer = client.get("/user")
    assert (answer.status, answer.message) == (
        401,
        "Access token expired. Use your refresh token to obtain a new access token.",
    )


def test_revoke(server: BitbucketServer, world: World) -> None:
    """All access tokens can be made to expire at once; new ones work."""
    token = seed(world)
    body = refresh(server, token).json
    world.oauth.revoke_access_tokens()
    assert Client(server, f"Bearer {body['access_token']}").get("/user").status == 401
    fresh = refresh(server, body["refresh_token"]).json["access_token"]
    assert Client(server, f"Bearer {fresh}").get("/user").status == 200


def test_several_access_tokens_live(server: BitbucketServer, world: World) -> None:
    """A refresh does not end the access tokens given out before."""
    first = refresh(server, seed(world)).json
    refresh(server, first["refresh_token"])
    assert Client(server, f"Bearer {first['access_token']}").get("/user").status == 200


def test_persistence(tmp_path: Path) -> None:
    """With a state file a later process goes on with the same rotating tokens."""
    state = tmp_path / "tokens.json"

    def process(token: str) -> tuple[str, str]:
        world = example_world(ANCHOR)
        keys = world.credentials
        assert keys is not None
        with BitbucketServer(world, oauth_state=state) as server:
            client = Client(server, basic(keys.client_id, keys.client_secret))
            form = [("grant_type", "refresh_token"), ("refresh_token", token or keys.refresh_token)]
            body = client.ask("POST", server.oauth_token_url, form=form).json
            assert Client(server, f"Bearer {body['access_token']}").get("/user").status == 200
            return keys.refresh_token, body["refresh_token"]

    first, second = process("")
    again, third = process(second)
    assert again == first
    assert len({first, second, third}) == 3
    world = example_world(ANCHOR)
    world.oauth.grace = -1
    keys = world.credentials
    assert keys is not None
    with BitbucketServer(world, oauth_state=state) as server:
        form = [("grant_type", "refresh_token"), ("refresh_token", first)]
        client = Client(server, basic(keys.client_id, keys.client_secret))
        assert client.ask("POST", server.oauth_token_url, form=form).status == 400
    assert world.oauth.dead_presented == 1
