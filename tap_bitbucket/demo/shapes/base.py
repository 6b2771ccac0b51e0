"""What all shapes are made with."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
WEB = "https://bitbucket.org"


def links(**hrefs: str) -> Json:
    """Write links as Bitbucket does: `{name: {href}}`."""
    return {name: {"href": href} for name, href in hrefs.items()}


def rendered(raw: str) -> Json:
    """Write text in its three forms."""
    html = f"<p>{raw.strip()}</p>" if raw.strip() else ""
    return {"type": "rendered", "raw": raw, "markup": "markdown", "html": html}
