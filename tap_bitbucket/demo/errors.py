"""Bitbucket's error answers: the core shape, the pipelines-service shape, and HTML."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """An answer other than the one asked for; raised anywhere while a request is handled."""

    def __init__(
        self, status: int, body: Json | str, headers: dict[str, str] | None = None
    ) -> None:
        """Keep the status, the body (JSON, or text for the HTML pages) and extra headers."""
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def core(status: int, message: str, **more: Any) -> ApiError:
    """Build an error in the shape of Bitbucket's core API."""
    return ApiError(status, {"type": "error", "error": {"message": message, **more}})


def pipelines(status: int, message: str, detail: str, key: str) -> ApiError:
    """Build an error of the pipelines service: no `type`, the real text is in `detail`."""
    data = {"key": f"rest-service.rest-service.{key}", "arguments": {}}
    return ApiError(status, {"error": {"message": message, "detail": detail, "data": data}})


def no_such_api() -> ApiError:
    """Answer for a path at which there is no endpoint."""
    return core(404, "Resource not found", detail="There is no API hosted at this URL")


def repository_missing() -> ApiError:
    """Answer for a repository that is gone, or hidden from the caller."""
    return core(
        404,
        "You may not have access to this repository or it no longer exists in this workspace. "
        "If you think this repository exists and you have access, make sure you are authenticated.",
    )


def html_missing() -> ApiError:
    """Answer with which `commits/{revision}` of a missing repository surprises: a web page."""
    filler = "<!-- " + "bitbucket " * 2400 + "-->"
    page = (
        "<!DOCTYPE html><html><head><title>Page not found</title></head>"
        f"<body><h1>Page not found</h1>{filler}</body></html>"
    )
    return ApiError(404, page, {"Content-Type": "text/html; charset=utf-8"})


def not_authenticated(message: str) -> ApiError:
    """Refuse credentials that are missing or wrong."""
    error = core(401, message)
    error.headers["WWW-Authenticate"] = 'OAuth realm="Bitbucket.org HTTP"'
    return error


def missing_scope(required: list[str], granted: list[str]) -> ApiError:
    """Refuse credentials without a scope; here `detail` is an object, elsewhere a string."""
    return core(
        403,
        "Your credentials lack one or more required privilege scopes.",
        detail={"required": required, "granted": granted},
    )


def gone(change: str) -> ApiError:
    """Answer for an endpoint that Atlassian has withdrawn."""
    where = f"https://developer.atlassian.com/cloud/bitbucket/changelog/#{change}"
    data = {"announcement_url": where}
    body = {
        "type": "error",
        "error": {
            "message": f"{change} - Functionality has been deprecated",
            "detail": "Please read the changelog entry for more details.",
            "data": data,
        },
        "data": data,
    }
    return ApiError(410, body)
