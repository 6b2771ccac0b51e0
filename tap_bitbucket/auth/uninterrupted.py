"""Finishing what must not be left half done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_changed = threading.Condition()
_underway: set[object] = set()


@contextmanager
def crucial() -> Iterator[None]:
    """Mark what costs a token if the process ends in the middle of it."""
    token = object()
    with _changed:
        _underway.add(token)
    try:
        yield
    finally:
        with _changed:
            _underway.discard(token)
            _changed.notify_all()


def wait_for_crucial(seconds: float) -> None:
    """Wait until nothing of the kind is under way, for so many seconds at most."""
    with _changed:
        _changed.wait_for(lambda: not _underway, seconds)


def uninterrupted(job: Callable[[], T]) -> T:
    """Run a job to its end even when a signal ends the main thread meanwhile.

    Between Bitbucket's answer and the renamed token file a new refresh token exists only in
    memory. Ctrl-C and SIGTERM raise in the main thread, wherever it is; so the job runs in a
    thread of its own, which the interpreter joins before it exits.
    """
    if threading.current_thread() is not threading.main_thread():
        return job()
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(job())
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread
            outcome.set_exception(error)

    threading.Thread(target=run, name="token refresh", daemon=False).start()
    return outcome.result()
