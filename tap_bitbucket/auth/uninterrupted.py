"""Finishing what must not be left half done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


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
