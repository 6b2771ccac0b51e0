"""Who may read settings: administrators with the right scope, and nobody else."""

from __future__ import annotations

import pytest

from tap_bitbucket.demo import BitbucketServer, World
from tests.standin.client import Client, basic

R, W = "/repositories/acme/rocket", "/workspaces/acme"
P = f"{W}/projects/ROC"
OF_REPOSITORY = {
    "branch-restrictions": ("repository:admin", "admin:repository"),
    "branching-model/settings": ("repository:admin", "admin:repository"),
    "override-settings": ("repository:admin", "admin:repository"),
    "pipelines_config": ("repository:admin", "admin:repository"),
    "deploy-keys": ("repository repository:admin", "admin:repository"),
    "hooks": ("webhook", "read:webhook"),
    "permissions-config/users": ("repository:admin", "read:repository"),
    "permissions-config/groups": ("repository:admin", "read:repository"),
    "pipelines_config/variables/": ("pipeline", "read:pipeline"),
    "pipelines-config/runners": ("runner", "read:runner"),
}
OF_PROJECT = {
    "default-reviewers": ("project:admin", "read:pullrequest"),
    "permissions-config/users": ("project:admin", "read:project"),
    "permissions-config/groups": ("project:admin", "read:project"),
    "branching-model": ("project:admin", "read:repository"),
    "branching-model/settings": ("project:admin", "admin:project"),
    "deploy-keys": ("project project:admin", "admin:project"),
}
OF_WORKSPACE = {
    "permissions/repositories": ("account", "read:repository"),
    "hooks": ("webhook", "read:webhook"),
    "pipelines-config/variables": ("pipeline", "read:pipeline"),
    "pipelines-config/runners": ("runner", "read:runner"),
}
ALL = {
    **{f"{R}/{path}": scopes for path, scopes in OF_REPOSITORY.items()},
    **{f"{P}/{path}": scopes for path, scopes in OF_PROJECT.items()},
    **{f"{W}/{path}": scopes for path, scopes in OF_WORKSPACE.items()},
}
FOR_EVERYBODY = {
    f"{R}/branching-model": ("repository", "read:repository"),
    f"{R}/effective-branching-model": ("repository", "read:repository"),
    f"{R}/effective-default-reviewers": ("pullrequest", "read:pullrequest"),
    f"{R}/downloads": ("repository", "read:repository"),
    f"{R}/forks": ("repository", "read:repository"),
    f"{R}/watchers": ("repository", "read:repository"),
    f"{R}/src/main": ("repository", "read:repository"),
    f"{R}/filehistory/main/README.md": ("repository", "read:repository"),
    f"{R}/commit/main/reports": ("repository", "read:repository"),
    f"{R}/commit/main/statuses": ("repository", "read:repository"),
    f"{R}/commit/main/comments": ("repository", "read:repository"),
    f"{R}/pipelines_config/schedules": ("pipeline", "read:pipeline"),
    f"{R}/pipelines_config/ssh/known_hosts": ("pipeline", "read:pipeline"),
    f"{R}/pipelines-config/caches": ("pipeline", "read:pipeline"),
    "/snippets/acme": ("snippet", "read:snippet"),
    "/user/emails": ("email", "read:user"),
}
PERMISSION_LISTS = (
    f"{W}/permissions", f"{W}/permissions/repositories", f"{W}/permissions/repositories/rocket",
    f"{R}/permissions-config/users", f"{R}/permissions-config/groups",
    f"{P}/permissions-config/users", f"{P}/permissions-config/groups",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _model(world: World) -> None:
    """A project without a branching model answers 404, which is not at stake here."""
    world.set_branching_model(world.workspace("acme").projects["ROC"])


def _member(world: World, server: BitbucketServer) -> Client:
    bob = world.add_user("Bob")
    world.add_member("acme", bob)
    world.identities.add_api_token("b@example.com", "b", user=bob)
    return Client(server, basic("b@example.com", "b"))


@pytest.mark.parametrize("path", ALL)
def test_administrators_only(world: World, server: BitbucketServer, api: Client, path: str) -> None:
    """Settings are for administrators; others get 403 in the shape of the service."""
    assert api.get(path).status == 200
    answer = _member(world, server).get(path)
    assert answer.status == 403
    of_pipelines = "/pipelines" in path
    assert ("type" not in answer.json) == of_pipelines
    assert ("detail" in answer.json["error"]) == of_pipelines


@pytest.mark.parametrize("path", [f"{R}/{path}" for path in OF_REPOSITORY])
def test_administrator_of_a_repository(world: World, server: BitbucketServer, path: str) -> None:
    """An explicit permission on the repository is enough for its settings."""
    client = _member(world, server)
    world.set_permission("acme/rocket", world.user("Bob"), "admin")
    assert client.get(path).status == 200
    assert client.get(f"{W}/hooks").status == 403


@pytest.mark.parametrize("path", [f"{P}/{path}" for path in OF_PROJECT])
def test_administrator_of_a_project(world: World, server: BitbucketServer, path: str) -> None:
    """An explicit permission on the project is enough for its settings."""
    client, project = _member(world, server), world.workspace("acme").projects["ROC"]
    world.set_permission(project, world.user("Bob"), "create-repo")
    assert client.get(path).status == 403
    world.set_permission(project, world.user("Bob"), "admin")
    assert client.get(path).status == 200


@pytest.mark.parametrize(("path", "scopes"), [*ALL.items(), *FOR_EVERYBODY.items()])
def test_scopes(world: World, server: BitbucketServer, path: str, scopes: tuple[str, str]) -> None:
    """Each endpoint asks for its scopes, spelt as each kind of credential spells them."""
    ann = world.user("Ann")
    world.identities.add_api_token("a@example.com", "none", user=ann, scopes=[])
    world.identities.add_api_token(
        "a@example.com", "right", user=ann, scopes=[f"{scopes[1]}:bitbucket"]
    )
    refused = Client(server, basic("a@example.com", "none")).get(path)
    assert refused.status == 403
    assert refused.json["error"]["detail"]["required"] == [f"{scopes[1]}:bitbucket"]
    assert Client(server, basic("a@example.com", "right")).get(path).status == 200
    world.identities.add_oauth_consumer("few", "few", scopes=["wiki"])
    token = world.oauth.token_request("few", "few", {"grant_type": "client_credentials"})
    bearer = Client(server, f"Bearer {token['access_token']}")
    detail = bearer.get(path).json["error"].get("detail")
    assert detail in (None, {"required": scopes[0].split(), "granted": ["wiki"]})


@pytest.mark.parametrize("path", PERMISSION_LISTS)
def test_access_tokens_and_permissions(world: World, server: BitbucketServer, path: str) -> None:
    """Access tokens may not ask for permissions, unless the switch says so."""
    workspace = world.workspace("acme")
    world.identities.add_access_token("t", "workspace", bound_to=workspace)
    client = Client(server, "Bearer t")
    assert client.get(path).status == 403
    server.token_permissions = "allow"
    assert client.get(path).status == 200


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [("workspace", {W, P, R}), ("project", {P, R}), ("repository", {R})],
)
def test_bound_tokens_administer_their_place(
    world: World, server: BitbucketServer, kind: str, allowed: set[str]
) -> None:
    """An access token reads the settings of its own place and of what is in it."""
    repo = world.repository("acme/rocket")
    place = {"workspace": repo.workspace, "project": repo.project, "repository": repo}[kind]
    world.identities.add_access_token("t", kind, bound_to=place)  # type: ignore[arg-type]
    client = Client(server, "Bearer t")
    for path in (f"{W}/hooks", f"{P}/deploy-keys", f"{R}/hooks"):
        above = path.rpartition("/")[0]
        assert (client.get(path).status == 200) == (above in allowed), path


