"""Workers of several machines share one rotating token over a real PostgreSQL."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import psycopg
import pytest

from tap_bitbucket.auth import AuthenticationError, token_database
from tap_bitbucket.auth.encryption import TokenCipher, new_key
from tap_bitbucket.auth.rotation import RefreshToken
from tap_bitbucket.auth.token_database import TokenDatabase, shifted
from tap_bitbucket.auth.token_endpoint import OAuthClient
from tap_bitbucket.auth.tokens import AccessToken, Refusal, StoredTokens
from tap_bitbucket.demo import Fault
from tests.auth.conftest import HOUR, ROOT, TOKEN_REQUEST, Consumer

KEY = "0123456789abcdef"
CREATE = "CREATE TABLE tap_bitbucket_tokens (client text PRIMARY KEY, tokens text NOT NULL,"
CREATE += " updated_at timestamptz NOT NULL)"
CUT = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE application_name = 'tap-bitbucket' AND state = 'idle in transaction'"
)
numbers = count()


class Database:
    """A database for the tests, one after the other: making many would take long."""

    name = "taps"

    def __init__(self, server: str) -> None:
        self._server = server
        self.execute(f"CREATE DATABASE {self.name}", server)
        self.url = self.url_of("postgres")

    def clear(self) -> None:
        """Leave nothing that was made or set in it."""
        self.execute(f"ALTER DATABASE {self.name} RESET ALL", self._server)
        self.execute("DROP TABLE IF EXISTS tap_bitbucket_tokens")

    def user(self) -> str:
        """Make a user who has no rights, and return the name."""
        name = f"user{next(numbers)}"
        self.execute(f"CREATE ROLE {name} LOGIN")
        return name

    def url_of(self, user: str) -> str:
        """Return its address for a user."""
        return self._server.replace("postgres:@/postgres", f"{user}:pass%40word@/{self.name}")

    def execute(self, statement: str, url: str = "") -> list[Any]:
        """Execute, and return the rows if there are any."""
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def set(self, name: str, value: str) -> None:
        """Change a setting for all further sessions but those of `execute`."""
        self.execute(f"ALTER DATABASE {self.name} SET {name} = {value}", self._server)

    def text(self) -> str:
        """Return what the only row holds."""
        ((text,),) = self.execute("SELECT tokens FROM tap_bitbucket_tokens")
        return str(text)

    def wait_for_a_waiter(self) -> None:
        """Return when a session waits for another's lock."""
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
        while not self.execute(f"{query} '{self.name}'"):
            time.sleep(0.02)

    def wait_for_the_end(self) -> None:
        """Return when there are no sessions of the tap's any more."""
        query = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tap-bitbucket'"
        while self.execute(query):
            time.sleep(0.02)


@pytest.fixture(scope="module")
def shared_database(postgres: str) -> Database:
    """A database."""
    return Database(postgres)


@pytest.fixture
def database(shared_database: Database) -> Iterator[Database]:
    """A database with nothing in it."""
    yield shared_database
    shared_database.clear()


@pytest.fixture
def store(database: Database) -> TokenDatabase:
    """A worker's view of it."""
    return TokenDatabase(database.url, KEY)


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_database, "PAUSE", 0.05)


@pytest.fixture
def consumer(consumer: Consumer) -> Consumer:
    """Databases go by the real clock."""
    consumer.oauth.clock = time.time
    return consumer


def tokens(name: str = "r1", **more: Any) -> StoredTokens:
    """Return tokens to keep."""
    return StoredTokens("c", name, AccessToken(f"access-{name}", time.time(), 7200.0), **more)


def save(store: TokenDatabase, kept: StoredTokens) -> None:
    """Keep these."""
    with store.locked():
        store.save(kept)


def refresh_token(store: TokenDatabase) -> str | None:
    """Return the one that is kept."""
    kept = store.load()
    return kept.refresh_token if kept else None


def source(consumer: Consumer, store: TokenDatabase, seed: str | None) -> RefreshToken:
    """Return what a run gets its access tokens from."""
    url = consumer.server.oauth_token_url
    client = OAuthClient(consumer.client_id, consumer.client_secret, url, 60.0, "agent")
    return RefreshToken(client, store, seed)


