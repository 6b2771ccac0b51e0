"""Credentials, scopes and the boundaries of tokens."""

from __future__ import annotations

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import REPOS, Client, W, basic


def _as(server: BitbucketServer, authorization: str | None) -> Client:
    return Client(server, authorization)


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer nonsense", "Bearer token", basic("ann@example.com", "wrong"), "Basic %%%",
     basic("ann", "app-password"), "Digest x"],
)  # fmt: skip
def test_not_authenticated(server: BitbucketServer, authorization: str | None) -> None:
    """Missing, wrong and unsupported credentials, and an API token as Bearer, answer 401."""
    answer = _as(server, authorization).get("/repositories/acme")
    assert answer.status == 401
    assert answer.json["type"] == "error"


def test_public_repositories(world: World, server: BitbucketServer) -> None:
    """Nobody in particular may read public repositories only."""
    world.add_repository("acme", "open", is_private=False)
    nobody = _as(server, None)
    assert [row["slug"] for row in nobody.get("/repositories/acme").values] == ["open"]
    assert nobody.get("/repositories/acme/rocket").status == 401


def test_scope_headers(api: Client) -> None:
    """Every API answer tells the scopes given and needed, and the kind of credential."""
    headers = api.get("/repositories/acme").headers
    assert "read:repository:bitbucket" in headers["x-oauth-scopes"]
    assert headers["x-accepted-oauth-scopes"] == "read:repository:bitbucket"
    assert headers["x-credential-type"] == "apitoken"
    assert headers["x-request-id"]


def test_missing_scope(world: World, server: BitbucketServer) -> None:
    """A missing scope answers 403 with what is required and what was granted."""
    ann = world.user("Ann")
    scopes = ["read:pullrequest:bitbucket"]
    world.identities.add_api_token("a@example.com", "t", scopes=scopes, user=ann)
    client = _as(server, basic("a@example.com", "t"))
    assert client.get("/repositories/acme/rocket/pullrequests").status == 200
    answer = client.get("/repositories/acme/rocket")
    assert answer.status == 403
    assert answer.json["error"]["detail"] == {
        "required": ["read:repository:bitbucket"],
        "granted": ["read:pullrequest:bitbucket"],
    }


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("pullrequest", "/repositories/acme/rocket", 200),
        ("project", "/repositories/acme", 200),
        ("repository:write", "/repositories/acme", 200),
        ("repository:admin", "/repositories/acme", 403),
        ("project:admin", "/repositories/acme", 403),
        ("repository", "/repositories/acme/rocket/pullrequests", 403),
        ("pullrequest", "/repositories/acme/rocket/pipelines/", 403),
        ("repository", "/repositories/acme/rocket/branch-restrictions", 403),
    ],
)
def test_implied_scopes(
    world: World, server: BitbucketServer, scope: str, path: str, status: int
) -> None:
    """The scopes pullrequest and project bring repository along; the admin scopes imply nothing."""
    workspace = world.workspace("acme")
    world.identities.add_access_token("t", "workspace", bound_to=workspace, scopes=[scope])
    assert _as(server, "Bearer t").get(path).status == status


@pytest.mark.parametrize(
    "path",
    ["/user", "/user/emails", "/user/workspaces", f"{W}/permissions",
     f"{W}/permissions/repositories", "/user/workspaces/halley-labs/permission"],
)  # fmt: skip
def test_access_tokens_are_nobody(shared: BitbucketServer, path: str) -> None:
    """Access tokens may ask neither for the caller nor for permissions."""
    keys = shared.world.credentials
    assert keys is not None
    client = _as(shared, f"Bearer {keys.access_token}")
    assert client.get(path).status == 403
    assert client.get(REPOS).status == 200
    assert client.get(f"{W}/members").status == 200


def test_bound_tokens(world: World, server: BitbucketServer) -> None:
    """A bound token sees its own project or repository only, and no other workspace."""
    other = world.add_project("acme", "LAB")
    world.add_repository("acme", "probe", project=other)
    world.add_repository(world.add_workspace("rival"), "secret")
    rocket = world.repository("acme/rocket")
    world.identities.add_access_token("r", "repository", bound_to=rocket)
    world.identities.add_access_token("p", "project", bound_to=other)
    for token, seen, unseen in (("r", "rocket", "probe"), ("p", "probe", "rocket")):
        client = _as(server, f"Bearer {token}")
        assert [row["slug"] for row in client.get("/repositories/acme").values] == [seen]
        assert client.get(f"/repositories/acme/{unseen}").status == 404
        assert client.get("/repositories/rival").status == 403
        assert client.get("/repositories/rival/secret").status == 404


def test_admin_endpoints(world: World, server: BitbucketServer) -> None:
    """Endpoints for administrators answer 403 to others."""
    bob = world.add_user("Bob")
    world.add_member("acme", bob)
    world.identities.add_api_token("b@example.com", "b", user=bob)
    client = _as(server, basic("b@example.com", "b"))
    assert client.get("/repositories/acme/rocket/hooks").status == 403
    assert client.get("/workspaces/acme/permissions/repositories").status == 403
    assert client.get("/repositories/acme/rocket/pullrequests").status == 200
    world.set_permission("acme/rocket", bob, "admin")
    assert client.get("/repositories/acme/rocket/hooks").status == 200


def test_log_masks_credentials(server: BitbucketServer, api: Client) -> None:
    """The request log shows the scheme and a fingerprint, never the secret."""
    api.get("/repositories/acme", pagelen=10)
    one = server.requests[-1]
    assert (one.method, one.path, one.status) == ("GET", "/2.0/repositories/acme", 200)
    assert one.query == {"pagelen": ["10"]}
    assert one.headers["authorization"].startswith("Basic sha256:")
    assert one.identity.startswith("user:")
    server.clear_requests()
    assert server.requests == []


def test_tokens_elsewhere(server: BitbucketServer, api: Client) -> None:
    """Credentials sent outside the API are noticed."""
    api.get("/elsewhere/download")
    assert [one.path for one in server.tokens_seen_elsewhere] == ["/elsewhere/download"]


def test_permissions_rows(read: Client) -> None:
    """Roles are told by the permissions list only."""
    assert "permission" not in read.get(f"{W}/members").values[0]
    roles = {row["permission"] for row in read.get(f"{W}/permissions").values}
    assert roles == {"owner", "collaborator", "member"}
    owner = read.get("/user/workspaces/halley-labs/permission").json
    assert owner["permission"] == "owner"


def test_user_workspaces(read: Client) -> None:
    """The caller's workspaces come without their names."""
    (row,) = read.get("/user/workspaces").values
    assert row["administrator"] is True
    assert set(row["workspace"]) == {"type", "uuid", "slug", "links"}
