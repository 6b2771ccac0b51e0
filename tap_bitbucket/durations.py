"""Spans of time, as people say them."""

from __future__ import annotations


def duration(hours: float) -> str:
    """Return hours as people say them.

    >>> duration(3.123), duration(0.4), duration(0.001), duration(72)
    ('3.1 hours', '24 minutes', '1 minute', '72 hours')
    """
    if hours < 0.995:  # noqa: PLR2004 - an hour
        minutes = max(1, round(hours * 60))
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{hours:.1f} hours" if hours < 24 else f"{hours:.0f} hours"  # noqa: PLR2004 - a day
