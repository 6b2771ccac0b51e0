"""A small Bitbucket with all kinds of credentials, a place that nobody should go to, and TLS."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import backoff
import pytest

from tap_bitbucket.auth import token_endpoint
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Credentials, World
from tap_bitbucket.demo.shapes import Shapes
from tests.security import certificates
from tests.security.places import TLS, Recorder
from tests.support import Run

STREAMS = ("workspaces", "repositories", "branches", "commits", "pull_requests")
ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle",
               "curl_ca_bundle", "ssl_cert_file", "netrc")  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's own proxies, certificates and logins out, and the waits short."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(backoff, "full_jitter", lambda _: 0.001)
    monkeypatch.setattr(token_endpoint, "full_jitter", lambda _: 0.001)


@pytest.fixture
def elsewhere() -> Iterator[Recorder]:
    """A place that must hear nothing."""
    with Recorder() as place:
        assert isinstance(place, Recorder)
        yield place


@dataclass
class Bitbucket:
    """A served world of one repository, and who may read it."""

    server: BitbucketServer
    folder: Path
    keys: Credentials

    @property
    def world(self) -> World:
        """What is served."""
        return self.server.world

    def settings(self, kind: str = "oauth", url: str | None = None, **more: Any) -> dict[str, Any]:
        """Return settings of one kind of credential, for the server or another address of it."""
        url, keys = url or self.server.url, self.keys
        own = {
            "oauth": {
                "client_id": keys.client_id,
                "client_secret": keys.client_secret,
                "refresh_token": keys.refresh_token,
                "token_file": str(self.folder / "kept" / "token.json"),
            },
            "client": {
                "client_id": keys.client_id,
                "client_secret": keys.client_secret,
                "oauth_grant": "client_credentials",
            },
            "api_token": {"email": keys.email, "api_token": keys.api_token},
            "access_token": {"access_token": keys.access_token},
        }[kind]
        return {
            "api_url": f"{url}/2.0",
            "oauth_token_url": f"{url}/site/oauth2/access_token",
            "workspaces": [EXAMPLE_WORKSPACE],
            "max_retries": 1,
            **own,
            **more,
        }

    def secrets(self) -> list[str]:
        """Return all that must go nowhere else, in the forms in which it goes over the wire."""
        keys, oauth = self.keys, self.world.oauth
        plain = [keys.client_secret, keys.refresh_token, keys.api_token, keys.access_token]
        pairs = [(keys.email, keys.api_token), (keys.client_id, keys.client_secret)]
        basic = [base64.b64encode(f"{one}:{two}".encode()).decode() for one, two in pairs]
        return [*plain, *basic, *oauth.access_tokens, *oauth.refresh_tokens]

    def found_in(self, *texts: str | bytes) -> list[str]:
        """Return which secrets are in texts."""
        whole = [one.decode(errors="replace") if isinstance(one, bytes) else one for one in texts]
        return [one[:30] for one in self.secrets() if any(one in text for text in whole)]

    @property
    def authorizations(self) -> set[str]:
        """Return how the requests so far were signed."""
        return {one.headers.get("authorization", "") for one in self.server.requests}


@pytest.fixture
def bitbucket(tmp_path: Path) -> Iterator[Bitbucket]:
    """Serve a world of one repository."""
    world = World("secure")
    workspace = world.add_workspace(EXAMPLE_WORKSPACE, "Halley Labs")
    maya = world.add_user("Maya")
    world.add_member(workspace, maya, "owner")
    world.add_project(workspace, "SKY")
    repo = world.add_repository(workspace, "sky", project="SKY")
    world.push(repo, "main", 3)
    for number in range(12):
        world.add_branch(repo, f"more-{number:02}")
    world.open_pull_request(repo, author=maya)
    keys = Credentials(
        "consumer", "cLient-secret-0123456789-of-tests", maya.email, "ATATT3x-api-token-42", ""
    )
    world.identities.add_oauth_consumer(keys.client_id, keys.client_secret, workspace=workspace)
    keys.access_token = "ATCTT3x-access-token-of-tests-42"
    world.identities.add_access_token(keys.access_token, bound_to=workspace)
    keys.refresh_token = world.oauth.issue_refresh_token(keys.client_id, maya)
    world.identities.add_api_token(keys.email, keys.api_token, user=maya)
    world.credentials = keys
    with BitbucketServer(world) as server:
        yield Bitbucket(server, tmp_path, keys)


def assert_whole(run: Run) -> None:
    """A run ended well and read all that there is."""
    assert run.code == 0, run.log
    assert run.counts["branches"] == 14


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trust the authority of the tests, as README says."""
    file = certificates.authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    return file


@pytest.fixture
def secured(bitbucket: Bitbucket, tmp_path: Path) -> Iterator[Callable[..., TLS]]:
    """Return what puts TLS before the server, with a certificate as it is told."""
    with ExitStack() as stack:

        def secure(**about: Any) -> TLS:
            file = certificates.server(tmp_path, **about)
            place = stack.enter_context(TLS(file, bitbucket.server.port))
            assert isinstance(place, TLS)
            bitbucket.world.shapes = Shapes(f"{place.url}/2.0")
            bitbucket.world.shapes.settings = bitbucket.server.settings
            return place

        yield secure
