"""The rate limit: what headers say, how long to wait, and one budget for all threads."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from tap_bitbucket.auth.authenticators import StaticToken
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.errors import StopReading
from tap_bitbucket.http.identities import Identities, Identity
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.rate_limit import RateLimit, retry_after, wait_after_429

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)


def headers(**values: str) -> CaseInsensitiveDict[str]:
    """Return headers as requests gives them; `_` stands for `-`."""
    return CaseInsensitiveDict({name.replace("_", "-"): value for name, value in values.items()})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, RateLimit()),
        (
            {"x_ratelimit_limit": "60, 60;w=3600", "x_ratelimit_remaining": "41",
             "x_ratelimit_reset": "1745"},
            RateLimit(60, 41, 1745),
        ),
        (
            {"X_RateLimit_Limit": "1000", "X_RateLimit_Resource": "api",
             "X_RateLimit_NearLimit": "false"},
            RateLimit(1000),
        ),
        ({"X_RateLimit_NearLimit": "true"}, RateLimit(near=True)),
        ({"X_RateLimit_NearLimit": "True "}, RateLimit(near=True)),
        ({"X_RateLimit_NearLimit": "1"}, RateLimit(near=True)),
        ({"X_RateLimit_NearLimit": "0"}, RateLimit()),
        ({"X_RateLimit_Limit": "1000;w=3600"}, RateLimit(1000)),
        ({"X_RateLimit_Limit": " 1000 "}, RateLimit(1000)),
        ({"X_RateLimit_Limit": "unlimited"}, RateLimit()),
        ({"X_RateLimit_Remaining": "-1"}, RateLimit()),
        ({"X_RateLimit_Remaining": ""}, RateLimit()),
        ({"X_RateLimit_Remaining": "²"}, RateLimit()),
    ],
)  # fmt: skip
def test_headers_are_read_in_both_spellings(given: dict[str, str], told: RateLimit) -> None:
    """Either family of headers, in any case, is understood; nonsense counts as absent."""
    assert RateLimit.from_headers(headers(**given)) == told


def http_date(seconds: float) -> str:
    """Return a moment relative to NOW as an HTTP date."""
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("0", 0),
        ("-5", 0),
        ("86400", 3600),
        (http_date(90), 90),
        (http_date(-90), 0),
        (http_date(9000), 3600),
        ("Sat, 21 Nov 2026 12:01:30 +0000", 90),
        ("Sat, 21 Nov 2026 13:01:30 +0100", 90),
        ("Sat, 21 Nov 2026 12:01:30", 90),
        ("", None),
        ("soon", None),
        ("Sat, 99 Nov 2026 12:01:30 GMT", None),
        ("nan", None),
        ("inf", 3600),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """Both forms of Retry-After give seconds from now, never negative, never above an hour."""
    assert retry_after(headers(Retry_After=value), NOW) == seconds


def test_no_retry_after_is_no_wait() -> None:
    """A response without the header says nothing."""
    assert retry_after(headers(), NOW) is None


def test_the_wait_is_at_least_what_was_told() -> None:
    """Neither form of Retry-After is undercut, and it goes before X-RateLimit-Reset."""
    both = headers(Retry_After="20", X_RateLimit_Reset="500")
    assert 20 <= wait_after_429(both, NOW, 0) <= 22
    assert 60 <= wait_after_429(headers(Retry_After=http_date(60)), NOW, 9) <= 62
    assert 0 < wait_after_429(headers(Retry_After="0"), NOW, 0) <= 2


def test_the_reset_header_is_seconds_remaining() -> None:
    """X-RateLimit-Reset without Retry-After is a wait in seconds, bounded on both sides."""
    assert wait_after_429(headers(X_RateLimit_Reset="500"), NOW, 3) == 500
    assert wait_after_429(headers(X_RateLimit_Reset="0"), NOW, 0) >= 1
    assert wait_after_429(headers(X_RateLimit_Reset="1763726400"), NOW, 0) == 3600


def test_without_a_hint_the_wait_grows_to_an_hour() -> None:
    """A 429 that says nothing is answered by waits that double and stop growing at an hour."""
    waits = [wait_after_429(headers(), NOW, earlier) for earlier in range(12)]
    assert waits[0] == 15
    assert all(later == min(2 * before, 3600) for before, later in pairwise(waits))
    assert waits[-1] == 3600
    assert wait_after_429(headers(Retry_After="soon"), NOW, 1) == 30
    assert wait_after_429(headers(), NOW, 5000) == 3600


# -- the budget ---------------------------------------------------------------------------------


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Spender(Budget):
    """The budget of somebody who asks alone."""

    def __init__(self, limits: Limits, **settings: Any) -> None:
        super().__init__("someone", **settings)
        signer = StaticToken("unused")
        self.identities = Identities([Identity("someone", signer, self)], limits)

    def spend(self) -> None:
        """Wait until a request may be sent, and count it."""
        self.identities.take("/user")


def budget(on_limit: str = "wait", **limits: Any) -> tuple[Spender, Clock]:
    """Return a budget and its clock."""
    clock = Clock()
    return Spender(Limits(clock=clock, **limits), on_limit=on_limit, clock=clock), clock


def blocked(one: Spender, seconds: float = 0.1) -> threading.Thread:
    """Return a thread that is waiting in `spend`."""
    thread = threading.Thread(target=one.spend, daemon=True)
    thread.start()
    thread.join(seconds)
    assert thread.is_alive(), "spend() did not wait"
    return thread


def test_requests_are_counted() -> None:
    """Every request that may be sent is counted once, by all threads together."""
    one, _ = budget()

    def spend() -> None:
        for _ in range(200):
            one.spend()

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.sent == 1600


def test_a_429_pauses_everybody_until_its_end() -> None:
    """One thread's 429 holds back all threads until the told moment, and hardly longer."""
    one, clock = budget()
    one.exhausted(headers(Retry_After="30"))
    waiting = [blocked(one, 0.05) for _ in range(3)]
    clock.now += 29
    time.sleep(0.25)
    assert one.sent == 0
    clock.now += 3.5
    for sent in (1, 2, 3):
        while one.sent < sent:
            time.sleep(0.01)
        one.heard(headers())
        clock.now += 1
    for thread in waiting:
        thread.join(2)
        assert not thread.is_alive()
    assert one.waited == pytest.approx(29 + 3.5 + 2, abs=0.01)


