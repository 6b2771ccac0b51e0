"""A process that asks for one thing again and again, as the readers of a run do.

    python -m tests.budget_worker <config as JSON> <requests, or 0 to go on until stdin ends>

It prints what its budget counted.
"""

from __future__ import annotations

import json
import sys
import threading
from itertools import count

from tap_bitbucket.access import session_for
from tap_bitbucket.auth import credentials_from
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.request import Request


def main() -> None:
    """Ask with as many threads as the settings say."""
    config, requests = json.loads(sys.argv[1]), int(sys.argv[2])
    session = session_for(config, credentials_from(config), Limits())
    numbers, over = count(1), threading.Event()
    answered: list[bytes] = []

    def ask() -> None:
        while not over.is_set() and (next(numbers) <= requests or not requests):
            answered.append(session.read(Request("/user"), lambda answer: answer.body))

    threads = [threading.Thread(target=ask) for _ in range(config["concurrency"])]
    for thread in threads:
        thread.start()
    if not requests:
        sys.stdin.read()
        over.set()
    for thread in threads:
        thread.join()
    (budget,) = session.identities.budgets
    counted = {"answered": len(answered), "waits": budget.waits, "waited": budget.waited}
    sys.stdout.write(json.dumps(counted))


if __name__ == "__main__":
    main()
