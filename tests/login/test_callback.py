"""The sign-in by the browser of this machine, asked over plain HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from tests.login.conftest import Person
from tests.login.support import Answer, back_to, get, state_of
from tests.support import refusal


def test_only_the_answer_counts(person: Person) -> None:
    """Other paths, methods and hosts get their status and change nothing; then the answer does."""
    person.monkeypatch.setenv("LOGLEVEL", "DEBUG")  # what is logged then holds no secret either
    login = person.start("login", "--callback-url", person.callback)
    url = login.url()
    answer = person.consent(url)
    assert answer.startswith(f"{person.callback}?code=")
    assert get(f"{person.callback}/favicon.ico").status == 404
    assert get(f"{person.callback}/other?{answer.partition('?')[2]}").status == 404
    post = get(answer, method="POST")
    assert (post.status, post.headers["allow"]) == (405, "GET")
    for host in ("evil.example", f"evil.example:{person.port}", f"127.0.0.1:{person.port}"):
        assert get(answer, host=host).status == 400
    assert person.oauth.codes  # none of them spent it
    page = get(answer, address="::1")
    run = login.end()
    person.heard(page.text, json.dumps(page.headers))
    assert run.code == 0, run.log
    assert "| DEBUG" in run.log
    assert (page.status, page.title) == (200, "You are signed in")
    assert "Maya Chen" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert person.kept()["refresh_token"] in person.oauth.refresh_tokens


def test_what_is_told(person: Person) -> None:
    """Lines for people say who signed in, the scopes, where the tokens are, and until when."""
    login = person.start("login", "--callback-url", person.callback)
    url = login.url()
    get(person.consent(url))
    run = login.end()
    assert run.code == 0, run.log
    assert run.log == ""
    text = "\n".join(run.lines)
    assert f"  {url}" in run.lines  # always printed, for where no browser opens
    assert person.callback in run.lines[-4]
    signed, scopes, tokens = run.lines[-3:]
    assert signed.startswith("Signed in as Maya Chen (")
    assert "by OAuth consumer acme…" in signed
    assert scopes == "Scopes: account, pullrequest, repository"
    (file,) = person.token_files()
    assert tokens.startswith(
        f"Tokens: kept in {file}, readable by you alone; the access token ends"
    )
    assert "(in 2 h), and is renewed by itself" in tokens
    assert "noise" not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_secrets_on_request(person: Person) -> None:
    """With --show-secrets standard output is one JSON object with the tokens, and nothing else."""
    login = person.start("login", "--callback-url", person.callback, "--show-secrets")
    get(person.consent(login.url()))
    run = login.end(shows=True)
    assert run.code == 0, run.log
    (line,) = run.lines
    told, kept = json.loads(line), person.kept()
    assert told["access_token"] == kept["access"]["value"]
    assert told["refresh_token"] == kept["refresh_token"]
    assert told["scopes"] == ["account", "pullrequest", "repository"]
    assert told["expires_at"].endswith("Z")
    assert "Signed in as Maya Chen" in run.log
    person.heard(run.log)


@pytest.mark.parametrize(
    ("answer", "status", "title", "line"),
    [
        ({"code": "c0de", "state": "other"}, 400, "This is not the sign-in", "its state differs"),
        ({"code": "c0de"}, 400, "This is not the sign-in", "its state differs"),
        ({"error": "access_denied"}, 400, "This is not the sign-in", "its state differs"),
        ({"error": "access_denied", "state": "<>"}, 403, "Access was not granted", "denied"),
        ({"state": "<>"}, 400, "Bitbucket sent no code", "no code"),
        ({"error": "<b>oops", "state": "<>"}, 400, "Bitbucket sent no code", "<b>oops"),
        ({"code": "c0de", "state": "<>"}, 502, "You are not signed in", "did not take the code"),
    ],
)
def test_refused(
    person: Person, answer: dict[str, str], status: int, title: str, line: str
) -> None:
    """Each thing that goes wrong is a page and a line that say so; no token is kept."""
    person.secrets.add("c0de")
    login = person.start("login", "--callback-url", person.callback)
    state = state_of(login.url())
    fields = {name: value.replace("<>", state) for name, value in answer.items()}
    page = get(back_to(person.callback, fields))
    run = login.end()
    person.heard(page.text, json.dumps(page.headers))
    assert page.status == status
    assert page.title.startswith(title)
    assert "<b>" not in page.text
    assert "no-store" in page.headers["cache-control"]
    said = refusal(run)
    assert line in said
    assert "tap-bitbucket auth login" in said
    assert person.token_files() == []
    spent = [one for one in person.server.requests if one.path.endswith("/access_token")]
    assert len(spent) == (status == 502)


def test_the_page_tells_the_truth(person: Person) -> None:
    """Where the tokens cannot be kept, the page does not say "signed in", and the code is good."""
    login = person.start("login", "--callback-url", person.callback)
    answer = person.consent(login.url())
    (person.home / "state").write_text("in the way of the folder")
    page = get(answer)
    run = login.end()
    person.heard(page.text)
    assert (page.status, page.title) == (502, "You are not signed in")
    assert "Cannot" in page.text
    assert "Cannot" in refusal(run)
    assert person.oauth.codes


def test_port_in_use(person: Person) -> None:
    """A port in use is said with the ways out before a browser is opened, on either address."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as taken:
            taken.bind((address, person.port))
            taken.listen()
            said = refusal(person.auth("login", "--callback-url", person.callback))
        assert said.startswith(f"Port {person.port} is in use")
        assert "--callback-url" in said
        assert "--no-browser" in said
        assert not person.opened.exists()


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:1234",
        "http://example.com:1234",
        "http://localhost:0",
        "http://localhost:99999",
        "http://0.0.0.0:1234",
        "http://me@localhost:1234",
        "http://localhost:1234/#part",
        "http://[::1",
        "localhost:1234",
    ],
)
def test_callbacks_elsewhere(person: Person, url: str) -> None:
    """What cannot be listened to here is said with the other ways, before a browser is opened."""
    said = refusal(person.auth("login", "--callback-url", url))
    assert "cannot be listened to here" in said
    assert "--no-browser" in said
    assert "auth exchange" in said
    assert not person.opened.exists()


