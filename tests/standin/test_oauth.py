"""The OAuth server: grants, rotation, grace, lock-out and persistence."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tests.standin.client import ANCHOR, Answer, Client, basic

CALLBACK = "http://localhost:33333"
"""Where a consumer sends people to unless it registers another place."""
EXPIRED = "Access token expired. Use your refresh token to obtain a new access token."


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


def authorize(server: BitbucketServer, **asked: str | list[str]) -> Answer:
    """Ask for consent; what is not given is what a right request says."""
    right = {"client_id": "client", "response_type": "code"}
    return Client(server, None).get(server.oauth_authorize_url, **(right | asked))


def landed(answer: Answer) -> tuple[str, dict[str, str]]:
    """Tell where consent sends to, and with which parameters, each given once."""
    assert answer.status == 302
    place, _, query = answer.headers["location"].partition("?")
    return place, dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


def consent(server: BitbucketServer, **asked: str) -> str:
    """Get a code."""
    return landed(authorize(server, approve="yes", **asked))[1]["code"]


def exchange(server: BitbucketServer, code: str, **form: str) -> Answer:
    """Present a code."""
    return ask(server, grant_type="authorization_code", code=code, **form)


def test_consent(server: BitbucketServer) -> None:
    """Consent sends back to the registered callback with a code and the state, nothing else."""
    place, back = landed(authorize(server, approve="yes", state="s & 1"))
    assert place == CALLBACK
    assert back == {"code": back["code"], "state": "s & 1"}
    body = exchange(server, back["code"]).json
    assert "refresh_token" in body
    client = Client(server, f"Bearer {body['access_token']}")
    assert client.get("/user").json["display_name"] == "Ann"
    assert set(landed(authorize(server, approve="yes"))[1]) == {"code"}


def test_denial(server: BitbucketServer, world: World) -> None:
    """A refusal sends back with `access_denied` and the state, and makes no code."""
    place, back = landed(authorize(server, approve="no", state="s1"))
    assert place == CALLBACK
    assert back.pop("error_description")
    assert back == {"error": "access_denied", "state": "s1"}
    assert set(landed(authorize(server, approve="no"))[1]) == {"error", "error_description"}
    assert world.oauth.codes == {}


def test_callback_with_a_query(server: BitbucketServer, world: World) -> None:
    """A callback keeps the parameters it was registered with."""
    world.identities.add_oauth_consumer("other", "secret", callback="http://localhost:1/cb?a=b")
    answer = authorize(server, client_id="other", approve="no", state="s1")
    assert answer.headers["location"].startswith("http://localhost:1/cb?a=b&error=access_denied&")


def test_user(server: BitbucketServer, world: World) -> None:
    """The parameter `user` names who gives consent; the first person does without it."""
    world.add_user("Bob")
    for asked, name in (({}, "Ann"), ({"user": "Bob"}, "Bob")):
        assert name in authorize(server, **asked).body.decode()
        token = exchange(server, consent(server, **asked)).json["access_token"]
        answer = Client(server, f"Bearer {token}").get("/user")
        assert answer.json["display_name"] == name
    assert authorize(server, user="Nobody").status == 400


def test_consent_page(server: BitbucketServer, world: World) -> None:
    """The page tells who asks for what, of whom, and where the answer goes; it loads nothing."""
    answer = authorize(server, state="s1", user="Ann")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    page = answer.body.decode()
    for told in ("client", "Acme", "Ann", CALLBACK, "This is not Bitbucket."):
        assert told in page
    for scope in world.oauth.clients["client"].scopes:
        assert f"<code>{scope}</code>" in page
    assert '<button id="grant" name="approve" value="yes">Grant access</button>' in page
    assert '<button id="cancel" name="approve" value="no">Cancel</button>' in page
    assert '<input type="hidden" name="state" value="s1">' in page
    assert '<link rel="icon" href="data:,">' in page
    assert not re.search(r"<(script|img|iframe)|\bsrc=|url\(|@import|href=.(?!data:,)", page)


NASTY = "<b>\"'&amp;"


def test_pages_escape(world: World, server: BitbucketServer) -> None:
    """What comes from outside is text on the pages, never markup."""
    world.add_user(f"U{NASTY}")
    workspace = world.add_workspace("nasty", f"W{NASTY}")
    world.identities.add_oauth_consumer(
        f"C{NASTY}", "s", scopes=[f"S{NASTY}"], workspace=workspace, callback=f"http://x/{NASTY}"
    )
    asked = {"client_id": f"C{NASTY}", "state": f"T{NASTY}"}
    good = authorize(server, user=f"U{NASTY}", **asked)
    assert good.status == 200
    for first in ("U", "W", "C", "S", "T", "http://x/"):
        assert f"{first}{html.escape(NASTY)}" in good.body.decode()
    wrong: list[dict[str, str]] = [
        {"client_id": NASTY},
        {"response_type": NASTY},
        {"redirect_uri": NASTY},
        {"approve": NASTY},
        {"user": NASTY},
        {NASTY: "x"},
    ]
    pages = [authorize(server, **(asked | one)) for one in wrong]
    for page in pages:
        assert page.status == 400
        assert html.escape(NASTY) in page.body.decode()
    for page in (good, *pages):
        assert NASTY not in page.body.decode()
        assert '"&#x27;&amp;' not in page.body.decode()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"client_id": "nobody"}, ["client_id", "nobody"]),
        ({"response_type": "token"}, ["response_type", "token"]),
        ({"response_type": ""}, ["response_type", "nothing"]),
        ({"response_type": []}, ["response_type", "nothing"]),
        ({"redirect_uri": "http://evil.example"}, ["redirect_uri", "http://evil.example"]),
        ({"redirect_uri": "http://localhost:33333/"}, ["redirect_uri", "registered"]),
        ({"redirect_uri": "http://localhost:33334"}, ["redirect_uri", "registered"]),
        ({"redirect_uri": "http://127.0.0.1:33333"}, ["redirect_uri", "registered"]),
        ({"redirect_uri": "HTTP://localhost:33333"}, ["redirect_uri", "registered"]),
        ({"redirect_uri": ""}, ["redirect_uri", "nothing"]),
        ({"redirect_url": "http://localhost:33333"}, ["redirect_url", "parameter"]),
        ({"state": ["s1", "s2"]}, ["state", "once"]),
        ({"approve": "maybe"}, ["maybe", "yes or no"]),
    ],
)
def test_wrong_request(
    server: BitbucketServer, world: World, asked: dict[str, str | list[str]], told: list[str]
) -> None:
    """A wrong request gets a page that says what is wrong, and never leads anywhere."""
    for approve in ("yes", "no"):
        answer = authorize(server, **({"approve": approve} | asked))
        assert answer.status == 400
        assert "location" not in answer.headers
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = answer.body.decode()
        assert page.startswith("<!DOCTYPE html>")
        for text in told:
            assert text in page
    assert world.oauth.codes == {}


def test_callback_is_not_told(server: BitbucketServer) -> None:
    """A wrong request does not learn the registered callback."""
    assert CALLBACK not in authorize(server, redirect_uri="http://evil.example").body.decode()


def test_no_parameters(server: BitbucketServer) -> None:
    """A request for consent that says nothing gets a page as well."""
    answer = Client(server, None).get(server.oauth_authorize_url)
    assert answer.status == 400
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_scope_and_pkce_change_nothing(server: BitbucketServer, world: World) -> None:
    """`scope` and PKCE are accepted and ignored: the scopes stay, any verifier will do."""
    code = consent(server, scope="account", code_challenge="x", code_challenge_method="S256")
    body = exchange(server, code, code_verifier="another").json
    assert body["scope"].split() == list(world.oauth.clients["client"].scopes)


@pytest.mark.parametrize(
    ("sent", "repeated", "good"),
    [
        (None, None, True),
        ("http://localhost:33333", "http://localhost:33333", True),
        ("http://localhost:33333", None, False),
        ("http://localhost:33333", "http://localhost:33334", False),
        (None, "http://localhost:33333", False),
        (None, "", False),
    ],
)
def test_redirect_uri_is_repeated(
    server: BitbucketServer, sent: str | None, repeated: str | None, good: bool
) -> None:
    """The exchange repeats `redirect_uri` if it was sent, and only then."""
    code = consent(server, **({} if sent is None else {"redirect_uri": sent}))
    answer = exchange(server, code, **({} if repeated is None else {"redirect_uri": repeated}))
    assert answer.status == (200 if good else 400)
    assert good or answer.json["error"] == "invalid_grant"


def test_code_is_good_once(server: BitbucketServer) -> None:
    """A code that was presented before is refused."""
    code = consent(server)
    assert exchange(server, code).status == 200
    assert exchange(server, code).json["error"] == "invalid_grant"


def test_code_of_another(server: BitbucketServer, world: World) -> None:
    """A code is good for the consumer it was given to only."""
    world.identities.add_oauth_consumer("other", "secret")
    code = consent(server, client_id="other")
    assert exchange(server, code).json["error"] == "invalid_grant"


def test_code_ends(server: BitbucketServer, clock: Ticker) -> None:
    """A code is good for ten minutes."""
    early, late = consent(server), consent(server)
    clock.at += 599
    assert exchange(server, early).status == 200
    clock.at += 2
    assert exchange(server, late).json["error"] == "invalid_grant"


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
    assert (world.oauth.dead_presented, world.oauth.lockouts_hit) == (1, 0)
    assert refresh(server, second).json["error"] == "unauthorized_client"
    assert ask(server, grant_type="client_credentials").status == 400
    code = consent(server)
    assert exchange(server, code).json["error"] == "unauthorized_client"
    assert (world.oauth.dead_presented, world.oauth.lockouts_hit) == (1, 3)
    clock.at += 61
    assert refresh(server, second).status == 200
    assert exchange(server, code).status == 200
    assert world.oauth.lockouts_hit == 3


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
    assert (answer.status, answer.message) == (401, EXPIRED)
    assert {"x-oauth-scopes", "x-accepted-oauth-scopes", "x-credential-type"} <= set(answer.headers)


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


def test_codes_of_a_later_process(tmp_path: Path) -> None:
    """A later process makes up other codes, and refuses those of an earlier one."""
    codes: list[str] = []
    for _ in range(2):
        world = example_world(ANCHOR)
        keys = world.credentials
        assert keys is not None
        with BitbucketServer(world, oauth_state=tmp_path / "tokens.json") as server:
            form = {"grant_type": "authorization_code", "code": codes[0] if codes else "x"}
            client = Client(server, basic(keys.client_id, keys.client_secret))
            answer = client.ask("POST", server.oauth_token_url, form=list(form.items()))
            assert answer.json["error"] == "invalid_grant"
            codes += [consent(server, client_id=keys.client_id) for _ in range(2)]
    assert len(set(codes)) == 4


def test_expired_in_an_earlier_process(tmp_path: Path, clock: Ticker, world: World) -> None:
    """A later process still tells an expired access token from one that was made up."""
    state = tmp_path / "tokens.json"
    with BitbucketServer(world, oauth_state=state) as server:
        token = ask(server, grant_type="client_credentials").json["access_token"]
        clock.at += 7201
        ask(server, grant_type="client_credentials")
    world.oauth.access_tokens.clear()
    with BitbucketServer(world, oauth_state=state) as server:
        assert Client(server, f"Bearer {token}").get("/repositories/acme").message == EXPIRED