@contextmanager
def in_a_thread(job: Callable[[], object]) -> Iterator[threading.Thread]:
    """Do something meanwhile, and wait for its end."""
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    yield thread
    thread.join(10)
    assert not thread.is_alive()


@contextmanager
def worker(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a process of its own."""
    begin = """
        import json, os, sys, time
        from tap_bitbucket.auth.token_database import TokenDatabase
        from tap_bitbucket.auth.rotation import RefreshToken
        from tap_bitbucket.auth.token_endpoint import OAuthClient
    """
    code = textwrap.dedent(begin) + textwrap.dedent(script)
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


HOLD = """
    store = TokenDatabase(*sys.argv[1:])
    with store.locked():
        store.reserve(1)
        print("locked", flush=True)
        sys.stdin.readline()
        kept = store.load()
"""


# -- what is kept ------------------------------------------------------------------------------


def test_there_and_back(database: Database, store: TokenDatabase) -> None:
    """What one worker saves another one loads, until it is forgotten."""
    other = TokenDatabase(database.url, KEY)
    assert store.load() is None
    refused = {"a": Refusal("invalid_grant", time.time(), final=True)}
    kept = tokens("r1", seed="s", spent=("x", "y"), refused=refused)
    with store.locked():
        assert store.load() is None
        store.reserve(20_000)
        store.save(kept)
        assert store.load() is not None
    loaded = other.load()
    assert loaded is not None
    assert shifted(loaded, 0) == loaded
    assert loaded.access is not None
    assert kept.access is not None
    assert loaded.access.obtained_at == pytest.approx(kept.access.obtained_at, abs=0.5)
    assert loaded.refused["a"].at == pytest.approx(refused["a"].at, abs=0.5)
    assert replace(loaded, access=kept.access, refused=refused) == kept
    for _ in range(2):
        with other.locked():
            other.forget()
            assert other.load() is None
        assert store.load() is None
        assert database.execute("SELECT * FROM tap_bitbucket_tokens") == []


def test_a_row_each(database: Database, store: TokenDatabase) -> None:
    """Consumers do not see, and do not wait for, each other."""
    other = TokenDatabase(database.url, "fedcba9876543210")
    with store.locked(), other.locked():
        store.save(tokens("mine"))
        other.save(tokens("theirs"))
    with other.locked():
        other.forget()
    assert refresh_token(store) == "mine"
    assert other.load() is None


def test_nothing_saved_nothing_left(database: Database, store: TokenDatabase) -> None:
    """A lock in which nothing was saved leaves the row as it was: missing, or with its tokens."""
    with store.locked():
        store.reserve(1)
    assert database.execute("SELECT * FROM tap_bitbucket_tokens") == []
    save(store, tokens("r1"))
    with store.locked():
        store.reserve(1)
    assert refresh_token(store) == "r1"
    database.wait_for_the_end()


def test_saved_twice(store: TokenDatabase) -> None:
    """Tokens saved one after the other in one lock are both saved, the later last."""
    with store.locked():
        store.save(tokens("r1"))
        store.save(tokens("r2"))
        assert refresh_token(store) == "r2"
    assert refresh_token(store) == "r2"


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', '{"refresh_token": "secret"}'])
def test_something_else(database: Database, store: TokenDatabase, text: str) -> None:
    """A row that holds something else is neither used nor overwritten."""
    save(store, tokens())
    database.execute(f"UPDATE tap_bitbucket_tokens SET tokens = '{text}'")
    with pytest.raises(AuthenticationError, match=f"Row {KEY} .*holds no tokens") as caught:
        store.load()
    assert "secret" not in str(caught.value)
    database.execute("UPDATE tap_bitbucket_tokens SET tokens = ''")
    assert store.load() is None


# -- clocks ------------------------------------------------------------------------------------


def test_shifted() -> None:
    """All times move, and nothing else."""
    refused = {"a": Refusal("e", 50.0, final=False), "b": Refusal("f", 60.0, final=True)}
    kept = StoredTokens("c", "r", AccessToken("a", 100.0, 7200.0, "account"), refused=refused)
    moved = shifted(kept, -40.5)
    assert moved.access == AccessToken("a", 59.5, 7200.0, "account")
    assert {name: one.at for name, one in moved.refused.items()} == {"a": 9.5, "b": 19.5}
    assert shifted(moved, 40.5) == kept
    assert shifted(StoredTokens("c"), 1.0) == StoredTokens("c")


@pytest.mark.parametrize("writer", [-HOUR, 0.0, HOUR])
@pytest.mark.parametrize("reader", [-HOUR, 0.0, HOUR])
def test_clocks_differ(database: Database, writer: float, reader: float) -> None:
    """A worker whose clock is an hour ahead or behind sees the age that the token has."""
    kept = tokens(refused={"a": Refusal("e", time.time() - 30.0, final=False)})
    save(
        TokenDatabase(database.url, KEY, clock=lambda: time.time() + writer), shifted(kept, writer)
    )
    now = time.time() + reader
    loaded = TokenDatabase(database.url, KEY, clock=lambda: time.time() + reader).load()
    assert loaded is not None
    assert loaded.access is not None
    assert -0.5 < now - loaded.access.obtained_at < 5
    assert 29.5 < now - loaded.refused["a"].at < 35


def test_no_age_below_zero(store: TokenDatabase) -> None:
    """What has just been saved is not from the future when it is read at once."""
    for _ in range(20):
        with store.locked():
            store.save(tokens())
            kept = store.load()
        assert kept is not None
        assert kept.access is not None
        assert kept.access.obtained_at <= time.time()


# -- the lock ----------------------------------------------------------------------------------


def test_a_process_keeps_others_out(database: Database, store: TokenDatabase) -> None:
    """While a process has the lock another one waits, whether there was a row or not."""
    for _ in range(2):
        entered: list[float] = []

        def enter(entered: list[float] = entered) -> None:
            with store.locked():
                entered.append(time.monotonic())
                store.save(tokens())

        with worker(HOLD, database.url, KEY) as holder:
            assert holder.stdin
            assert holder.stdout
            assert holder.stdout.readline() == "locked\n"
            with in_a_thread(enter):
                database.wait_for_a_waiter()
                time.sleep(0.3)
                assert entered == []
                assert holder.communicate("\n", timeout=10)[0] == ""
                assert holder.returncode == 0
        assert len(entered) == 1


def test_a_killed_process_keeps_nobody_out(database: Database, store: TokenDatabase) -> None:
    """SIGKILL frees the lock, and what was kept before stays."""
    save(store, tokens("r1"))
    with worker(HOLD, database.url, KEY) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        with in_a_thread(lambda: save(store, tokens("r2"))):
            database.wait_for_a_waiter()
            assert refresh_token(store) == "r1"
            holder.kill()
    assert refresh_token(store) == "r2"


def test_threads_keep_each_other_out(store: TokenDatabase) -> None:
    """Threads may share a store: each reads what the one before it wrote."""
    save(store, StoredTokens("c", "0"))

    def add_one() -> None:
        with store.locked():
            before = store.load()
            assert before is not None
            store.reserve(1)
            time.sleep(0.02)
            store.save(replace(before, refresh_token=str(int(before.refresh_token or "") + 1)))

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert refresh_token(store) == "8"


def test_patience_ends(
    database: Database, store: TokenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits too long is told what for."""
    monkeypatch.setattr(token_database, "LOCK_PATIENCE", 0.3)
    other = TokenDatabase(database.url, KEY)
    with store.locked():
        began = time.monotonic()
        message = f"Another process has held row {KEY} of tap_bitbucket_tokens in token_store"
        with pytest.raises(AuthenticationError, match=message) as caught, other.locked():
            pass
        assert 0.25 < time.monotonic() - began < 5
        assert "end it and run again" in str(caught.value)
        assert caught.value.__suppress_context__
    with other.locked():
        pass


def test_limits_of_the_server(database: Database, store: TokenDatabase) -> None:
    """No limit on idle or long transactions ends a refresh that Bitbucket takes its time for."""
    for name in ("idle_in_transaction_session_timeout", "statement_timeout", "transaction_timeout"):
        database.set(name, "'200ms'")
    with store.locked(), in_a_thread(lambda: save(store, tokens("r2"))):
        time.sleep(0.6)
        store.reserve(1)
        store.save(tokens("r1"))
    assert refresh_token(store) == "r2"


def test_isolation_of_the_database(database: Database, store: TokenDatabase) -> None:
    """Who waited reads what was saved meanwhile, however strict the database is by default."""
    database.set("default_transaction_isolation", "'serializable'")
    save(store, tokens("r1"))
    seen: list[str | None] = []

    def look() -> None:
        with store.locked():
            seen.append(refresh_token(store))
            store.save(tokens("r3"))

    with store.locked(), in_a_thread(look):
        database.wait_for_a_waiter()
        store.save(tokens("r2"))
    assert seen == ["r2"]


def test_a_commit_is_on_disk(database: Database, store: TokenDatabase) -> None:
    """A database that is lazy about commits is not when tokens are committed."""
    database.set("synchronous_commit", "off")
    show = "SELECT current_setting('synchronous_commit'), current_setting('tcp_keepalives_idle')"
    with store.locked():
        held = store._must_hold().connection
        assert held is not None
        assert held.exec_driver_sql(show).one()[0] == "on"


EIGHT = """
    url, key, token_url, seed = sys.argv[1:]
    import sqlalchemy, psycopg
    TokenDatabase(url, key).load()  # so that all are equally quick
    read, write = os.pipe()
    start, go = os.pipe()
    for _ in range(8):
        if os.fork() == 0:
            os.read(start, 1)
            store = TokenDatabase(url, key)
            client = OAuthClient("acme-tap", "secret of acme", token_url, 60.0, "agent")
            try:
                said = RefreshToken(client, store, seed).obtain(None).value
            except BaseException as error:
                said = repr(error)
            os.write(write, (json.dumps(said) + "\\n").encode())
            os._exit(0)
    os.write(go, b"........")
    for _ in range(8):
        os.wait()
    print(os.read(read, 100_000).decode())
"""


def test_eight_processes_at_once(consumer: Consumer, database: Database) -> None:
    """Of eight processes that start together, with no table yet, one refreshes for all."""
    url = consumer.server.oauth_token_url
    with worker(EIGHT, database.url, KEY, url, consumer.fresh_seed) as host:
        told, _ = host.communicate(timeout=60)
    results = [json.loads(line) for line in told.split()]
    assert len(results) == 8
    assert len(set(results)) == 1, results
    assert consumer.oauth.refreshes == 1
    assert consumer.accepts(f"Bearer {results[0]}")


# -- the table ---------------------------------------------------------------------------------


def test_two_create_the_table(database: Database, store: TokenDatabase) -> None:
    """Who is second to create the table goes on with the first one's."""
    with psycopg.connect(database.url) as first:
        first.execute(CREATE)
        with in_a_thread(lambda: save(store, tokens("r2"))):
            database.wait_for_a_waiter()
            first.commit()
    assert refresh_token(store) == "r2"


def test_a_table_made_by_somebody_else(database: Database) -> None:
    """A user who may not create tables can use one that there is."""
    user = database.user()
    store = TokenDatabase(database.url_of(user), KEY)
    assert store.load() is None
    with pytest.raises(AuthenticationError, match=r"permission denied.*grant that user"):
        save(store, tokens())
    database.execute(CREATE)
    database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON tap_bitbucket_tokens TO {user}")
    save(store, tokens("r1"))
    assert refresh_token(store) == "r1"
    with store.locked():
        store.forget()
    assert store.load() is None


# -- nothing is spent in vain --------------------------------------------------------------------


def test_read_only(consumer: Consumer, database: Database, store: TokenDatabase) -> None:
    """A database that can only be read is found out before a refresh is spent."""
    save(store, tokens())
    with store.locked():
        store.forget()
    database.set("default_transaction_read_only", "on")
    made = source(consumer, store, consumer.fresh_seed)
    with pytest.raises(AuthenticationError, match=r"read-only.*name a server and a database"):
        made.obtain(None)
    assert consumer.token_requests() == []


@pytest.mark.parametrize(
    "rights", ["SELECT", "SELECT, INSERT", "SELECT, INSERT, UPDATE (client, updated_at)"]
)
def test_no_right_to_write(consumer: Consumer, database: Database, rights: str) -> None:
    """So is a missing right; a token that lives can be used without any but to read."""
    user = database.user()
    database.execute(CREATE)
    database.execute(f"GRANT {rights} ON tap_bitbucket_tokens TO {user}")
    store, seed = TokenDatabase(database.url_of(user), KEY), consumer.fresh_seed
    with pytest.raises(AuthenticationError, match=r"permission denied for table.*grant"):
        source(consumer, store, seed).obtain(None)
    assert consumer.token_requests() == []
    living = source(consumer, TokenDatabase(database.url, KEY), seed).obtain(None)
    assert source(consumer, store, seed).obtain(None).value == living.value


def test_reserve_tries_the_connection(
    consumer: Consumer, database: Database, store: TokenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost before Bitbucket is asked is noticed before."""
    real = store.reserve

    def reserve(size: int) -> None:
        database.execute(CUT)
        real(size)

    monkeypatch.setattr(store, "reserve", reserve)
    with pytest.raises(AuthenticationError, match="Cannot use token_store"):
        source(consumer, store, consumer.fresh_seed).obtain(None)
    assert consumer.token_requests() == []


# -- nothing is lost -----------------------------------------------------------------------------


def test_connection_lost_while_asking(
    consumer: Consumer, database: Database, store: TokenDatabase
) -> None:
    """A new refresh token is stored though the connection with the lock is gone."""
    source(consumer, store, consumer.fresh_seed).obtain(None)
    cut: list[Any] = []
    consumer.server.faults.add(
        Fault(TOKEN_REQUEST, action="callback", callback=lambda: cut.extend(database.execute(CUT)))
    )
    before = refresh_token(store)
    access = source(consumer, store, None).obtain(store_access(store))
    assert cut == [(True,)]
    assert refresh_token(store) == consumer.oauth.refresh_tokens[before or ""].successor
    assert consumer.accepts(access.header)
    database.wait_for_the_end()


def store_access(store: TokenDatabase) -> str:
    """Return the access token that is kept."""
    kept = store.load()
    assert kept is not None
    assert kept.access is not None
    return kept.access.value


def test_database_down_while_asking(
    database: Database, store: TokenDatabase, postgres: str
) -> None:
    """It is tried again until the database lets anybody in."""
    save(store, tokens("r1"))

    def back() -> None:
        time.sleep(1)
        database.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true", postgres)

    with store.locked():
        database.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false", postgres)
        database.execute(CUT, postgres)
        with in_a_thread(back):
            store.save(tokens("r2"))
    assert refresh_token(store) == "r2"


@pytest.mark.parametrize("cipher", [None, TokenCipher(new_key())])
@pytest.mark.parametrize("before", ["r1", None])
def test_newer_tokens_stay(
    database: Database, cipher: TokenCipher | None, before: str | None
) -> None:
    """Tokens that another process stored after the lock was lost are not written over."""
    store, other = (TokenDatabase(database.url, KEY, cipher) for _ in range(2))
    if before:
        save(store, tokens(before))
    with store.locked():
        database.execute(CUT)
        with in_a_thread(lambda: save(other, tokens("theirs"))):
            pass
        with pytest.raises(AuthenticationError, match=r"another process stored newer.*run again"):
            store.save(tokens("mine"))
    assert refresh_token(store) == "theirs"


@pytest.mark.parametrize("cipher", [None, TokenCipher(new_key())])
@pytest.mark.parametrize("what", ["refusal", "deletion", "these"])
def test_nothing_newer(database: Database, cipher: TokenCipher | None, what: str) -> None:
    """What is no newer token does not keep tokens from being stored."""
    store, other = (TokenDatabase(database.url, KEY, cipher) for _ in range(2))
    save(store, tokens("r1"))

    def meanwhile() -> None:
        with other.locked():
            kept = other.load()
            assert kept is not None
            if what == "deletion":
                other.forget()
            elif what == "these":
                other.save(tokens("mine"))
            else:
                refusal = Refusal("invalid_grant", time.time(), final=True)
                other.save(kept.with_refusal("r1", "secret", refusal))

    with store.locked():
        database.execute(CUT)
        with in_a_thread(meanwhile):
            pass
        store.save(tokens("mine"))
    assert refresh_token(store) == "mine"


def test_it_cannot_be_stored(
    consumer: Consumer,
    database: Database,
    store: TokenDatabase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When all patience is in vain it is said what is left to do, and no secret."""
    monkeypatch.setattr(token_database, "SAVE_PATIENCE", 0.3)
    seed = consumer.fresh_seed

    def fail() -> None:
        database.execute(
            "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION ''%'', translate(NEW.tokens, E''\\n'', ''''); END'"
        )
        database.execute(CUT)
        database.execute(
            "CREATE TRIGGER fail BEFORE UPDATE ON tap_bitbucket_tokens FOR EACH ROW"
            " WHEN (NEW.tokens <> '') EXECUTE FUNCTION fail()"
        )

    consumer.server.faults.add(Fault(TOKEN_REQUEST, action="callback", callback=fail))
    with pytest.raises(AuthenticationError, match="is good for ten minutes") as caught:
        source(consumer, store, seed).obtain(None)
    assert str(caught.value).startswith("Bitbucket's answer could not be stored in token_store")
    assert "\n" not in str(caught.value)
    assert "trying again" in caplog.text
    successor = consumer.oauth.refresh_tokens[seed].successor or ""
    for secret in (seed, successor, "pass@word", "pass%40word", *consumer.oauth.access_tokens):
        assert secret
        assert secret not in str(caught.value) + caplog.text
    assert store.load() is None
    database.execute("DROP TRIGGER fail ON tap_bitbucket_tokens")
    assert source(consumer, store, seed).obtain(None)


# -- encryption ----------------------------------------------------------------------------------


def test_encrypted(consumer: Consumer, database: Database) -> None:
    """The row of a run with a key holds no token; without the key it is of no use."""
    cipher, seed = TokenCipher(new_key()), consumer.fresh_seed
    store = TokenDatabase(database.url, KEY, cipher)
    access = source(consumer, store, seed).obtain(None)
    successor = consumer.oauth.refresh_tokens[seed].successor or ""
    text = database.text()
    assert json.loads(text).keys() == {"version", "encrypted"}
    assert successor not in text
    assert access.value not in text
    assert refresh_token(store) == successor
    with pytest.raises(AuthenticationError, match=f"{store.place} is encrypted: set token_enc"):
        TokenDatabase(database.url, KEY).load()
    wrong = TokenDatabase(database.url, KEY, TokenCipher(new_key()))
    with pytest.raises(AuthenticationError, match=f"is not the key that {store.place} was"):
        wrong.load()
    with wrong.locked():
        wrong.forget()
    assert store.load() is None


def test_signing_in_over_what_cannot_be_read(database: Database) -> None:
    """Tokens whose key is lost can be replaced."""
    save(TokenDatabase(database.url, KEY, TokenCipher(new_key())), tokens("r1"))
    store = TokenDatabase(database.url, KEY, TokenCipher(new_key()))
    save(store, tokens("r2"))
    assert refresh_token(store) == "r2"


def test_a_key_set_later(database: Database, store: TokenDatabase) -> None:
    """A row kept before there was a key is read, and encrypted when it is next kept."""
    save(store, tokens("refresh-1"))
    assert "refresh-1" in database.text()
    later = TokenDatabase(database.url, KEY, TokenCipher(new_key()))
    kept = later.load()
    assert kept is not None
    save(later, kept)
    assert "refresh-1" not in database.text()
    assert refresh_token(later) == "refresh-1"


# -- addresses and messages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files",
        "/var/lib/tokens.json",
        "sqlite:///secret.db",
        "mysql://user:secret@host/db",
        "cockroachdb://user:secret@host/db",
        "postgresql+asyncpg://user:secret@host/db",
        "postgresql+pg8000://user:secret@host/db",
        "http://user:secret@host/db",
        "postgresql://user:secret",
        "postgresql://user:x@secret@host/db",
        "postgresql://user:x@y/secret@host/db",
        "postgresql://user:x@y?secret@host/db",
        "postgresql:user:secret@host/db",
    ],
)
def test_no_address_of_a_postgresql(url: str) -> None:
    """Where the lock is not known to hold, or nobody knows what is meant, it is said at once."""
    with pytest.raises(
        AuthenticationError, match="postgresql://user:password@host/datab"
    ) as caught:
        TokenDatabase(url, KEY)
    assert str(caught.value).startswith('token_store must be "file" or the address of a PostgreSQL')
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://ann:secret@db.acme.test:5432/taps", "db.acme.test:5432/taps"),
        ("postgres://ann:secret@db.acme.test/taps?sslmode=require&password=secret", "/taps"),
        ("postgresql+psycopg://ann:secret@[::1]:5432/taps", "[::1]:5432/taps"),
        ("postgresql:///taps?host=/run/secret", "postgresql:///taps"),
        ("postgresql://ann:se%40cret@db.acme.test", "//db.acme.test"),
    ],
)
def test_place(url: str, place: str) -> None:
    """Where tokens are is named without user, password and parameters; nothing is connected."""
    named = TokenDatabase(url, KEY).place
    assert named.startswith("token_store postgresql://")
    assert named.endswith(place)
    assert "cret" not in named
    assert "ann" not in named