def test_nobody_comes(person: Person) -> None:
    """After the time-out a line says what may be wrong, and the port is free again."""
    run = person.auth("login", "--callback-url", person.callback, "--timeout", "1.5")
    said = refusal(run)
    assert said.startswith(f"Nobody came back to {person.callback} within 1.5 s")
    assert "redirect URI" in said
    assert "--no-browser" in said
    assert person.opened.exists()
    with closing(socket.create_server(("127.0.0.1", person.port))):
        pass


def test_interrupted(person: Person) -> None:
    """Ctrl-C ends the waiting with one line, exit code 130, and a port that is free.

    A browser that was started for it goes on: the terminal's Ctrl-C does not reach its group.
    """
    login = person.start("login", "--callback-url", person.callback)
    login.url()
    assert int(person.home.joinpath("group").read_text()) != os.getpgrp()
    login.stop(signal.SIGINT)
    run = login.end()
    assert run.code == 130
    assert len(run.log.splitlines()) == 1
    assert "Stopped" in run.log
    with closing(socket.create_server(("127.0.0.1", person.port))):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_exchange(person: Person, number: signal.Signals) -> None:
    """Whoever stops it between Bitbucket's answer and ours loses no token; the page says so."""
    login = person.start("login", "--callback-url", person.callback)
    answer = person.consent(login.url())
    asked, exchange = threading.Event(), person.oauth.token_request

    def slowly(*given: Any) -> dict[str, Any]:
        granted = exchange(*given)
        asked.set()
        time.sleep(1.5)
        return granted

    person.monkeypatch.setattr(person.oauth, "token_request", slowly)
    said: list[Answer] = []
    waiting = threading.Thread(target=lambda: said.append(get(answer)))
    waiting.start()
    assert asked.wait(20)
    login.stop(number)
    run = login.end()
    waiting.join()
    assert run.code == 128 + number
    assert len(run.log.splitlines()) == (number == signal.SIGINT)
    assert [one.title for one in said] == ["This sign-in is over"]
    assert person.kept()["refresh_token"] in person.oauth.refresh_tokens


def test_no_browser_here(person: Person) -> None:
    """Where no browser can be opened the address is there to be opened by hand."""
    person.monkeypatch.setattr("tap_bitbucket.login.consent._can_open", lambda: False)
    run = person.auth("login", "--callback-url", person.callback, "--timeout", "0.2")
    assert "No browser can be opened here" in "\n".join(run.lines)
    assert any(person.server.oauth_authorize_url in line for line in run.lines)


def test_browser_that_fails(person: Person) -> None:
    """A browser that does not start is said, too."""
    person.monkeypatch.setattr("webbrowser.get", object)
    environment = person.environment()
    environment["BROWSER"] = "/nonexistent/browser"
    person.monkeypatch.setattr(person, "environment", lambda **_: environment)
    person.monkeypatch.setenv("PATH", "/nonexistent")
    run = person.auth("login", "--callback-url", person.callback, "--timeout", "3")
    assert sum("No browser can be opened here" in line for line in run.lines) == 1
