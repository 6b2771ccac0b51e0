"""The pace of requests: no slower than must be, no burst after a pause. No server, no sleeping."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from tap_bitbucket.auth.authenticators import StaticToken
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.errors import Action, Postponed, SkipPartition, StopReading, decide
from tap_bitbucket.http.identities import Asker, Identities, Identity
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.pace import Pace, gap_after, spacing
from tap_bitbucket.http.rate_limit import RateLimit

ACME, BETA = "/repositories/acme/web/refs", "/repositories/beta/web/refs"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def told(remaining: int | None = None, reset: int | None = None, **more: Any) -> Any:
    """Return headers in the spelling that was seen, or with ``near`` in the documented one."""
    limit = more.get("limit", 1000)
    found = CaseInsensitiveDict[str]()
    if limit is not None:
        found["x-ratelimit-limit"] = f"{limit}, {limit};w=3600"
    if remaining is not None:
        found["x-ratelimit-remaining"] = str(remaining)
    if reset is not None:
        found["x-ratelimit-reset"] = str(reset)
    if "near" in more:
        found["X-RateLimit-NearLimit"] = more["near"]
    return found


def alone(**settings: Any) -> tuple[Budget, Clock]:
    """Return a budget and its clock."""
    clock = Clock()
    return Budget("someone", clock=clock, **settings), clock


def ask(budget: Budget, headers: Any) -> None:
    """Send a request and hear the answer."""
    budget.take()
    budget.heard(headers)


def moments(budget: Budget, clock: Clock, count: int, headers: Any = None) -> list[float]:
    """Send requests as soon as may be; return when they were sent, from now."""
    began, sent = clock.now, []
    for _ in range(count):
        clock.now += budget.wait
        assert budget.wait < 1e-6
        sent.append(clock.now - began)
        ask(budget, headers or told(limit=None))
    return sent


# -- little left --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        told(limit=None),
        told(),
        told(200, 1800),
        told(999, 3600),
        told(near="false"),
        told(300, 3000, near="0"),
        told(5, 600, limit=20),
    ],
)
def test_with_plenty_left_or_nothing_told_nothing_is_slowed(headers: Any) -> None:
    """Requests follow each other at once as long as a fifth is left, or nobody says otherwise."""
    budget, clock = alone()
    ask(budget, headers)
    assert set(moments(budget, clock, 50, headers)) == {0.0}
    assert (budget.waits, budget.waited) == (0, 0)


def test_what_is_left_lasts_until_the_reset() -> None:
    """Below a fifth, requests are spread over the time to the reset, none left over, none short."""
    budget, clock = alone()
    began = clock.now
    ask(budget, told(100, 1000))
    sent = []
    for left in range(99, -1, -1):
        clock.now += budget.wait
        sent.append(clock.now - began)
        ask(budget, told(left, max(1, round(began + 1000 - clock.now))))
    assert 900 < sent[-1] <= 1001
    gaps = [later - before for before, later in pairwise(sent)]
    assert min(gaps) > 9
    assert max(gaps) < 12
    assert budget.waits == 2  # for the spacing, and for the reset in the end


def test_near_limit_alone_means_the_hours_pace() -> None:
    """With the documented headers, limit and NearLimit, requests go at the limit's own rate."""
    budget, clock = alone()
    ask(budget, told(limit=4000, near="true"))
    sent = moments(budget, clock, 5, told(limit=4000, near="true"))
    assert sent == pytest.approx([0.9 * number for number in range(1, 6)])
    ask(budget, told(limit=4000, near="false"))
    assert budget.wait == 0
    ask(budget, told(limit=None, near="1"))
    assert budget.wait == pytest.approx(3.6)


def test_spacing_is_arithmetic() -> None:
    """What is left over what remains of the time; by the hour where no moment is told."""
    assert spacing(RateLimit(1000, 50, 100), 50, 100) == 2
    assert spacing(RateLimit(1000, 50, 100), 0, 100) == 100
    assert spacing(RateLimit(1000, 50, 100), 50, -3) == 0
    assert spacing(RateLimit(1000, 50), 50, 0) == 3.6
    assert spacing(RateLimit(None, None, None, near=True), 0, 0) == 3.6


def test_requests_under_way_count_as_spent() -> None:
    """Eight threads do not run into the wall together: what is not answered yet is not left."""
    pace = Pace()
    pace.sent(0.0)
    pace.done(1)
    pace.hear(RateLimit(40, 10, 100), 0.0, 1)
    assert pace.wait(0.0) == 0
    numbers = [pace.sent(0.0) for _ in range(3)]
    assert pace.wait(0.0) == pytest.approx(100 / 7)
    for _ in range(7):
        pace.sent(0.0)
    assert pace.wait(0.0) == pytest.approx(100)
    for number in numbers:
        pace.done(number)
    assert pace.wait(0.0) == pytest.approx(100 / 3)


