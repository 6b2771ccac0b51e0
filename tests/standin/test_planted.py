"""Secrets: those that Bitbucket shows are there to be dropped, the others are never shown."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tap_bitbucket.demo import BitbucketServer, World, example_world
from tap_bitbucket.demo.truth import KINDS
from tests.standin.client import ANCHOR, Client


@pytest.fixture(scope="module")
def everything(shared: BitbucketServer) -> str:
    """All that the example world shows."""
    return json.dumps([shared.world.truth(kind) for kind in sorted(KINDS)])


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("pipeline_steps", "do-not-store-me"),
        ("repositories", "halley-clone-password-f58b"),
        ("repository_hooks", "halley-build-token-e60d"),
        ("workspace_hooks", "halley-audit-password-77aa"),
        ("workspace_hooks", "halley-chat-token-51c7e0"),
        ("workspace_variables", "halley-npm-token-c41f"),
        ("pipeline_variables", "halley-pypi-password-3d19"),
        ("deployment_variables", "halley-mail-key-90cd"),
    ],
)
def test_shown_secrets(shared: BitbucketServer, kind: str, secret: str) -> None:
    """Bitbucket shows secrets that people put in the wrong place; they are noted."""
    assert secret in json.dumps(shared.world.rows(kind))
    assert secret in shared.world.secrets


def test_runner_secrets(shared: BitbucketServer) -> None:
    """Runners show the secret of their OAuth client."""
    rows = shared.world.rows("workspace_runners") + shared.world.rows("pipeline_runners")
    secrets = {row["oauth_client"]["secret"] for row in rows}
    assert len(secrets) == 5
    assert secrets <= shared.world.secrets


@pytest.mark.parametrize(
    "secret",
    ["hunter2", "halley-sentry-token-02be", "halley-hook-secret-9f3d", "halley-vault-token-ab44",
     "halley-database-telescope-control"],
)  # fmt: skip
def test_hidden_secrets(shared: BitbucketServer, everything: str, secret: str) -> None:
    """Secured values and the secrets of webhooks are noted, and never shown."""
    assert secret in shared.world.secrets
    assert secret not in everything


def test_credentials_are_secrets(shared: BitbucketServer, everything: str) -> None:
    """The credentials of the example are noted as well, and never shown."""
    keys = shared.world.credentials
    assert keys is not None
    for secret in (keys.client_secret, keys.api_token, keys.access_token):
        assert secret in shared.world.secrets
        assert secret not in everything


def test_secured_variables(shared: BitbucketServer) -> None:
    """A secured variable has no `value`, any other one has."""
    for kind in ("workspace_variables", "pipeline_variables", "deployment_variables"):
        rows = shared.world.rows(kind)
        assert {row["secured"] for row in rows} == {True, False}
        assert all(("value" in row) != row["secured"] for row in rows)


def test_show_secrets() -> None:
    """A switch shows what the documents list: the secrets of webhooks and private keys."""
    world = example_world(ANCHOR)
    keys = world.credentials
    assert keys is not None
    world.identities.add_api_token("x", "y", user=world.user("maya"))
    control = "/repositories/halley-labs/telescope-control"
    with BitbucketServer(world) as server:
        client = Client(server, "Basic eDp5")
        hook = client.get(f"{control}/hooks").values[-1]
        assert hook["secret_set"] is True
        assert "secret" not in hook
        assert "private_key" not in client.get(f"{control}/pipelines_config/ssh/key_pair").json
        server.show_secrets = True
        hook = client.get(f"{control}/hooks/{quote(hook['uuid'])}").json
        assert hook["secret"] in world.secrets
        assert client.get("/workspaces/halley-labs/hooks").values[0]["secret"] in world.secrets
        private = client.get(f"{control}/pipelines_config/ssh/key_pair").json["private_key"]
        assert any(secret in private for secret in world.secrets)


def test_changes_plant(world: World) -> None:
    """Whatever is secret is noted when it comes into the world."""
    rocket = world.repository("acme/rocket")
    variable = world.add_variable(rocket, "A", "plain")
    assert world.secrets == set()
    world.set_variable(variable, "one", secured=True)
    world.set_variable(variable, "two")
    world.add_hook(rocket, "https://example.com", [], secret="three")
    world.show_clone_user(rocket, "ann:four")
    world.start_pipeline(rocket, image={"name": "x", "username": "u", "password": "five"})
    runner = world.add_runner(rocket, "machine")
    assert world.secrets == {"one", "two", "three", "four", "five", runner.secret}
    assert world.plant("six") in world.secrets
