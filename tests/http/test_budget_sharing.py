"""What runs on one identity tell each other: over a file, or over a real PostgreSQL."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from requests.structures import CaseInsensitiveDict

from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.budget_file import BudgetFile
from tap_bitbucket.http.budget_row import BudgetRow
from tap_bitbucket.http.rate_limit import LONGEST_WAIT, RateLimit
from tap_bitbucket.http.shared_budget import LOOK_EVERY, TELL_EVERY, Notice, Place, SharedBudget

LOW = CaseInsensitiveDict(
    {
        "x-ratelimit-limit": "1000, 1000;w=3600",
        "x-ratelimit-remaining": "50",
        "x-ratelimit-reset": "900",
    }
)
PLENTY = CaseInsensitiveDict({**LOW, "x-ratelimit-remaining": "900"})


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


class Runs:
    """Runs on one identity: each has a budget of its own, all have the place in common."""

    def __init__(self, place: Callable[[], Place], clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._place = place

    def new(self, on_limit: str = "wait") -> Budget:
        """Begin one."""
        shared = SharedBudget(self._place(), self.clock)
        budget = Budget("someone", on_limit=on_limit, clock=self.clock, shared=shared)
        budget.exchange()
        return budget

    def later(self, *budgets: Budget, seconds: float = TELL_EVERY) -> None:
        """Let time pass, in which they go about their work."""
        self.clock.now += seconds
        for budget in budgets:
            budget.exchange()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be; its folder is not there yet."""
    return tmp_path / "state" / "budget-0123.json"


@pytest.fixture
def runs(path: Path) -> Runs:
    """Return runs that share a file."""
    clock = Clock()
    return Runs(lambda: BudgetFile(path, clock), clock)