@pytest.mark.parametrize("name", ["sqlalchemy", "psycopg"])
def test_packages_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without the packages of the extra it is said how to install them."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(AuthenticationError, match=re.escape("install tap-bitbucket[database]")):
        TokenDatabase("postgresql://ann:secret@localhost/taps", KEY)


def test_nothing_is_imported_without_need() -> None:
    """A run that keeps its tokens in a file does not wait for a database's packages."""
    script = "print({'sqlalchemy', 'psycopg', 'cryptography'} & sys.modules.keys())"
    with worker(script) as process:
        assert process.communicate(timeout=20)[0] == "set()\n"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "localhost:1", "nowhere.invalid", f"{'a' * 70}.invalid"]
)
@pytest.mark.parametrize("locked", [False, True])
def test_out_of_reach(host: str, *, locked: bool) -> None:
    """A server that cannot be reached is named, in one line."""
    store = TokenDatabase(f"postgresql://ann:se%40cret@{host}/taps?sslmode=disable", KEY)
    attempt = (lambda: save(store, tokens())) if locked else store.load
    with pytest.raises(AuthenticationError, match=f"Cannot use token_store.*{host}/t") as caught:
        attempt()
    said = str(caught.value)
    assert "check that address" in said
    assert "\n" not in said
    assert "cret" not in said
    assert caught.value.__suppress_context__