def test_the_429s_of_one_moment_are_one_wait(caplog: pytest.LogCaptureFixture) -> None:
    """Eight threads that meet the limit at once make one wait and one line in the log."""
    one, _ = budget()
    for _ in range(8):
        one.exhausted(headers())
    assert one.waits == 1
    assert 15 <= one.wait <= 16
    assert len([r for r in caplog.records if "Rate limit" in r.message]) == 1
    assert "15 s" in caplog.text
    assert "on_rate_limit" in caplog.text


def test_a_later_429_can_only_lengthen_a_pause() -> None:
    """A shorter hint of another thread does not shorten the pause."""
    one, clock = budget()
    one.exhausted(headers(Retry_After="100"))
    one.exhausted(headers(Retry_After="1"))
    clock.now += 50
    thread = blocked(one, 0.05)
    clock.now += 52
    thread.join(2)
    assert not thread.is_alive()


def test_waits_without_a_hint_grow_until_an_answer_comes() -> None:
    """The growing wait starts again at its beginning after any answer that is no 429."""
    one, clock = budget()
    waits = []
    for answer in (None, None, None, headers()):
        if answer is not None:
            one.spend()
            one.heard(answer)
            clock.now += 1
        one.spend()
        one.exhausted(headers())
        waits.append(int(one.wait / 15) * 15)
        clock.now += 10_000
    assert waits == [15, 30, 60, 15]


def test_a_hinted_429_does_not_make_the_next_wait_longer() -> None:
    """Only 429s without a hint count for the growing wait."""
    one, clock = budget()
    for _ in range(4):
        one.spend()
        one.exhausted(headers(Retry_After="1"))
        clock.now += 10
    one.spend()
    one.exhausted(headers())
    assert 15 <= one.wait <= 16


def test_on_rate_limit_stop_ends_the_run() -> None:
    """`stop` turns a 429 into a clean end that names the setting."""
    one, clock = budget(on_limit="stop")
    one.exhausted(headers(Retry_After="1"))
    clock.now += 10_000
    with pytest.raises(StopReading, match="on_rate_limit"):
        one.spend()
    assert one.sent == 0


def test_max_requests_is_exact() -> None:
    """The request after the last allowed one is not sent, whoever asks."""
    one, _ = budget(max_requests=3)
    for _ in range(3):
        one.spend()
    for _ in range(2):
        with pytest.raises(StopReading, match=r"max_requests \(3\)"):
            one.spend()
    assert one.sent == 3


def test_max_requests_is_exact_among_threads() -> None:
    """Threads that race for the last request get it once."""
    one, _ = budget(max_requests=50)

    def spend_all() -> None:
        while True:
            one.spend()

    def spend() -> None:
        with pytest.raises(StopReading):
            spend_all()

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert one.sent == 50


def test_max_duration_ends_the_run() -> None:
    """No request is sent after the user's own time limit."""
    one, clock = budget(max_duration=60)
    clock.now += 59
    one.spend()
    clock.now += 1
    with pytest.raises(StopReading, match="max_duration"):
        one.spend()


def test_max_duration_ends_a_wait_too() -> None:
    """A run does not outlive its time limit by waiting for the rate limit."""
    one, clock = budget(max_duration=60)
    one.exhausted(headers(Retry_After="3000"))
    ended: list[Exception] = []

    def spend() -> None:
        try:
            one.spend()
        except StopReading as stop:
            ended.append(stop)

    thread = threading.Thread(target=spend, daemon=True)
    thread.start()
    clock.now += 61
    thread.join(2)
    assert "max_duration" in str(ended[0])


def test_the_stop_flag_ends_a_wait_at_once() -> None:
    """A stop from outside wakes those who wait for the rate limit."""
    stopping = threading.Event()
    one, _ = budget(stopping=stopping)
    one.exhausted(headers())
    ended = threading.Event()

    def spend() -> None:
        with pytest.raises(StopReading):
            one.spend()
        ended.set()

    threading.Thread(target=spend, daemon=True).start()
    time.sleep(0.05)
    stopping.set()
    assert ended.wait(0.5)


def test_the_last_headers_are_kept() -> None:
    """What Bitbucket told last stays known when the next answer says nothing."""
    one, _ = budget()
    one.heard(headers(X_RateLimit_Limit="1000", X_RateLimit_Remaining="7"))
    one.heard(headers())
    assert one.last == RateLimit(1000, 7)