def test_one_pause_is_everybodys(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    """A 429 for one run pauses those that run, and those that begin, until the same moment."""
    one, two = runs.new(), runs.new()
    one.exhausted({"Retry-After": "300"})
    runs.later(one, two)
    three = runs.new()
    for budget in (two, three):
        assert 298 < budget.wait <= 302
        assert budget.waits == 1
    told = [record.getMessage() for record in caplog.records]
    assert len([line for line in told if "by another run" in line]) == 2
    runs.later(one, two, three, seconds=10)
    runs.later(one, two, three, seconds=10)
    assert len(caplog.records) == 3, "the same pause is told again"
    runs.clock.now += 290
    assert two.wait == 0
    two.take()
    assert other_thread(two) > 0, "after another's pause, too, one goes first"


def other_thread(budget: Budget) -> float:
    """Return how long another thread has to wait."""
    waits: list[float] = []
    thread = threading.Thread(target=lambda: waits.append(budget.wait))
    thread.start()
    thread.join()
    return waits[0]


def test_what_was_told_is_everybodys(runs: Runs) -> None:
    """A run that begins when little is left spaces its requests out from the first one on."""
    one = runs.new()
    one.heard(LOW)
    runs.later(one)
    runs.clock.now += 100
    two = runs.new()
    assert (two.last.limit, two.last.remaining) == (1000, 50)
    two.take()
    assert two.wait == pytest.approx(799 / 49, rel=0.1)
    two.heard(PLENTY)
    runs.later(one, two)
    assert two.last.remaining == 900, "what it was told itself is newer"


def test_a_run_that_stops_tells_what_it_was_told_and_asks_for_itself(runs: Runs) -> None:
    """With ``stop``, Bitbucket alone ends a run; what is only guessed is told to nobody."""
    one = runs.new("stop")
    one.exhausted({})
    runs.later(one)
    assert runs.new().wait == 0
    one.exhausted({"Retry-After": "300"})
    runs.later(one)
    assert runs.new().wait > 290
    two = runs.new("stop")
    assert not two.spent
    assert (two.wait, two.pause) == (0, 0)


def test_it_is_looked_at_and_written_seldom(path: Path) -> None:
    """The file is looked at twice a second, read when it changed, and written once a second."""
    clock = Clock()

    class Counting(BudgetFile):
        looks = tells = 0

        def look(self) -> Notice | None:
            type(self).looks += 1
            return super().look()

        def tell(self, notice: Notice) -> None:
            type(self).tells += 1
            super().tell(notice)

    (budget,) = [Runs(lambda: Counting(path, clock), clock).new()]
    for _ in range(1000):
        clock.now += 0.01
        budget.take()
        budget.heard(PLENTY)
        budget.exchange()
    assert Counting.looks <= 10 / LOOK_EVERY + 2
    assert Counting.tells == 0
    assert not path.exists(), "it is written though nothing matters"
    for _ in range(1000):
        clock.now += 0.01
        budget.heard(LOW)
        budget.exchange()
    assert 5 <= Counting.tells <= 10 / TELL_EVERY + 1
    place = BudgetFile(path, clock)
    assert place.look() is not None
    assert place.look() is None


def test_the_file_is_private_and_says_little(runs: Runs, path: Path) -> None:
    """Mode 0600 in a folder of mode 0700; moments and numbers, and nothing else."""
    one = runs.new()
    one.exhausted({"Retry-After": "300", **LOW})
    runs.later(one)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    content = json.loads(path.read_text())
    assert set(content) == {"paused_until", "said_at", "limit", "remaining", "reset", "near"}
    assert not [one for one in path.parent.iterdir() if one.name.endswith(".new")]


def test_writers_do_not_undo_each_other(path: Path) -> None:
    """The longest pause and the newest answer stay, whoever writes last."""
    clock = Clock()
    one, two = BudgetFile(path, clock), BudgetFile(path, clock)
    one.tell(Notice(300))
    two.tell(Notice(100, RateLimit(1000, 5, 200), 0))
    one.tell(Notice(0, RateLimit(1000, 9, 200), 20))
    kept = two.look()
    assert kept is not None
    assert kept.pause == pytest.approx(300)
    assert kept.told == RateLimit(1000, 5, 200)


def test_many_processes_may_write(path: Path) -> None:
    """A reader finds a whole file, whatever writers do."""
    ends = time.monotonic() + 0.7
    wrong: list[object] = []

    def write(number: int) -> None:
        try:
            while time.monotonic() < ends:
                BudgetFile(path).tell(Notice(100.0 + number))
        except OSError as error:
            wrong.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen = 0
    while time.monotonic() < ends:
        notice = BudgetFile(path).look()
        seen += notice is not None
        if notice is not None and not 90 < notice.pause < 110:
            wrong.append(notice)
    for writer in writers:
        writer.join()
    assert wrong == []
    assert seen


GARBAGE = [
    b"",
    b"\xff\x00",
    b"[]",
    b"{}",
    b"null",
    b"[" * 3000,
    b'{"paused_until": "soon", "said_at": 0}',
    b'{"paused_until": 1800000100, "said_at": 1800000000, "remaining": "none"}',
    b'{"paused_until": 1800000100, "said_at": 1800000000, "remaining": -5}',
    b'{"paused_until": 1800000100, "said_at": 1800000000, "reset": Infinity}',
    b"x" * 100_000,
]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_told_once_and_replaced(
    runs: Runs, path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What no run has written is no notice; the run goes on, and writes its own over it."""
    path.parent.mkdir()
    path.write_bytes(content)
    one = runs.new()
    assert one.wait == 0
    for _ in range(5):
        runs.later(one)
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    one.exhausted({"Retry-After": "300"})
    runs.later(one)
    assert runs.new().wait > 290


ABSURD = [
    {"paused_until": 100 * LONGEST_WAIT},
    {"paused_until": LONGEST_WAIT + 60},
    {"paused_until": float("inf")},
    {"paused_until": float("nan")},
    {"paused_until": -5},
    {"said_at": 500, "remaining": 0, "limit": 1000, "reset": 900},
    {"said_at": -5000, "remaining": 0, "limit": 1000, "reset": 900},
    {"said_at": 0, "remaining": 0, "limit": 1000, "reset": 90_000},
]


@pytest.mark.parametrize("content", ABSURD, ids=range(len(ABSURD)))
def test_what_cannot_be_is_not_obeyed(runs: Runs, path: Path, content: dict[str, Any]) -> None:
    """A clock that jumped, or an old file, makes nobody wait: no pause is longer than an hour."""
    moments = {name: content.get(name, 0) + runs.clock.now for name in ("paused_until", "said_at")}
    path.parent.mkdir()
    path.write_text(json.dumps({**content, **moments}))
    one = runs.new()
    one.take()
    assert one.wait == 0
    one.exhausted({"Retry-After": "300"})
    runs.later(one)
    assert 290 < runs.new().wait < 303, "it does not outlive the next notice"


def test_a_pause_is_not_obeyed_beyond_the_longest(runs: Runs, path: Path) -> None:
    """The clock set back an hour does not make two hours of one, nor does a slow clock."""
    one = runs.new()
    one.exhausted({"Retry-After": "3600"})
    runs.later(one)
    two = runs.new()
    assert LONGEST_WAIT - 5 < two.wait <= LONGEST_WAIT + 1
    runs.clock.now -= 1800
    assert runs.new().wait == 0
    assert path.exists()


@pytest.mark.parametrize("kind", ["a file in the way", "no directory", "not readable"])
def test_a_place_that_cannot_be_used_disturbs_nobody(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on by its own budget, says so once, and does not try all the time."""
    clock = Clock()
    path = tmp_path / "folder" / "budget.json"
    if kind == "a file in the way":
        path.parent.write_text("in the way")
    elif kind == "not readable":
        path.mkdir(parents=True)
    else:
        path = Path("/proc/nowhere/budget.json")
    attempts = []

    class Noting(BudgetFile):
        def look(self) -> Notice | None:
            attempts.append(clock.now)
            return super().look()

        def tell(self, notice: Notice) -> None:
            attempts.append(clock.now)
            super().tell(notice)

    one = Runs(lambda: Noting(path, clock), clock).new()
    one.exhausted({"Retry-After": "300"})
    for _ in range(200):
        clock.now += 1
        one.exchange()
    assert 95 < one.wait < 105
    failed = [at for at in attempts if at > attempts[0] + 2]
    if kind == "a file in the way":
        assert len(failed) <= 4, "it is tried all the time"
    shared = [r for r in caplog.records if "cannot be shared" in r.getMessage()]
    assert len(shared) == 1
    assert str(path) in shared[0].getMessage()


def test_a_slow_place_holds_up_nobody() -> None:
    """Looking at a database goes on beside the requests; only the first look is waited for."""
    looking, go_on = threading.Event(), threading.Event()

    class Slow:
        name, slow, looks = "a database", True, 0

        def look(self) -> Notice | None:
            self.looks += 1
            if self.looks > 1:
                looking.set()
                go_on.wait(5)
                return Notice(100)
            return None

        def tell(self, notice: Notice) -> None:
            """Do nothing."""

    clock = Clock()
    one = Runs(Slow, clock).new()
    clock.now += 1
    began = time.monotonic()
    for _ in range(50):
        one.exchange()
    assert looking.wait(2)
    assert time.monotonic() - began < 1
    assert one.wait == 0
    go_on.set()
    until(lambda: one.wait > 90)


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


# -- a database ---------------------------------------------------------------------------------


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """A database without a table; nothing that was opened to it stays open."""
    execute(postgres, "DROP TABLE IF EXISTS tap_bitbucket_budgets")
    yield postgres
    gc.collect()
    until(lambda: not connections(postgres))


def execute(url: str, statement: str) -> list[Any]:
    """Execute, and return the rows if there are any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def connections(url: str) -> int:
    """Return how many connections the tap has."""
    ((count,),) = execute(
        url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tap-bitbucket'"
    )
    return int(count)


def test_a_database_tells_runs_on_several_machines(database: str) -> None:
    """A pause lasts as long for everybody, by the database's clock, whatever theirs say."""
    ahead, behind = Clock(), Clock()
    ahead.now += 5000
    one = Runs(lambda: BudgetRow(database, "key"), ahead).new()
    two = Runs(lambda: BudgetRow(database, "key"), behind).new()
    other = Runs(lambda: BudgetRow(database, "other key"), behind).new()
    assert execute(database, "SELECT to_regclass('tap_bitbucket_budgets')") == [(None,)]
    one.exhausted({"Retry-After": "300", **LOW})
    one.heard(LOW)
    ahead.now += 1
    one.exchange()
    until(lambda: execute(database, "SELECT to_regclass('tap_bitbucket_budgets')") != [(None,)])
    until(lambda: execute(database, "SELECT count(*) FROM tap_bitbucket_budgets") == [(1,)])
    behind.now += 1
    two.exchange()
    until(lambda: two.wait)
    assert 285 < two.wait < 303
    assert two.last.remaining == 50
    assert other.wait == 0
    three = Runs(lambda: BudgetRow(database, "key"), behind).new()
    assert 285 < three.wait < 303
    assert connections(database) <= 4, "one connection for each run"


def test_rows_keep_the_longest_pause_and_the_last_word(database: str) -> None:
    """Who writes later neither shortens a pause nor forgets what was told; what cannot be goes."""
    row = BudgetRow(database, "key")
    assert row.look() is None
    row.tell(Notice(300, RateLimit(1000, 5, 200, near=True), 10))
    row.tell(Notice(100))
    kept = row.look()
    assert kept is not None
    assert 295 < kept.pause <= 300
    assert kept.told == RateLimit(1000, 5, 200, near=True)
    assert 10 <= kept.age < 20
    execute(database, "UPDATE tap_bitbucket_budgets SET paused_until = now() + interval '3 days'")
    absurd = row.look()
    assert absurd is not None
    assert absurd.believable.pause == 0
    row.tell(Notice(100))
    kept = row.look()
    assert kept is not None
    assert 95 < kept.pause <= 100
    execute(database, "UPDATE tap_bitbucket_budgets SET said = 'garbage'")
    with pytest.raises(ValueError, match="something else"):
        row.look()


def test_runs_may_make_the_table_at_once(database: str) -> None:
    """PostgreSQL lets one of them make it; all of them are heard."""
    rows = [BudgetRow(database, f"key {number}") for number in range(6)]
    threads = [threading.Thread(target=row.tell, args=(Notice(100),)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert execute(database, "SELECT count(*) FROM tap_bitbucket_budgets") == [(6,)]


def test_a_lost_connection_is_replaced(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """A run whose connection was cut goes on, says so once, and looks again later."""
    clock = Clock()
    one = Runs(lambda: BudgetRow(database, "key"), clock).new()
    execute(
        database,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'tap-bitbucket'",
    )
    clock.now += 1
    one.exchange()
    until(lambda: "cannot be shared" in caplog.text)
    assert one.wait == 0
    BudgetRow(database, "key").tell(Notice(300))
    clock.now += 61
    one.exchange()
    until(lambda: one.wait > 200)
    assert caplog.text.count("cannot be shared") == 1


@pytest.mark.parametrize("kind", ["nobody there", "no right"])
def test_a_database_that_cannot_be_used_disturbs_nobody(
    kind: str, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on, and the line that says so shows neither user nor password."""
    if kind == "nobody there":
        url = "postgresql://ann:planted-secret@127.0.0.1:9/taps?connect_timeout=2"
    else:
        execute(database, "DROP ROLE IF EXISTS planted_user")
        execute(database, "CREATE ROLE planted_user LOGIN")
        execute(database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        url = database.replace("postgres:@", "planted_user:planted-secret@")
    clock = Clock()
    one = Runs(lambda: BudgetRow(url, "key"), clock).new()
    one.exhausted({"Retry-After": "300"})
    clock.now += 61
    one.exchange()
    until(lambda: "cannot be shared" in caplog.text)
    assert 230 < one.wait < 245
    assert "planted-secret" not in caplog.text
