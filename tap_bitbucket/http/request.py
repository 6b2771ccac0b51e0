"""A request to the API, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """One call of the API.

    Attributes:
        path: Below ``api_url``, already quoted: ``/repositories/acme/web/pullrequests``.
        params: The query, in order, unquoted.
        form: A form body. Present means POST, which Bitbucket uses for one read, long lists of
            commits.
        query: The raw query of a ``next`` link, sent as it came. Replaces ``params``.
    """

    path: str
    params: Params = ()
    form: Params | None = None
    query: str | None = None

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return "GET" if self.form is None else "POST"

    @property
    def target(self) -> str:
        """Return path and query as they go on the wire."""
        query = urlencode(self.params, quote_via=quote) if self.query is None else self.query
        return f"{self.path}?{query}" if query else self.path

    def with_params(self, params: Mapping[str, str]) -> Request:
        """Return the request with these parameters set, others kept."""
        kept = tuple((key, value) for key, value in self.params if key not in params)
        return replace(self, params=(*kept, *params.items()))

    def without(self, param: str) -> Request:
        """Return the request without one parameter."""
        return replace(self, params=tuple(pair for pair in self.params if pair[0] != param))


def path(template: str, **names: object) -> str:
    """Fill a path template, quoting each name whole: ``{uuid}`` braces, slashes and all.

    >>> path("/repositories/{workspace}/{repository}", workspace="acme", repository="{1-2}")
    '/repositories/acme/%7B1-2%7D'
    """
    return template.format(**{key: quote(str(value), safe="") for key, value in names.items()})
