"""Settings that name no credential, half a one, or too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from tap_bitbucket.auth import AuthenticationError, authenticators_from

OAUTH = {"client_id": "key", "client_secret": "hush", "refresh_token": "hush2"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["No credential", "access_token", "api_token", "client_id", "refresh_token"]),
        ({"access_token": "", "email": None, "api_token": "  "}, ["No credential"]),
        ({"client_id": "key"}, ["client_id set", "client_secret is not"]),
        ({"client_secret": "hush"}, ["client_secret set", "client_id is not"]),
        ({"refresh_token": "hush"}, ["refresh_token set", "client_id is not"]),
        ({"client_id": "key", "refresh_token": "hush"}, ["client_secret is not"]),
        (
            {"client_id": "key", "client_secret": "hush"},
            ["refresh_token is not", "Sign in", "oauth_grant to client_credentials"],
        ),
        ({"email": "a@b.c"}, ["email set", "api_token is not"]),
        ({"api_token": "hush"}, ["api_token set", "email is not"]),
        ({"email": "a@b.c:hush", "api_token": "hush"}, ["email has a colon"]),
        (
            {**OAUTH, "access_token": "hush"},
            ["More than one", "OAuth consumer (client_id, client_secret, refresh_token)",
             "access token (access_token)", "keep one"],
        ),
        (
            {"email": "a@b.c", "access_token": "hush"},
            ["More than one", "API token (email)", "access token (access_token)"],
        ),
        ({**OAUTH, "oauth_grant": "password"}, ["oauth_grant", "refresh_token", "client_cred"]),
        ({**OAUTH, "oauth_token_url": "bitbucket.org"}, ["oauth_token_url", "https://"]),
        ({**OAUTH, "oauth_token_url": "file:///etc"}, ["oauth_token_url", "https://"]),
        ({**OAUTH, "oauth_token_url": "https://u:hush@h/"}, ["oauth_token_url", "https://"]),
        ({**OAUTH, "refresh_token": "hu sh"}, ["refresh_token has blanks", "copy it again"]),
        ({"access_token": "hu\nsh"}, ["access_token has blanks"]),
        ({"access_token": "Bearer hush"}, ["access_token has blanks"]),
        ({"email": "a@b.c", "api_token": "hush\u201d"}, ["api_token has blanks"]),
        ({"access_token": 12345}, ["access_token must be a string"]),
    ],
)  # fmt: skip
def test_mistakes(
    settings: dict[str, object],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each mistake is one line that names the setting and the way out, and quotes no secret."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(AuthenticationError) as caught:
        authenticators_from(settings)
    said = str(caught.value)
    assert [word for word in words if word not in said] == []
    assert "\n" not in said
    assert "hush" not in said
    assert "12345" not in said


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home directory the setting to set is named."""

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    with pytest.raises(AuthenticationError, match="set token_file"):
        authenticators_from(OAUTH)


def test_blanks_of_copying(tmp_path: Path) -> None:
    """Blanks and line ends around a pasted value do not matter."""
    padded = {name: f" {value}\n" for name, value in OAUTH.items()}
    plain, other = (
        authenticators_from({**settings, "token_file": str(tmp_path / "t")})[0]
        for settings in (OAUTH, padded)
    )
    assert plain.identity == other.identity
