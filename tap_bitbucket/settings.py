"""Every setting once: README's table, meltano.yml and plugin.yml are compared with this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from singer_sdk import typing as th

_STRINGS = th.ArrayType(th.StringType)
SHARD = re.compile(r"^([0-9]{1,9})/([1-9][0-9]{0,8})\Z")


def _credentials(*, titled: bool) -> list[th.Property[Any]]:
    """Return what identifies somebody to Bitbucket."""

    def one(name: str, title: str, description: str, **more: Any) -> th.Property[Any]:
        kind = more.pop("kind", th.StringType)
        return th.Property(
            name, kind, title=title if titled else None, description=description, **more
        )

    return [
        one("client_id", "OAuth client id", "Key of the OAuth consumer."),
        one("client_secret", "OAuth client secret", "Secret of the OAuth consumer.", secret=True),
        one(
            "refresh_token",
            "OAuth refresh token",
            "The refresh token of a sign-in made elsewhere, used once as a seed: Bitbucket "
            "replaces it at every use, and the tap keeps the current one in the token file. Not "
            "needed after `tap-bitbucket auth login`.",
            secret=True,
        ),
        one(
            "oauth_grant",
            "OAuth grant",
            "`refresh_token` acts as the person who signed in, `client_credentials` as the "
            "consumer itself and needs no refresh token.",
            allowed_values=["refresh_token", "client_credentials"],
            default="refresh_token",
        ),
        one("email", "Atlassian e-mail", "E-mail address of the account that owns the API token."),
        one("api_token", "API token", "Atlassian API token with Bitbucket scopes.", secret=True),
        one(
            "access_token",
            "Access token",
            "Access token of a workspace, a project or a repository.",
            secret=True,
        ),
    ]


def _token_file(*, titled: bool) -> th.Property[Any]:
    """Return where the tokens of OAuth are kept."""
    return th.Property(
        "token_file",
        th.StringType,
        title="Token file" if titled else None,
        description="Where the current OAuth tokens are kept (mode 0600). Default: beside the "
        "config file that holds the refresh token, else in the user's state directory.",
    )


SETTINGS: dict[str, Any] = th.PropertiesList(
    th.Property(
        "workspaces",
        _STRINGS,
        title="Workspaces",
        description="Slugs or uuids of the workspaces to read. Without it: all that the "
        "credential sees, which Bitbucket tells only people, not access tokens.",
    ),
    th.Property(
        "repositories",
        _STRINGS,
        title="Repositories",
        description="Only repositories whose `workspace/slug` matches one of these patterns "
        "(`acme/*`, `*/web-*`).",
    ),
    th.Property(
        "exclude_repositories",
        _STRINGS,
        title="Excluded repositories",
        description="Leave out repositories whose `workspace/slug` matches one of these patterns.",
    ),
    th.Property(
        "projects",
        _STRINGS,
        title="Projects",
        description="Only repositories of these project keys.",
    ),
    th.Property(
        "repository_query",
        th.StringType,
        title="Repository query",
        description="Filter on repositories in Bitbucket's query language, e.g. `is_private=true`.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Read nothing older on the first pass (ISO 8601).",
    ),
    *_credentials(titled=True),
    _token_file(titled=True),
    th.Property(
        "token_store",
        th.StringType,
        default="file",
        secret=True,
        title="Token store",
        description="`file`, see `token_file`; or a PostgreSQL address "
        "(`postgresql://user:password@host/database`) where workers on several machines share "
        "the tokens (takes the extra `tap-bitbucket[database]`).",
    ),
    th.Property(
        "token_encryption_key",
        th.StringType,
        secret=True,
        title="Token encryption key",
        description="Encrypts the kept tokens: a Fernet key, see `tap-bitbucket auth key`. "
        "Several with commas between: the first encrypts, all decrypt.",
    ),
    th.Property(
        "credentials",
        th.ArrayType(
            th.ObjectType(
                th.Property("name", th.StringType, description="For logs and commands."),
                *_credentials(titled=False),
                _token_file(titled=False),
                th.Property(
                    "workspaces",
                    _STRINGS,
                    description="The workspaces that this one is for; without it, any.",
                ),
                additional_properties=False,
            )
        ),
        secret=True,
        title="Credentials",
        description="Several identities instead of one: a list of objects with the settings of "
        "one kind of credential each, and optionally `name`, `token_file` and `workspaces`. "
        "Each has its own hourly limit; those for the same workspace are used in turn.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        default="https://api.bitbucket.org/2.0",
        title="API URL",
        description="Where the API is. Tokens go to this host only.",
    ),
    th.Property(
        "oauth_token_url",
        th.StringType,
        default="https://bitbucket.org/site/oauth2/access_token",
        title="OAuth token URL",
        description="Where access tokens are issued.",
    ),
    th.Property(
        "oauth_authorize_url",
        th.StringType,
        default="https://bitbucket.org/site/oauth2/authorize",
        title="OAuth authorize URL",
        description="Where people give their consent.",
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=32),
        default=8,
        title="Concurrency",
        description="Requests in flight at the same time, 1 to 32.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1, maximum=86_400),
        default=60,
        title="Request timeout",
        description="Seconds to wait for an answer.",
    ),
    th.Property(
        "max_retries",
        th.IntegerType(minimum=0),
        default=8,
        title="Retries",
        description="How often a request is repeated after what may pass: a lost connection, "
        "a time-out, a 5xx.",
    ),
    th.Property(
        "on_rate_limit",
        th.StringType,
        allowed_values=["wait", "stop"],
        default="wait",
        title="On rate limit",
        description="When Bitbucket's hourly limit is reached: `wait` for it, or `stop` cleanly "
        "with the bookmarks of what was read.",
    ),
    th.Property(
        "max_requests",
        th.IntegerType(minimum=1),
        title="Maximum of requests",
        description="Stop cleanly after this many requests; the next run goes on.",
    ),
    th.Property(
        "max_duration",
        th.IntegerType(minimum=1),
        title="Maximum duration",
        description="Stop cleanly after this many seconds; the next run goes on.",
    ),
    th.Property(
        "lookback",
        th.ObjectType(additional_properties=th.IntegerType(minimum=0)),
        title="Look back",
        description="Seconds before the bookmark to read again, by stream name; `*` for all.",
    ),
    th.Property(
        "reconcile_every",
        th.IntegerType(minimum=0),
        default=7,
        title="Reconcile every",
        description="Days between passes that read repositories, projects, branches and tags "
        "whole, so that deletions are mirrored. 0: every run.",
    ),
    th.Property(
        "layout",
        th.StringType,
        allowed_values=["shared", "per_repository"],
        default="shared",
        title="Layout",
        description="`shared`: one stream per entity, with the rows of all repositories. "
        "`per_repository`: a stream per repository and entity, named `<repository>-<entity>`, "
        "which SQL targets put into a database schema per repository.",
    ),
    th.Property(
        "shard",
        th.StringType,
        title="Shard",
        description="`i/n`: read only this share of the repositories, i from 0 to n-1, by a "
        "stable hash of their uuid.",
    ),
    th.Property(
        "on_missing_scope",
        th.StringType,
        allowed_values=["skip", "fail"],
        default="skip",
        title="On missing scope",
        description="When a credential has no scope for a stream that is read: say so at once and "
        "`skip` it, or `fail` before anything is read.",
    ),
    th.Property(
        "fail_on_skipped",
        th.BooleanType,
        default=False,
        title="Fail on skipped",
        description="Exit with code 3 when a repository or workspace had to be skipped.",
    ),
    th.Property(
        "source_max_depth",
        th.IntegerType(minimum=1),
        default=10,
        title="Source depth",
        description="How many levels of folders the stream of source files goes down.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="The User-Agent header; default `tap-bitbucket/<version>`.",
    ),
).to_dict()


def shard_of(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return ``(i, n)`` of the setting ``shard``."""
    match = SHARD.match(str(config.get("shard") or ""))
    return (int(match[1]), int(match[2])) if match else None
