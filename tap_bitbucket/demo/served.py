"""What the server remembers of each request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServedRequest:
    """A request that came in, and the status it was answered with (0: not answered)."""

    method: str
    path: str
    query: dict[str, list[str]]
    url: str
    status: int
    identity: str
    scope: list[str]
    at: float
    headers: dict[str, str]
    body: str = ""

    def __str__(self) -> str:
        """Show as a line."""
        return f"{self.method} {self.url} -> {self.status}"
