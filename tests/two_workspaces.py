"""Two small workspaces, and people who see one of them or both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tap_bitbucket.demo import BitbucketServer, RateLimit, World
from tap_bitbucket.demo.model import User
from tap_bitbucket.demo.served import ServedRequest

SLUGS = ("acme", "beta")
OWNERS = {"acme": "ann", "beta": "bob"}

Settings = dict[str, Any]


class People:
    """The world, and who is in it: ann owns acme, bob owns beta, eve and zoe own both."""

    def __init__(self) -> None:
        self.world = World("two")
        self.users: dict[str, User] = {}
        for name in ("ann", "bob", "eve", "zoe"):
            self.users[name] = self.world.add_user(
                name, nickname=name, email=f"{name}@people.example"
            )
        for slug in SLUGS:
            workspace = self.world.add_workspace(slug, slug.title())
            for name in (OWNERS[slug], "eve", "zoe"):
                self.world.add_member(workspace, self.users[name], "owner")
            self.world.add_project(workspace, "ONE")
            for repository in ("api", "web"):
                repo = self.world.add_repository(workspace, f"{slug}-{repository}", project="ONE")
                self.world.add_branch(repo, "topic")
                self.world.add_hook(repo, "https://ci.example/hook", ["repo:push"])
                self.world.open_pull_request(repo, author=self.users["eve"])

    def api_token(self, who: str, /, *, token: str = "", **settings: Any) -> Settings:
        """Return an entry with a person's API token; ``scopes`` limit it."""
        scopes = settings.pop("scopes", None)
        user, token = self.users[who], token or f"planted-token-of-{who}"
        more = {} if scopes is None else {"scopes": scopes}
        self.world.identities.add_api_token(user.email, token, user=user, **more)
        return {"name": f"{who}-entry", "email": user.email, "api_token": token, **settings}

    def access_token(self, slug: str, /, **settings: Any) -> Settings:
        """Return an entry with a workspace access token; ``scopes`` limit it."""
        scopes = settings.pop("scopes", None)
        more = {} if scopes is None else {"scopes": scopes}
        token = f"planted-access-{slug}"
        self.world.identities.add_access_token(token, bound_to=self.world.workspace(slug), **more)
        return {"name": f"{slug}-robot", "access_token": token, **settings}

    def consumer(self, slug: str, /, **settings: Any) -> Settings:
        """Return an entry with the client credentials of a consumer; ``scopes`` limit it."""
        scopes = settings.pop("scopes", None)
        more = {} if scopes is None else {"scopes": scopes}
        client, secret = f"consumer-{slug}", f"planted-secret-{slug}"
        self.world.identities.add_oauth_consumer(
            client, secret, workspace=self.world.workspace(slug), **more
        )
        return {
            "client_id": client,
            "client_secret": secret,
            "oauth_grant": "client_credentials",
            **settings,
        }

    def signed_in(self, slug: str, who: str, /, **settings: Any) -> Settings:
        """Return an entry with the refresh token of a person who consented to a consumer."""
        entry = self.consumer(slug, **settings)
        del entry["oauth_grant"]
        seed = self.world.oauth.issue_refresh_token(entry["client_id"], self.users[who])
        return {**entry, "refresh_token": seed}

    def key(self, name: str) -> str:
        """Return what the stand-in calls the one who spends a person's allowance."""
        return f"user:{self.users[name].uuid}"

    def revoke(self, entry: Mapping[str, Any]) -> None:
        """Make a token good for nothing."""
        known = self.world.identities
        known._api_tokens.pop((entry.get("email", ""), entry.get("api_token", "")), None)
        known._access_tokens.pop(entry.get("access_token", ""), None)


def several(server: BitbucketServer, *entries: Settings, **settings: Any) -> Settings:
    """Return a config with these credentials."""
    return {
        "api_url": server.api_url,
        "oauth_token_url": server.oauth_token_url,
        "credentials": list(entries),
        "max_retries": 0,
        **settings,
    }


def secrets_of(*entries: Settings) -> list[str]:
    """Return what must be seen nowhere."""
    names = ("api_token", "access_token", "client_secret", "refresh_token")
    return [entry[name] for entry in entries for name in names if name in entry]


def workspace_of(request: ServedRequest) -> str:
    """Return the slug or uuid of the workspace that a request is about; empty for none."""
    parts = request.path.split("/")
    at_one = parts[2] in {"workspaces", "repositories", "snippets"}
    return unquote(parts[3]) if at_one and len(parts) > 3 else ""


def asked(server: BitbucketServer) -> Counter[tuple[str, str]]:
    """Return how often who asked about which workspace: no list is asked for a token."""
    return Counter(
        (one.identity, workspace_of(one)) for one in server.requests if one.path.startswith("/2.0/")
    )


class Uneven(RateLimit):
    """Limits that differ from identity to identity; without one for whom none is given."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"retry_after": "seconds", **settings})
        self.each: dict[str, RateLimit] = {}

    def of(self, key: str, limit: int, **settings: Any) -> RateLimit:
        """Set the limit of one identity."""
        made = RateLimit(limit=limit, **{"retry_after": "seconds", **settings})
        self.each[key] = made
        return made

    def spend(self, key: str) -> dict[str, str]:
        """Count a request with its own limit."""
        return self.each[key].spend(key) if key in self.each else {}
