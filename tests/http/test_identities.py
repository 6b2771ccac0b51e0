"""Who asks: whose turn it is, who is left out, and what is told of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.auth.authenticators import StaticToken
from tap_bitbucket.http.budget import Budget
from tap_bitbucket.http.errors import Fatal, SkipPartition, StopReading
from tap_bitbucket.http.identities import Asker, Identities, Identity, scopes_in
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.subject import workspace_of

ACME, BETA, NOBODYS = "/repositories/acme/web/refs", "/workspaces/beta", "/user"
LATER = {"Retry-After": "3600"}


def one(name: str, *workspaces: str, on_limit: str = "wait", **more: Any) -> Identity:
    """Return an identity with a budget of its own."""
    budget = more.pop("budget", None) or Budget(name, on_limit=on_limit)
    bound = frozenset(workspaces) or None
    return Identity(name, StaticToken(f"token-{name}"), budget, bound, **more)


def taken(who: Identities, path: str, times: int = 10, asker: Asker | None = None) -> Counter[str]:
    """Return how often whose turn it was."""
    asker = asker or Asker("stream")
    return Counter(who.take(path, asker).name for _ in range(times))


@pytest.mark.parametrize(
    ("path", "workspace"),
    [
        ("/repositories/acme", "acme"),
        ("/repositories/acme/web/pullrequests/1", "acme"),
        ("/workspaces/Acme/members", "acme"),
        ("/workspaces/%7BAB-1%7D", "{ab-1}"),
        ("/snippets/acme/x1/comments", "acme"),
        ("/repositories", None),
        ("/repositories/", None),
        ("/user", None),
        ("/user/workspaces", None),
        ("/users/acme/ssh-keys", None),
        ("/hook_events/workspace", None),
    ],
)
def test_what_a_path_is_about(path: str, workspace: str | None) -> None:
    """A path names the workspace that it is about, by slug or uuid in lower case."""
    assert workspace_of(path) == workspace


def test_who_serves_what() -> None:
    """Bound ones are asked for theirs alone, unbound ones for anything."""
    who = Identities([one("a", "acme"), one("b", "beta", "gamma"), one("any")])
    assert set(taken(who, ACME)) == {"a", "any"}
    assert set(taken(who, BETA)) == {"b", "any"}
    assert set(taken(who, "/repositories/delta")) == {"any"}
    assert who.bound is None
    assert Identities([one("a", "acme"), one("b", "beta", "acme")]).bound == ["acme", "beta"]


def test_nobody_serves_it() -> None:
    """A workspace without a credential is left out, and the sentence says what to do."""
    who = Identities([one("a", "acme")])
    with pytest.raises(SkipPartition, match="none of the credentials is for the workspace beta"):
        who.take(BETA)
    assert who.limits.sent == 0


def test_in_turn() -> None:
    """Those for the same workspace share its requests, also with what they have to do elsewhere."""
    who = Identities([one("a"), one("b"), one("c", "beta")])
    assert taken(who, ACME, 100) == {"a": 50, "b": 50}
    assert taken(who, BETA, 50) == {"c": 50}
    assert set(taken(who, BETA, 30).values()) == {10}
    assert who.limits.sent == 180
    assert sum(budget.sent for budget in who.budgets) == 180


def test_what_belongs_to_a_person() -> None:
    """What belongs to no workspace is always asked by the same one."""
    who = Identities([one("a", "acme"), one("b", "beta")])
    taken(who, ACME, 20)
    assert taken(who, NOBODYS) == {"a": 10}
    assert taken(who, NOBODYS, 3, Asker("stream", only=who.members[1])) == {"b": 3}


@pytest.mark.parametrize("on_limit", ["wait", "stop"])
def test_one_is_exhausted(on_limit: str) -> None:
    """The others go on at once, in either way of meeting the limit."""
    first, second = one("a", on_limit=on_limit), one("b", on_limit=on_limit)
    who = Identities([first, second])
    first.budget.exhausted(LATER)
    assert taken(who, ACME) == {"b": 10}
    second.budget.exhausted(LATER)
    if on_limit == "stop":
        with pytest.raises(StopReading, match="a and b"):
            who.take(ACME)
    else:
        assert blocks(lambda: who.take(ACME), who)


def blocks(take: Callable[[], object], who: Identities) -> bool:
    """Tell whether a call waits; it is then ended."""
    ended = threading.Event()

    def call() -> None:
        try:
            take()
        except StopReading:
            return
        finally:
            ended.set()

    threading.Thread(target=call, daemon=True).start()
    waits = not ended.wait(0.3)
    who.limits.stopping.set()
    assert ended.wait(2)
    return waits


def test_the_earliest_is_waited_for() -> None:
    """When all are exhausted it is the turn of the one whose pause ends first."""
    clock = [0.0]
    budgets = [Budget(name, clock=lambda: clock[0]) for name in "ab"]
    who = Identities([one("a", budget=budgets[0]), one("b", budget=budgets[1])])
    taken(who, ACME, 1)
    budgets[0].exhausted({"Retry-After": "100"})
    budgets[1].exhausted({"Retry-After": "50"})
    names: list[str] = []
    thread = threading.Thread(target=lambda: names.append(who.take(ACME).name), daemon=True)
    thread.start()
    thread.join(0.3)
    assert names == []
    clock[0] = 60
    thread.join(2)
    assert names == ["b"]


def test_a_budget_of_two() -> None:
    """A 429 for one pauses the other that is counted together with it."""
    shared = Budget("both", on_limit="stop")
    who = Identities([one("a", budget=shared), one("b", budget=shared)])
    assert who.budgets == [shared]
    who.members[0].budget.exhausted(LATER)
    with pytest.raises(StopReading, match="rate limit of both is spent"):
        who.take(ACME)


def test_the_limit_of_the_run_is_for_all() -> None:
    """Threads and identities together get the allowed number of requests, exactly."""
    who = Identities([one("a"), one("b"), one("c", "acme")], Limits(max_requests=60))
    got: list[str] = []

    def ask_all() -> None:
        while True:
            got.append(who.take(ACME).name)

    def ask() -> None:
        with pytest.raises(StopReading, match=r"max_requests \(60\)"):
            ask_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert Counter(got) == {"a": 20, "b": 20, "c": 20}


# -- who cannot, who is out ---------------------------------------------------------------------


def test_who_asked_in_vain_comes_last() -> None:
    """Another is asked as long as there is one that has not been."""
    who = Identities([one("a"), one("b"), one("c", "acme")])
    asker = Asker("hooks")
    tried: list[Identity] = []
    for _ in range(3):
        assert len(tried) == 2 or who.others(ACME, asker, tried)
        tried.append(who.take(ACME, asker, tried))
    assert len(set(map(id, tried))) == 3
    assert not who.others(ACME, asker, tried)
    assert not who.others(BETA, asker, tried[:2]) or any(m.name != "c" for m in tried[2:])


def test_who_lacks_a_scope_is_passed_over() -> None:
    """One that cannot is asked for other lists, and for this one only when nobody else is left."""
    who = Identities([one("a"), one("b")])
    who.members[0].cannot.add("hooks")
    assert taken(who, ACME, 4, Asker("hooks")) == {"b": 4}
    assert set(taken(who, ACME, 8, Asker("branches"))) == {"a", "b"}
    assert not who.others(ACME, Asker("hooks"), [who.members[1]])
    who.members[1].refused = "dead"
    assert taken(who, ACME, 1, Asker("hooks")) == {"a": 1}


def test_one_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """It is named once with the reason, is asked for nothing more, and leaves its own to nobody."""
    who = Identities([one("a", "acme"), one("b")])
    for _ in range(3):
        who.refuse(who.members[0], "it was revoked")
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "a is out of use: it was revoked" in record.getMessage()
    assert taken(who, ACME) == {"b": 10}
    assert taken(who, NOBODYS) == {"b": 10}
    who = Identities([one("a", "acme"), one("b", "beta")])
    who.refuse(who.members[0], "it was revoked")
    with pytest.raises(
        SkipPartition, match="no credential for the workspace acme is left"
    ) as error:
        who.take(ACME)
    assert "it was revoked" in str(error.value)
    assert error.value.status == 401


def test_all_are_refused() -> None:
    """Nobody is left: the reasons of all, at the last refusal and at every request after it."""
    who = Identities([one("a", "acme"), one("b")])
    who.refuse(who.members[0], "first reason")
    with pytest.raises(AuthenticationError, match="first reason; second reason"):
        who.refuse(who.members[1], "second reason")
    for path in (ACME, BETA, NOBODYS):
        with pytest.raises(AuthenticationError, match="first reason; second reason"):
            who.take(path)


def test_two_names_of_a_workspace() -> None:
    """Who is bound by uuid is asked under the slug once it is known, others are not."""
    who = Identities([one("a", "{ab-1}"), one("b", "beta")])
    with pytest.raises(SkipPartition):
        who.take(ACME)
    who.also_called("{AB-1}", "Acme")
    assert taken(who, ACME) == {"a": 10}
    assert taken(who, "/workspaces/%7Bab-1%7D") == {"a": 10}
    assert taken(who, BETA) == {"b": 10}


# -- scopes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "scopes"),
    [
        ({}, None),
        ({"X-OAuth-Scopes": ""}, None),
        ({"X-OAuth-Scopes": " , "}, None),
        ({"X-OAuth-Scopes": "account, repository"}, {"account", "repository"}),
        ({"X-OAuth-Scopes": "account repository"}, {"account", "repository"}),
        ({"X-OAuth-Scopes": "read:user:bitbucket"}, {"read:user:bitbucket"}),
    ],
)
def test_scopes_in_headers(headers: Mapping[str, str], scopes: set[str] | None) -> None:
    """Scopes are told with commas or blanks between them, or not at all."""
    assert scopes_in(headers) == (scopes if scopes is None else frozenset(scopes))


def told_of(*members: Identity) -> tuple[Identities, list[list[str]]]:
    """Return identities, and a list of what is told of them."""
    told: list[list[str]] = []
    who = Identities(members, on_scopes=lambda group, _: told.append([m.name for m in group]))
    return who, told


def test_each_is_told_once() -> None:
    """Those for the same workspaces are told together, when all is known of them, and once."""
    a, b, c = one("a", "acme"), one("b", "acme"), one("c", "beta")
    who, told = told_of(a, b)
    scopes = frozenset(("account",))
    who.learned(a, None)
    who.learned(a, scopes)
    who.learned(a, scopes)
    assert told == []
    who.learned(b, scopes)
    who.learned(b, frozenset(("other",)))
    assert told == [["a", "b"]]
    assert b.scopes == scopes
    who, told = told_of(one("d", "acme"), c)
    who.learned(c, scopes)
    assert told == [["c"]]


def test_what_is_told_may_end_the_run() -> None:
    """An error of the one who is told goes on to the one who asked."""

    def refuse(*_: object) -> None:
        message = "lacks"
        raise Fatal(message)

    a = one("a")
    with pytest.raises(Fatal, match="lacks"):
        Identities([a], on_scopes=refuse).learned(a, frozenset(("account",)))


def test_the_dead_are_not_waited_for() -> None:
    """Of one that is out of use nothing need be known; it may have died first or last."""
    a, b = one("a", "acme"), one("b", "acme")
    who, told = told_of(a, b)
    who.refuse(b, "dead")
    who.learned(a, frozenset(("account",)))
    assert len(told) == 1
    c, d = one("c", "acme"), one("d", "acme")
    who, told = told_of(c, d)
    who.learned(c, frozenset(("account",)))
    who.refuse(d, "dead")
    assert len(told) == 1