def test_no_token_in_any_log(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """However much is logged about the database, tokens and passwords are not."""
    for name in ("sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool", "psycopg"):
        caplog.set_level(logging.DEBUG, logger=name)
    with caplog.at_level(logging.DEBUG):
        store = TokenDatabase(database.url, KEY)
        save(store, tokens("refresh-1"))
        assert refresh_token(store) == "refresh-1"
    assert caplog.records
    for secret in ("refresh-1", "pass@word", "pass%40word"):
        assert secret not in caplog.text


def test_errors_hide_what_they_are_about(
    database: Database, store: TokenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither statements nor rows nor their values are in a message."""
    monkeypatch.setattr(token_database, "SAVE_PATIENCE", 0.01)
    save(store, tokens("old-one"))
    database.execute("ALTER TABLE tap_bitbucket_tokens ADD CHECK (tokens !~ 'new-one')")
    with pytest.raises(AuthenticationError, match="violates check constraint") as caught:
        save(store, tokens("new-one"))
    for secret in ("-one", "UPDATE", "INSERT", "Failing row", "pass"):
        assert secret not in str(caught.value)
    assert refresh_token(store) == "old-one"


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        ("postgres", "nowhere", "(OperationalError)"),  # which is what the database is called
        ("nobody", "nobody", 'role "nobody" does not exist'),
        ("nobody", "no", 'role "nobody" does not exist'),
    ],
)
def test_words_that_hold_the_password(
    database: Database, user: str, password: str, said: str
) -> None:
    """Of an error that has the password among its words only the kind is told."""
    url = database.url.replace("postgres:pass%40word@", f"{user}:{password}@")
    url = url.replace(f"/{database.name}?", "/nowhere?" if password == "nowhere" else "/taps?")
    with pytest.raises(AuthenticationError, match=re.escape(said)):
        TokenDatabase(url, KEY).load()