def test_an_answer_that_was_overtaken_does_not_count() -> None:
    """Of two answers the one to the later request says what is left, unless the other says less."""
    pace = Pace()
    for _ in range(3):
        pace.sent(0.0)
    pace.hear(RateLimit(1000, 8, 100), 0.0, 3)
    pace.hear(RateLimit(1000, 9, 100), 0.0, 2)
    assert pace.told.remaining == 8
    pace.hear(RateLimit(1000, 5, 100), 0.0, 1)
    assert pace.told.remaining == 5
    pace.sent(0.0)
    pace.hear(RateLimit(1000, 900, 100), 0.0, 4)
    assert pace.told.remaining == 900


def test_nothing_told_is_believed_beyond_its_reset() -> None:
    """After the reset one request goes, and its answer decides; silence ends the spacing."""
    budget, clock = alone()
    ask(budget, told(2, 100))
    clock.now += 101
    budget.take()
    assert 0 < budget.wait <= 1
    budget.heard(told(999, 3600))
    assert budget.wait == 0
    ask(budget, told(2, 100))
    clock.now += 101
    ask(budget, {})
    assert budget.wait == 0
    assert budget.last == RateLimit()


def test_the_beginning_of_a_slow_stretch_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line says whose requests are spaced out, and what to do for another end."""
    caplog.set_level("INFO")
    budget, clock = alone()
    moments(budget, clock, 20, told(100, 1000))
    (record,) = caplog.records
    assert "someone" in record.getMessage()
    assert "on_rate_limit" in record.getMessage()
    assert budget.waits == 1


# -- nothing left -------------------------------------------------------------------------------


def test_a_spent_limit_is_waited_out_before_there_is_a_429(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """``remaining: 0`` means a wait until the reset, told in one line for all threads."""
    budget, clock = alone()
    started = threading.Barrier(4)

    def send(left: int) -> None:
        budget.take()
        started.wait(5)
        budget.heard(told(left, 700))

    threads = [threading.Thread(target=send, args=(left,)) for left in (9, 5, 0, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert 700 <= budget.wait <= 701
    assert len([one for one in caplog.records if "reached" in one.getMessage()]) == 1
    clock.now += 701
    assert budget.wait == 0


def test_with_stop_nothing_is_slowed_and_a_spent_limit_ends_it() -> None:
    """``on_rate_limit: stop`` uses up what is left at once, and sends nothing that must fail."""
    budget, clock = alone(on_limit="stop")
    one = Identities([Identity("one", StaticToken("token"), budget)], Limits(clock=clock))
    for left in range(150, -1, -1):
        assert budget.wait == 0
        one.take(ACME).budget.heard(told(left, 1800))
    with pytest.raises(StopReading, match=r"someone is spent.*on_rate_limit.*in 30 minutes"):
        one.take(ACME)
    assert budget.sent == 151
    assert budget.waits == 0


def test_the_429s_of_what_was_under_way_do_not_lengthen_the_guess() -> None:
    """Eight threads that meet a limit together wait as long as one would."""
    budget, _ = alone()
    threads = threading.Barrier(8)

    def meet() -> None:
        budget.take()
        threads.wait(5)
        budget.exhausted({})

    meeting = [threading.Thread(target=meet) for _ in range(8)]
    for thread in meeting:
        thread.start()
    for thread in meeting:
        thread.join(5)
    assert 15 <= budget.wait <= 16
    assert budget.waits == 1


# -- after a pause ------------------------------------------------------------------------------


def test_one_goes_first_after_a_pause_and_the_others_follow_gradually() -> None:
    """A pause ends with one request; after its answer they come closer and closer together."""
    budget, clock = alone()
    budget.take()
    budget.exhausted({"Retry-After": "60"})
    clock.now += 62
    assert budget.wait == 0
    budget.take()
    waits: list[float] = []
    other = threading.Thread(target=lambda: waits.append(budget.wait))
    clock.now += 30
    other.start()
    other.join()
    assert waits[0] > 0, "nobody follows before there is an answer"
    budget.heard({})
    gaps = [later - before for before, later in pairwise(moments(budget, clock, 60))]
    assert 0.5 < gaps[0] <= 1
    assert all(later <= before + 1e-9 for before, later in pairwise(gaps))
    assert gaps[-1] == 0
    assert sum(gaps) < 10
    assert sum(gap > 0 for gap in gaps) > 10


def test_a_pause_that_was_too_short_is_followed_by_another() -> None:
    """When the first one after a pause meets a 429 nobody follows."""
    budget, clock = alone()
    budget.take()
    budget.exhausted({})
    clock.now += budget.wait
    budget.take()
    budget.exhausted({})
    assert budget.wait >= 30
    assert budget.waits == 2


def test_late_answers_do_not_end_the_caution() -> None:
    """What was sent before the pause says nothing about what comes after it."""
    pace = Pace()
    before = [pace.sent(0.0, who) for who in (1, 2, 3)]
    pace.done(before[0], answered=False)
    pace.pause(10.0)
    pace.done(before[1])
    first = pace.sent(10.0, 1)
    pace.done(before[2])
    assert pace.wait(10.0, 2) > 0
    pace.done(first)
    assert pace.wait(10.0, 2) == 1
    assert pace.wait(11.0, 2) == 0


def test_a_first_one_without_an_answer_holds_up_nobody() -> None:
    """When the connection fails the next one tries."""
    budget, clock = alone()
    budget.take()
    budget.exhausted({"Retry-After": "1"})
    clock.now += 3
    budget.take()
    budget.unanswered()
    waits: list[float] = []
    other = threading.Thread(target=lambda: waits.append(budget.wait))
    other.start()
    other.join()
    assert waits == [0]


def test_gaps_shrink_to_nothing() -> None:
    """From a second to none over some tens of answers."""
    gaps = [gap_after(answers) for answers in range(1, 100)]
    assert gaps[0] == 1
    assert gaps[-1] == 0
    assert 10 < sum(gap > 0 for gap in gaps) < 60


def test_those_who_wait_for_the_same_do_not_begin_at_the_same_moment() -> None:
    """Runs on one identity end a pause at moments of their own, none of them early."""
    ends = set()
    for _ in range(20):
        budget, _ = alone()
        budget.exhausted({"Retry-After": "300"})
        ends.add(budget.wait)
    assert len(ends) > 15
    assert min(ends) >= 300
    assert max(ends) < 303


# -- several identities, and the ends of a run --------------------------------------------------


def identity(name: str, clock: Clock, *workspaces: str, on_limit: str = "wait") -> Identity:
    """Return an identity with a budget of its own."""
    budget = Budget(name, on_limit=on_limit, clock=clock)
    return Identity(name, StaticToken(f"token-{name}"), budget, frozenset(workspaces) or None)


@pytest.mark.parametrize("kind", ["paced", "paused", "after a pause"])
def test_another_one_is_used_while_one_is_slow(kind: str) -> None:
    """An identity that must not send now gives its turn to one that may."""
    clock = Clock()
    slow, quick = identity("slow", clock), identity("quick", clock)
    who = Identities([slow, quick], Limits(clock=clock))
    ask(slow.budget, told(10, 1000) if kind == "paced" else told(0, 1000))
    if kind == "after a pause":
        clock.now += 1002
        ask(slow.budget, {})
    names = [who.take(ACME).name for _ in range(20)]
    assert set(names) == {"quick"}
    assert slow.budget.waited == 0
    clock.now += 120 if kind == "paced" else 2000
    quick.budget.sent = 10_000
    assert who.take(ACME).name == "slow"


def test_a_workspace_whose_credentials_are_spent_is_put_off() -> None:
    """With ``stop``, others read on; the run ends only when nobody is left."""
    clock = Clock()
    a = identity("a", clock, "acme", on_limit="stop")
    b = identity("b", clock, "beta", on_limit="stop")
    who = Identities([a, b], Limits(clock=clock))
    a.budget.exhausted({"Retry-After": "600"})
    with pytest.raises(Postponed, match=r"rate limit of a is spent.*in 10 minutes") as put_off:
        who.take(ACME)
    assert isinstance(put_off.value, SkipPartition)
    assert who.take(BETA).name == "b"
    with pytest.raises(Postponed):
        who.take("/user", Asker(only=a))
    b.budget.exhausted({})
    for path in (ACME, BETA):
        with pytest.raises(StopReading, match=r"a and b is spent.*on_rate_limit"):
            who.take(path)


def test_who_is_out_of_use_does_not_keep_the_run_alive() -> None:
    """A refused credential has no room either."""
    clock = Clock()
    a = identity("a", clock, on_limit="stop")
    b = identity("b", clock, on_limit="stop")
    who = Identities([a, b], Limits(clock=clock))
    who.refuse(b, "revoked")
    a.budget.exhausted({})
    with pytest.raises(StopReading, match="rate limit of a is spent"):
        who.take(ACME)


def test_a_pause_beyond_the_end_of_the_run_is_not_slept_through() -> None:
    """When ``max_duration`` would end first the run ends at once, if nobody else may ask."""
    clock = Clock()
    a, b = identity("a", clock), identity("b", clock)
    who = Identities([a, b], Limits(max_duration=60, clock=clock))
    a.budget.exhausted({"Retry-After": "100"})
    assert who.take(ACME).name == "b"
    b.budget.exhausted({"Retry-After": "3000"})
    with pytest.raises(StopReading, match="max_duration"):
        who.take(ACME)
    assert who.limits.sent == 1


# -- a limit that comes as a 403 ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "action"),
    [
        (b'{"error": {"message": "Rate limit for this resource has been exceeded"}}', Action.WAIT),
        (b"Rate limit for this resource has been exceeded", Action.WAIT),
        (b"Too many requests", Action.WAIT),
        (b'{"type": "error", "error": {"message": "Access denied to rate-limit-exceeded"}}',
         Action.SKIP),
        (b'{"type": "error", "error": {"message": "Forbidden"}}', Action.SKIP),
        (b"<html>Rate limit exceeded", Action.SKIP),
        (b"", Action.SKIP),
    ],
)  # fmt: skip
def test_a_403_may_be_the_rate_limit(body: bytes, action: Action) -> None:
    """A 403 in the words of the rate limit is waited for; any other is about a permission."""
    assert decide(403, body).action is action