@pytest.mark.parametrize("path", ["/snippets/acme", "/user/emails", "/users/{}/ssh-keys"])
def test_access_tokens_are_no_people(world: World, server: BitbucketServer, path: str) -> None:
    """Access tokens read neither snippets nor what belongs to a person."""
    workspace = world.workspace("acme")
    scopes = ("account", "snippet", "email")
    world.identities.add_access_token("t", "workspace", bound_to=workspace, scopes=scopes)
    name = world.user("Ann").account_id
    assert Client(server, "Bearer t").get(path.format(name)).status == 403


@pytest.mark.parametrize("path", [*ALL, *FOR_EVERYBODY])
def test_anonymous(server: BitbucketServer, path: str) -> None:
    """Nobody reads anything of a private workspace."""
    assert Client(server, None).get(path).status == 401


@pytest.mark.parametrize("path", [*ALL, *FOR_EVERYBODY])
def test_unknown_parameter(api: Client, path: str) -> None:
    """A parameter that an endpoint does not take answers 400."""
    assert api.get(path, pagesize=5).status == 400


LISTS = [
    path for path in (*ALL, *FOR_EVERYBODY) if not path.endswith(("model", "settings", "_config"))
]


@pytest.mark.parametrize("path", LISTS)
def test_pagelen(api: Client, path: str) -> None:
    """Lists take a page length of up to 100."""
    assert api.get(path, pagelen=100).status == 200
    assert api.get(path, pagelen=101).status == 400
    assert api.get(path, pagelen=0).status == 400


@pytest.mark.parametrize(
    "path", [f"{R}/permissions-config/users", f"{P}/permissions-config/groups", f"{R}/watchers"]
)
def test_no_filter(api: Client, path: str) -> None:
    """These lists can be neither filtered nor sorted."""
    assert api.get(path, q='permission="admin"').status == 400
    assert api.get(path, sort="permission").status == 400


def test_hook_events_are_public(server: BitbucketServer) -> None:
    """The events of webhooks need no credentials; other subjects than the two answer 404."""
    client = Client(server, None)
    assert set(client.get("/hook_events").json) == {"repository", "workspace"}
    page = client.get("/hook_events/workspace").json
    assert page["pagelen"] == 30
    assert set(page["values"][0]) == {"event", "category", "label", "description"}
    assert client.get("/hook_events/team").status == 404
