"""A tap as singer-sdk's template gives it, for two of the tables: what this tap is compared with.

Run it with `python -m benchmarks.plain_tap --config <file>`, which holds `url` and `stream`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from requests.auth import HTTPBasicAuth
from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.streams import RESTStream

from tap_bitbucket.schemas import stream_schema


class PlainStream(RESTStream[str]):
    """A list that goes on where ``next`` leads."""

    records_jsonpath = "$.values[*]"
    next_page_token_jsonpath = "$.next"  # noqa: S105 - no secret
    params: ClassVar[dict[str, Any]] = {}

    @property
    def url_base(self) -> str:
        """Return the root of the repository."""
        return str(self.config["url"])

    @property
    def authenticator(self) -> HTTPBasicAuth:
        """Return an API token."""
        return HTTPBasicAuth("ann@example.com", "token")

    def get_url_params(
        self,
        context: Mapping[str, Any] | None,  # noqa: ARG002
        next_page_token: str | None,
    ) -> dict[str, Any]:
        """Return the query: the list's own, or that of the next page."""
        return dict(parse_qsl(urlsplit(next_page_token).query)) if next_page_token else self.params


class PlainPullRequests(PlainStream):
    """Pull requests."""

    name = "pull_requests"
    path = "/pullrequests"
    primary_keys = ("id",)
    schema = stream_schema("pull_requests", ("id",), ()).published
    params: ClassVar[dict[str, Any]] = {
        "pagelen": 50,
        "fields": "+values.reviewers,+values.participants,+values.rendered",
    }


class PlainCommits(PlainStream):
    """Commits."""

    name = "commits"
    path = "/commits"
    primary_keys = ("hash",)
    schema = stream_schema("commits", ("hash",), ()).published
    params: ClassVar[dict[str, Any]] = {"pagelen": 100}


class PlainTap(Tap):
    """The two tables, of which it reads one."""

    name = "plain-tap"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("url", th.StringType(), required=True),
        th.Property("stream", th.StringType(), required=True),
    ).to_dict()

    def discover_streams(self) -> list[PlainStream]:
        """Return the table that the settings name."""
        streams = [PlainPullRequests(self), PlainCommits(self)]
        return [stream for stream in streams if stream.name == self.config["stream"]]


if __name__ == "__main__":
    PlainTap.cli()
