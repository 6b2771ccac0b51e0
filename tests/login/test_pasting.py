"""The sign-in without a browser at hand: a code to paste, and the two halves for scripts."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.login.conftest import Person
from tests.login.support import get, state_of
from tests.support import Run, refusal


def code_in(address: str) -> str:
    """Return the code that an address brings."""
    return parse_qs(urlsplit(address).query)["code"][0]


def paste(person: Person, text: bytes) -> None:
    """Put something on standard input."""
    person.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


def login_and_paste(person: Person, *arguments: str, what: str) -> Run:
    """Sign in with --no-browser; `what` is the address with the code, or the code."""
    login = person.start("login", "--no-browser", *arguments)
    url = login.first_line()
    address = person.consent(url)
    run = login.end((address if what == "address" else code_in(address)) + "\n")
    run.lines.insert(0, url)
    return run


@pytest.mark.parametrize("what", ["address", "code"])
def test_pasted(person: Person, what: str) -> None:
    """A pasted address or code signs in; no callback is sent, no browser opened, nothing echoed."""
    run = login_and_paste(person, what=what)
    assert run.code == 0, run.log
    assert "redirect_uri" not in run.lines[0]
    assert run.lines[1].startswith("Signed in as Maya Chen")
    assert "paste it here" in run.log
    assert not person.opened.exists()
    assert person.kept()["refresh_token"] in person.oauth.refresh_tokens


def test_pasted_with_a_callback(person: Person) -> None:
    """A callback that is given is sent with both halves, wherever it is."""
    person.oauth.clients["acme-tap"].callback = "https://app.example/back"
    callback = ["--callback-url", "https://app.example/back"]
    run = login_and_paste(person, *callback, what="address")
    assert run.code == 0, run.log
    assert "redirect_uri=https%3A%2F%2Fapp.example%2Fback" in run.lines[0]


@pytest.mark.parametrize(
    ("pasted", "line"),
    [
        (b"", "Standard input ended"),
        (b"\n", "There is no code in that"),
        (b"what am I to do?\n", "There is no code in that"),
        (b"http://localhost:33333/\n", "There is no code in that"),
        (b"\xff\xfe\x00\x1b[31m\n", "There is no code in that"),
        (b"http://localhost/?code=pasted-c0de&state=other\n", "its state differs"),
        (b"http://localhost/?code=pasted-c0de\n", "its state differs"),
        (b"pasted-c0de\n", "did not take the code"),
    ],
)
def test_pasted_in_vain(person: Person, pasted: bytes, line: str) -> None:
    """What has no good code in it is said in one line, and not repeated."""
    person.secrets.add("pasted-c0de")
    paste(person, pasted)
    run = person.auth("login", "--no-browser")
    assert line in refusal(run)
    assert "\x1b" not in run.log
    assert person.token_files() == []


def test_denied_address(person: Person) -> None:
    """A pasted address of somebody who cancelled says so."""
    login = person.start("login", "--no-browser")
    address = person.consent(login.first_line(), approve="no")
    assert refusal(login.end(f"{address}\n")).startswith("Consent was denied")


def test_secrets_on_request(person: Person) -> None:
    """With --show-secrets the address goes to standard error: the output is the tokens alone."""
    url = person.auth("url").lines[0]
    paste(person, code_in(person.consent(url)).encode())
    run = person.auth("login", "--no-browser", "--show-secrets", shows=True)
    assert run.code == 0, run.log
    (line,) = run.lines
    assert json.loads(line)["access_token"] in person.oauth.access_tokens
    assert person.server.oauth_authorize_url in run.log
    person.heard(run.log)


# -- the two halves -------------------------------------------------------------------------------


def test_the_two_halves(person: Person) -> None:
    """`auth url` prints the address alone; `auth exchange` takes its code from standard input."""
    first = person.auth("url", "--state", "s 1")
    assert first.log == ""
    (url,) = first.lines
    assert state_of(url) == "s 1"
    address = person.consent(url)
    paste(person, f"{address}\n".encode())
    run = person.auth("exchange", "--code", "-", "--state", "s 1")
    assert run.code == 0, run.log
    assert run.lines[0].startswith("Signed in as Maya Chen")
    assert run.lines[1] == "Scopes: account, pullrequest, repository"
    assert person.kept()["access"]["value"] in person.oauth.access_tokens


def test_states_are_fresh(person: Person) -> None:
    """Without --state each address has one of its own, which standard error tells."""
    runs = [person.auth("url") for _ in range(2)]
    states = {state_of(run.lines[0]) for run in runs}
    assert len(states) == 2
    assert {run.log.strip() for run in runs} == {f"state: {state}" for state in states}


def test_the_callback_is_repeated(person: Person) -> None:
    """A callback of `auth url` must be repeated for the exchange, or the code is refused."""
    for repeated in (True, False):
        url = person.auth("url", "--callback-url", person.callback).lines[0]
        given = ["--callback-url", person.callback] if repeated else []
        run = person.auth("exchange", "--code", code_in(person.consent(url)), *given)
        if repeated:
            assert run.code == 0, run.log
        else:
            assert "callback must be the same" in refusal(run)


def test_exchange_of_another_state(person: Person) -> None:
    """An address with another state than the one named is not used."""
    address = person.consent(person.auth("url").lines[0])
    assert "its state differs" in refusal(
        person.auth("exchange", "--code", address, "--state", "mine")
    )
    assert person.oauth.codes


def test_exchange_shows_secrets_on_request(person: Person) -> None:
    """`auth exchange --show-secrets` prints the tokens as JSON, and lines on standard error."""
    code = code_in(person.consent(person.auth("url").lines[0]))
    run = person.auth("exchange", "--code", code, "--show-secrets", shows=True)
    (line,) = run.lines
    assert json.loads(line)["refresh_token"] == person.kept()["refresh_token"]
    person.heard(run.log)


def test_code_is_needed(person: Person) -> None:
    """`auth exchange` without a code says what is missing."""
    assert "--code" in refusal(person.auth("exchange"))


def test_account_that_is_not_told(person: Person) -> None:
    """A sign-in whose account cannot be asked is good all the same; the line says why."""
    person.oauth.clients["acme-tap"].scopes = ("repository",)
    run = person.sign_in()
    assert run.code == 0, run.log
    assert "lacks the scope account" in run.lines[0]
    assert run.lines[1] == "Scopes: repository"
    run = person.sign_in(api_url="http://127.0.0.1:9/2.0")
    assert run.code == 0, run.log
    assert (
        "could not be asked at http://127.0.0.1:9/2.0 (no answer, ConnectionError)" in run.lines[0]
    )


def test_the_account_is_asked_by_the_token_alone(person: Person) -> None:
    """A .netrc does not replace the token, and a redirect does not take it elsewhere."""
    person.environment()
    netrc = person.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password wrong\n")
    netrc.chmod(0o600)
    run = person.sign_in()
    assert run.lines[0].startswith("Signed in as Maya Chen"), run.lines


def test_no_refresh_token(person: Person) -> None:
    """If Bitbucket gives no refresh token, a line says what that means."""
    person.monkeypatch.setattr(type(person.oauth), "_refresh_token", lambda *_: None)
    run = person.sign_in()
    assert run.code == 0, run.log
    assert "gave no refresh token" in run.lines[2]
    assert "sign in again then" in run.lines[2]


def test_old_refresh_token_in_the_environment(person: Person) -> None:
    """A refresh token in the settings that a sign-in made old is said to be so."""
    user = next(iter(person.world.users.values()))
    seed = person.oauth.issue_refresh_token("acme-tap", user)
    run = person.sign_in(refresh_token=seed)
    assert run.lines[-1].startswith("refresh_token in the settings is an old one now")


# -- what there is to sign in to ------------------------------------------------------------------


@pytest.mark.parametrize("command", [["login"], ["url"], ["exchange", "--code", "x"], ["refresh"]])
@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"oauth_grant": "client_credentials"}, "there is nothing to sign in to"),
        (
            {"client_id": None, "client_secret": None, "access_token": "t0ken-t0ken"},
            "access tokens need no sign-in",
        ),
        (
            {
                "client_id": None,
                "client_secret": None,
                "email": "a@b.c",
                "api_token": "t0ken-t0ken",
            },
            "API tokens and access tokens need no sign-in",
        ),
    ],
)
def test_nothing_to_sign_in_to(
    person: Person, command: list[str], settings: dict[str, Any], line: str
) -> None:
    """Other credentials than a person's consent get one line that says so."""
    person.secrets.add("t0ken-t0ken")
    assert line in refusal(person.auth(*command, **settings))


