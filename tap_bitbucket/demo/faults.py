"""Faults to order: what goes wrong, with which requests, and how often."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACTIONS = (
    "respond",
    "reset",
    "reset_after_handling",
    "reset_after_headers",
    "truncate",
    "miscount",
    "drip",
    "flood",
    "hang",
    "refuse",
    "redirect",
    "edit",
    "callback",
)


@dataclass
class Fault:
    """Something to go wrong with requests whose `METHOD /path?query` matches.

    `respond` answers with status, headers and body; `reset` closes the socket before any
    answer; `reset_after_handling` does the work and loses the reply; `reset_after_headers` and
    `truncate` break off while answering; `miscount` tells `more` bytes (or fewer) than there are
    and keeps the connection open; `drip` answers with a blank every `seconds` and no end, `flood`
    with blanks as fast as they are taken; `hang` waits `seconds`, then answers as usual; `refuse`
    closes all connections and takes none for `seconds`; `redirect` sends to `to`; `edit` changes
    the JSON answer; `callback` runs before answering.
    """

    match: str
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | str = b""
    times: int | None = 1
    after: int = 0
    action: str = "respond"
    seconds: float = 0.0
    to: str = ""
    more: int = 0
    edit: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    callback: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        """Refuse an action that does not exist."""
        if self.action not in ACTIONS:
            raise ValueError(f"unknown action {self.action!r}; there are {ACTIONS}")


class Faults:
    """The faults ordered, and those that were served."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.served: list[tuple[Fault, str]] = []

    def add(self, fault: Fault) -> Fault:
        """Order a fault; the first one ordered that matches is served."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Take all orders back, and forget what was served."""
        with self._lock:
            self._faults.clear()
            self.served.clear()

    def take(self, line: str) -> Fault | None:
        """Give the fault that this request shall meet, if any, and count it down."""
        with self._lock:
            for fault in self._faults:
                if fault.times == 0 or not re.search(fault.match, line):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                self.served.append((fault, line))
                return fault
        return None
