"""An estimate as text for a person, or as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tap_bitbucket.durations import duration
from tap_bitbucket.estimate.estimate import Estimate
from tap_bitbucket.estimate.totals import Line

_FEW = 20
"""Requests for which nobody would leave a stream out."""

_SHARE = 0.05
"""The part of all requests from which a stream is worth naming."""

_HEADS = ("stream", "lists", "rows", "first run", "span", "when idle")


def as_json(found: Estimate) -> str:
    """Return the estimate for a program."""
    return json.dumps(
        {
            "requests": {**_figures(found.total), "idle": round(found.total.idle)},
            "hours": {"first": round(found.hours, 2), "idle": round(found.idle_hours, 2)},
            "requests_an_hour": found.hourly,
            "identities": found.identities,
            "workspaces": found.workspaces,
            "repositories": {"read": found.repositories, "looked_at": found.looked_at},
            "asked": found.asked,
            "stopped": found.stopped,
            "streams": [
                {
                    "stream": line.stream,
                    "selected": line.selected,
                    "lists": round(line.lists),
                    "rows": round(line.rows),
                    "requests": {**_figures(line), "idle": round(line.idle)},
                    "refused": line.refused,
                    "reason": line.reason,
                }
                for line in found.lines
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _figures(line: Line) -> dict[str, object]:
    return {
        "first": round(line.first),
        "low": round(line.low),
        "high": round(line.high),
        "extrapolated": line.extrapolated,
        "at_least": line.least,
    }


def as_text(found: Estimate) -> str:
    """Return the estimate for a person."""
    rows = [_HEADS, *(_cells(line) for line in [*found.lines, found.total])]
    spans = any(row[4] for row in rows[1:])
    shown = [[cell for at, cell in enumerate(row) if at != 4 or spans] for row in rows]  # noqa: PLR2004
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in shown
    ]
    lines.insert(len(lines) - 1, "-" * len(lines[0]))
    return "\n".join([*lines, "", *_marks(found), *_sentences(found)])


def _cells(line: Line) -> tuple[str, ...]:
    mark = "~" if line.extrapolated else ""
    more = "+" if line.least else ""
    name = f"{line.stream} *" if not line.selected else line.stream
    wide = line.high - line.low > max(2.0, line.first / 20)
    return (
        name,
        f"{mark}{number(line.lists)}",
        f"{mark}{number(line.rows)}{more}",
        f"{mark}{number(line.first)}{more}",
        f"{number(line.low)} to {number(line.high)}" if wide else "",
        f"{mark}{number(line.idle)}",
    )


def number(value: float) -> str:
    """Return a number with as many digits as it deserves.

    >>> number(42), number(3123.4), number(81270)
    ('42', '3,120', '81,300')
    """
    whole = round(value)
    digits = len(str(abs(whole))) - 3
    return f"{round(whole, -digits) if digits > 0 else whole:,}"


def _marks(found: Estimate) -> Iterator[str]:
    shown = [*found.lines, found.total]
    if found.looked_at < found.repositories:
        looked = f"{found.looked_at} of {found.repositories:,} repositories were looked at"
        yield f"~ extrapolated: {looked}, and of long lists a part."
    elif any(line.extrapolated for line in shown):
        yield "~ extrapolated: of long lists a part was looked at."
    if any(line.least for line in shown):
        yield "+ at least: of some lists Bitbucket does not tell how long they are."
    if any(not line.selected for line in shown):
        yield "* not selected, but others need it."
    fed = [line.stream for line in found.lines if line.saved]
    if fed:
        yield f"{', '.join(fed)}: taken from the feed of activity where that is cheaper."
    if found.stopped is not None:
        yield f"Not all was asked that was to be: {found.stopped}."
    yield ""


def _sentences(found: Estimate) -> Iterator[str]:
    total = found.total
    about = "about " if total.extrapolated else ""
    span = f" ({number(total.low)} to {number(total.high)})" if total.high > total.low else ""
    who = "1 identity" if found.identities == 1 else f"{found.identities} identities"
    yield (
        f"First run: {about}{number(total.first)} requests{span}: {duration(found.hours)} at"
        f" {found.hourly:,} requests an hour with {who}."
    )
    yield (
        f"A run when nothing changed: {about}{number(total.idle)} requests:"
        f" {duration(found.idle_hours)}."
    )
    most = sorted(found.lines, key=lambda line: -line.first)
    most = [line for line in most if line.first > max(_FEW, total.first * _SHARE)][:4]
    if most:
        shares = [f"{line.stream} ({line.first / total.first:.0%})" for line in most]
        yield f"Most of it: {', '.join(shares)}."
    yield from _could_be_left_out(found, most)
    yield from _refused(found)
    yield f"This estimate took {found.asked} requests."


def _refused(found: Estimate) -> Iterator[str]:
    for line in found.lines:
        if not line.refused or line.needs:
            continue
        where = f" in {line.refused} of {line.looked_at}" if line.looked_at > 1 else ""
        yield f"Refused{where}: {line.stream}: {line.reason}"
        below = [one.stream for one in found.lines if one.needs == line.stream]
        if below:
            yield f"  and with it: {', '.join(below)}"


def _could_be_left_out(found: Estimate, most: Sequence[Line]) -> Iterator[str]:
    """Name the streams that cost much and hold nothing, and what the costly ones would save."""
    barren = [line for line in found.lines if line.selected and line.looked_at and not line.rows]
    barren = [line for line in barren if line.first > _FEW]
    if barren:
        names = ", ".join(f"{line.stream} ({number(line.first)})" for line in barren)
        yield f"Nothing was found in: {names}. They could be left out."
    needed = {name for line in found.lines for name in line.above}
    free = [line for line in most if line.selected and line.stream not in needed]
    if free:
        saved = [
            f"{line.stream} ({duration(found.hours * line.first / found.total.first)})"
            for line in free
        ]
        yield f"What leaving one out would save: {', '.join(saved)}."