def test_several_consumers(person: Person) -> None:
    """--credential chooses one of several; each keeps its own tokens."""
    person.world.identities.add_oauth_consumer("second", "secret two", callback=person.callback)
    several = [
        {"client_id": "acme-tap", "client_secret": "hush-hush-secret", "name": "one"},
        {"client_id": "second", "client_secret": "secret two", "name": "two"},
    ]
    person.secrets.add("secret two")
    file = person.config(client_id=None, client_secret=None, credentials=several)
    assert "choose one of 'one', 'two'" in refusal(person.auth("url", "--config", file))
    assert "'one', 'two'" in refusal(person.auth("url", "--config", file, "--credential", "x"))
    given: list[str | Path] = ["--config", file, "--credential", "two"]
    url = person.auth("url", *given).lines[0]
    assert parse_qs(urlsplit(url).query)["client_id"] == ["second"]
    run = person.auth("exchange", "--code", person.consent(url), *given)
    assert run.code == 0, run.log
    assert "named 'two'" in run.lines[0]
    assert len(person.token_files()) == 1


def test_consent_page_of_the_configured_address(person: Person) -> None:
    """The address keeps what oauth_authorize_url has in its query."""
    url = person.auth("url", oauth_authorize_url="https://x.example/auth?tenant=1").lines[0]
    assert url.startswith("https://x.example/auth?tenant=1&client_id=acme-tap&")
    assert urlencode({"response_type": "code"}) in url
    assert get(person.auth("url").lines[0]).status == 200
