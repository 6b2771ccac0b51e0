"""Runs with several credentials: who asks what, on whose budget, and what one that fails costs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import BitbucketServer, Fault
from tests.catalogs import only
from tests.support import Row, Run, content, merge, run_here, run_tap, select, tables
from tests.two_workspaces import (
    SLUGS,
    People,
    Settings,
    Uneven,
    asked,
    secrets_of,
    several,
    workspace_of,
)

STREAMS = ("workspaces", "repositories", "branches", "commits", "pull_requests")


@pytest.fixture
def people() -> People:
    """Make two workspaces, and those who may look into them."""
    return People()


@pytest.fixture
def server(people: People) -> Iterator[BitbucketServer]:
    """Serve them."""
    with BitbucketServer(people.world) as served:
        yield served


@pytest.fixture
def few(catalog: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog of a few streams."""
    return only(catalog, *STREAMS)


def held(run: Run) -> set[str]:
    """Return the rows of a run, whatever their order."""
    return {
        json.dumps([message["stream"], message["record"]], sort_keys=True)
        for message in run.messages
        if message["type"] == "RECORD"
    }


def written(run: Run) -> list[tuple[str, Row]]:
    """Return the rows of a run in the order of writing."""
    return [(m["stream"], m["record"]) for m in run.messages if m["type"] == "RECORD"]


def whole(run: Run) -> Run:
    """Return a run that read everything; one that did not fails here."""
    assert run.code == 0, run.log
    assert "skipped: " not in run.log, run.log
    assert "Stopped" not in run.log, run.log
    return run


def errors(run: Run) -> list[str]:
    """Return the errors in the log of a run in this process."""
    return [line for line in run.log.splitlines() if line.startswith("ERROR")]


def warnings(run: Run, word: str) -> list[str]:
    """Return the warnings in the log of a run in this process that have a word in them."""
    lines = run.log.splitlines()
    return [line for line in lines if line.startswith("WARNING") and word in line]


# -- who asks -----------------------------------------------------------------------------------


def test_bound_ones_read_their_own_workspaces(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """Without ``workspaces`` those of all credentials are read, each by its own alone."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.access_token("beta", workspaces=["beta"]),
    ]
    run = whole(run_here(several(server, *entries), catalog=few))
    assert {row["slug"] for row in run.rows("workspaces")} == set(SLUGS)
    assert set(asked(server)) == {
        (people.key("ann"), "acme"),
        ("token:planted-access-beta", "beta"),
    }
    assert not any(one.status >= 400 for one in server.requests)


def test_one_of_them_asks_nothing_when_its_workspace_is_not_read(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """With ``workspaces`` only those are read, and a credential for others stays silent."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.signed_in("beta", "bob", workspaces=["beta"]),
    ]
    run = whole(run_here(several(server, *entries, workspaces=["acme"]), catalog=few))
    assert {row["slug"] for row in run.rows("workspaces")} == {"acme"}
    assert set(asked(server)) == {(people.key("ann"), "acme")}
    assert not any(one.path.startswith("/site/") for one in server.requests)


def test_one_for_several_workspaces(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """A credential may be bound to more than one, and shares one of them with another."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.api_token("eve", workspaces=["beta", "acme"]),
    ]
    whole(run_here(several(server, *entries), catalog=few))
    counts = asked(server)
    assert set(counts) == {
        (people.key("ann"), "acme"),
        (people.key("eve"), "acme"),
        (people.key("eve"), "beta"),
    }


@pytest.mark.parametrize("concurrency", [1, 8])
def test_unbound_people_ask_about_what_they_see(
    people: People, server: BitbucketServer, few: dict[str, Any], concurrency: int
) -> None:
    """Each person is asked for the workspaces, and only those who listed one ask about it."""
    entries = [people.api_token(name) for name in ("ann", "bob", "eve")]
    config = several(server, *entries, concurrency=concurrency)
    run = whole(run_here(config, catalog=few))
    assert {row["slug"] for row in run.rows("workspaces")} == set(SLUGS)
    counts = asked(server)
    assert set(counts) == {
        (people.key("ann"), "acme"),
        (people.key("eve"), "acme"),
        (people.key("bob"), "beta"),
        (people.key("eve"), "beta"),
        *((people.key(name), "") for name in ("ann", "bob", "eve")),
    }
    assert all(counts[people.key(name), ""] == 1 for name in ("ann", "bob", "eve"))
    assert not any(one.status >= 400 for one in server.requests)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_unbound_people_who_do_not_see_the_same(
    people: People, server: BitbucketServer, few: dict[str, Any], concurrency: int
) -> None:
    """That the workspaces are named changes nothing about who sees which of them."""
    entries = [people.api_token("ann"), people.api_token("bob")]
    found, named = (
        run_here(several(server, *entries, concurrency=concurrency, **more), catalog=few)
        for more in ({}, {"workspaces": [*SLUGS]})
    )
    assert held(whole(named)) == held(whole(found))


def of_repository(people: People, slug: str) -> dict[str, Any]:
    """Return an entry with the access token of one repository of acme."""
    token = f"planted-access-{slug}"
    people.world.identities.add_access_token(
        token, "repository", bound_to=people.world.repository(f"acme/{slug}")
    )
    return {"name": slug, "access_token": token, "workspaces": ["acme"]}


@pytest.mark.parametrize("turn", [1, -1])
def test_one_that_sees_less_is_left_out(
    people: People, server: BitbucketServer, few: dict[str, Any], turn: int
) -> None:
    """Beside one that sees all of a workspace, one that sees a part is not used for it."""
    complete = held(
        whole(
            run_here(several(server, people.access_token("acme", workspaces=["acme"])), catalog=few)
        )
    )
    server.clear_requests()
    entries = [people.access_token("acme", workspaces=["acme"]), of_repository(people, "acme-web")]
    run = whole(run_here(several(server, *entries[::turn]), catalog=few))
    assert held(run) == complete
    assert run.activated >= {"repositories", "branches"}
    assert asked(server)["token:planted-access-acme-web", "acme"] == 1


def test_two_that_see_different_parts(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """What only one of two sees is named, and what is not read does not look deleted."""
    entries = [of_repository(people, "acme-web"), of_repository(people, "acme-api")]
    run = run_here(several(server, *entries, fail_on_skipped=True), catalog=few)
    assert run.code == 3, run.log
    assert {row["slug"] for row in run.rows("repositories")} == {"acme-web"}
    assert run.activated == set()
    (line,) = warnings(run, "must see the same")
    assert "acme-api sees 1 repositories of acme, 1 of which acme-web does not see" in line


def test_those_who_see_the_same_cost_a_request_each(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """Two credentials for a workspace are compared by a request each, and used in turn."""
    one, other = people.api_token("eve"), people.api_token("zoe")
    whole(run_here(several(server, one, workspaces=["acme"]), catalog=few))
    alone = sum(asked(server).values())
    server.clear_requests()
    whole(run_here(several(server, one, other, workspaces=["acme"]), catalog=few))
    assert sum(asked(server).values()) == alone + 2
    first, second = asked(server).values()
    assert abs(first - second) <= 2


def test_a_bound_one_beside_an_unbound_one(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """An unbound person asks about everything, the bound one about its workspace only."""
    entries = [people.access_token("acme", workspaces=["acme"]), people.api_token("eve")]
    run = whole(run_here(several(server, *entries), catalog=few))
    assert {row["slug"] for row in run.rows("workspaces")} == set(SLUGS)
    # Whether eve is needed in acme as well depends on how much she has to do in beta.
    assert set(asked(server)) - {(people.key("eve"), "acme")} == {
        ("token:planted-access-acme", "acme"),
        (people.key("eve"), "beta"),
        (people.key("eve"), ""),
    }


@pytest.mark.parametrize("named", ["nothing", "uuid"])
@pytest.mark.parametrize("beside", ["bound", "unbound"])
def test_bound_by_uuid(
    people: People, server: BitbucketServer, few: dict[str, Any], named: str, beside: str
) -> None:
    """A workspace that a credential is bound to by uuid is read under its slug."""
    uuid = people.world.workspace("acme").uuid
    entries = [
        people.api_token("ann", workspaces=[uuid.upper()]),
        people.api_token("bob", workspaces=["beta"])
        if beside == "bound"
        else people.api_token("eve"),
    ]
    settings = {"workspaces": [uuid, "beta"]} if named == "uuid" else {}
    run = whole(run_here(several(server, *entries, **settings), catalog=few))
    assert {row["slug"] for row in run.rows("workspaces")} == set(SLUGS)
    assert {row["workspace"] for row in run.rows("branches")} == set(SLUGS)
    places = {workspace for who, workspace in asked(server) if who == people.key("ann")}
    assert places <= {uuid, uuid.upper(), uuid.lower(), "acme"}
    assert "acme" in places
    assert not any(one.status >= 400 for one in server.requests)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_rows_are_those_of_two_runs(
    people: People, server: BitbucketServer, catalog: dict[str, Any], concurrency: int
) -> None:
    """A run over two workspaces holds what a run of each credential alone holds, and no more."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.api_token("bob", workspaces=["beta"]),
    ]
    config = several(server, *entries, concurrency=concurrency)
    both = whole(run_here(config, catalog=catalog))
    alone = [whole(run_here(several(server, entry), catalog=catalog)) for entry in entries]
    assert held(both) == held(alone[0]) | held(alone[1])
    assert held(both) - held(alone[0])
    assert all(both.counts[stream] for stream in STREAMS)


@pytest.mark.parametrize("bound", [True, False])
def test_the_order_is_the_same(
    people: People, server: BitbucketServer, catalog: dict[str, Any], bound: bool
) -> None:
    """Rows come in the same order from one worker and from eight, whoever asks."""
    entries = [people.api_token("zoe"), people.api_token("eve")]
    if bound:
        entries = [
            people.api_token("bob", workspaces=["beta"]),
            people.api_token("ann", workspaces=["acme"]),
            *entries,
        ]
    one, *others = (
        written(whole(run_here(several(server, *entries, concurrency=number), catalog=catalog)))
        for number in (1, 8, 8)
    )
    assert one
    assert all(other == one for other in others)


def test_from_the_environment(people: People, server: BitbucketServer, tmp_path: Path) -> None:
    """The list may be given as JSON in an environment variable."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.access_token("beta", workspaces=["beta"]),
    ]
    environment = {
        "TAP_BITBUCKET_CREDENTIALS": json.dumps(entries),
        "TAP_BITBUCKET_API_URL": server.api_url,
    }
    run = run_tap(None, tmp_path, arguments=["--config", "ENV"], environment=environment)
    assert run.code == 0, run.log
    assert {row["slug"] for row in run.rows("workspaces")} == set(SLUGS)
    assert {who for who, _ in asked(server)} == {people.key("ann"), "token:planted-access-beta"}
    for secret in secrets_of(*entries):
        assert secret not in run.log
        assert secret not in "\n".join(run.lines)


@pytest.mark.parametrize(
    "text",
    [
        '[{"access_token": "planted-hush"',
        '{"access_token": "planted-hush"}',
        "planted-hush",
        '["planted-hush"]',
    ],
)
def test_nonsense_in_the_environment(tmp_path: Path, text: str) -> None:
    """What is no list of objects is refused in one line that does not repeat it."""
    environment = {"TAP_BITBUCKET_CREDENTIALS": text}
    run = run_tap(None, tmp_path, arguments=["--config", "ENV"], environment=environment)
    assert run.code == 1
    assert "Traceback" not in run.log
    assert "hush" not in run.log
    assert "credentials" in run.log.lower()


# -- budgets ------------------------------------------------------------------------------------


def test_they_are_used_in_turn(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """Two people who see the same share the requests evenly."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    whole(run_here(several(server, *entries, workspaces=[*SLUGS], concurrency=1), catalog=few))
    counts = {
        name: sum(n for (who, _), n in asked(server).items() if who == people.key(name))
        for name in ("eve", "zoe")
    }
    assert sum(counts.values()) > 10
    assert abs(counts["eve"] - counts["zoe"]) <= 1


@pytest.mark.parametrize("first", ["eve", "zoe"])
@pytest.mark.parametrize("on_limit", ["wait", "stop"])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_other_goes_on(
    people: People,
    server: BitbucketServer,
    catalog: dict[str, Any],
    first: str,
    on_limit: str,
    concurrency: int,
) -> None:
    """When one has reached its limit the other reads the rest at once."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    config = several(
        server, *entries, workspaces=[*SLUGS], concurrency=concurrency, on_rate_limit=on_limit
    )
    complete = held(whole(run_here(config, catalog=catalog)))
    limits = Uneven()
    limits.of(people.key(first), 4)
    server.rate_limit = limits
    server.clear_requests()
    began = time.monotonic()
    run = whole(run_here({**config, "max_duration": 30}, catalog=catalog))
    assert time.monotonic() - began < 20
    assert held(run) == complete
    refused = [one for one in server.requests if one.status == 429]
    assert {one.identity for one in refused} == {people.key(first)}
    assert len(refused) <= concurrency
    assert len(warnings(run, f"Rate limit of {first}-entry")) == (on_limit == "wait")


def test_what_belongs_to_nobody_is_asked_by_the_other(
    people: People, server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """A list that is the same for everybody does not wait an hour for the first credential."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    limits = Uneven()
    limits.of(people.key("eve"), 1)
    server.rate_limit = limits
    chosen = only(select(catalog, "branches", "hook_events"), "branches", "hook_events")
    config = several(server, *entries, workspaces=["acme"], max_duration=4, concurrency=1)
    run = whole(run_here(config, catalog=chosen))
    assert run.counts["hook_events"]


def test_all_are_spent_and_the_earliest_is_waited_for(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """When all have reached their limits the run goes on as soon as one of them may."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    config = several(server, *entries, workspaces=[*SLUGS], concurrency=4)
    complete = held(whole(run_here(config, catalog=few)))
    limits = Uneven()
    limits.of(people.key("eve"), 3)
    limits.of(people.key("zoe"), 12, window=0.5)
    server.rate_limit = limits
    began = time.monotonic()
    run = whole(run_here({**config, "max_duration": 60}, catalog=few))
    assert 1 < time.monotonic() - began < 30
    assert held(run) == complete
    assert warnings(run, "eve-entry")
    assert warnings(run, "zoe-entry")


@pytest.mark.parametrize("concurrency", [1, 8])
def test_all_are_spent_and_the_run_ends(
    people: People, server: BitbucketServer, few: dict[str, Any], concurrency: int
) -> None:
    """With ``on_rate_limit: stop`` the run ends with its bookmarks, and the next ones go on."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    config = several(
        server,
        *entries,
        workspaces=[*SLUGS],
        on_rate_limit="stop",
        concurrency=concurrency,
        reconcile_every=0,
    )
    complete = tables()
    merge(complete, whole(run_here(config, catalog=few)))
    target, state, stops = tables(), None, 0
    for allowed in (3, 8, 12, 1000):
        limits = Uneven()
        for name in ("eve", "zoe"):
            limits.of(people.key(name), allowed)
        server.rate_limit = limits
        server.clear_requests()
        run = run_here(config, state=state, catalog=few)
        assert run.code == 0, run.log
        assert run.messages[-1]["type"] == "STATE"
        state = run.state
        merge(target, run)
        if "Stopped" in run.log:
            stops += 1
            (line,) = [line for line in run.log.splitlines() if "Stopped" in line]
            assert "eve-entry" in line
            assert "zoe-entry" in line
            answered = [one for one in server.requests if one.status == 200]
            assert len(answered) == 2 * allowed, "the second one was not used up"
    assert stops >= 2
    assert "Stopped" not in run.log
    assert content(target) == content(complete)


@pytest.mark.parametrize("kind", ["API tokens of one user", "users of one consumer", "two users"])
def test_who_is_counted_together(
    people: People, server: BitbucketServer, few: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    """A 429 for one pauses those that Bitbucket counts together with it, and no others."""
    if kind == "users of one consumer":
        one = people.signed_in("acme", "eve", name="one", token_file=str(tmp_path / "1.json"))
        seed = people.world.oauth.issue_refresh_token(one["client_id"], people.users["zoe"])
        two = {**one, "name": "two", "refresh_token": seed, "token_file": str(tmp_path / "2.json")}
        entries = [one, two]
    elif kind == "two users":
        entries = [people.api_token("eve"), people.api_token("zoe")]
    else:
        entries = [
            people.api_token("eve", name="one"),
            {
                **people.api_token("eve", token="planted-other", name="two"),
                "email": "Eve@people.example",
            },
        ]
        people.world.identities.add_api_token(
            "Eve@people.example", "planted-other", user=people.users["eve"]
        )
    limits = Uneven()
    for key in (people.key("eve"), people.key("zoe"), "consumer:consumer-acme"):
        limits.of(key, 3)
    server.rate_limit = limits
    config = several(server, *entries, workspaces=[*SLUGS], on_rate_limit="stop", concurrency=1)
    run = run_here(config, catalog=few)
    assert run.code == 0, run.log
    assert "Stopped" in run.log
    statuses = [one.status for one in server.requests if one.path.startswith("/2.0/")]
    alone = kind == "two users"
    assert statuses.count(429) == 1 + alone
    assert statuses.count(200) == 3 * (1 + alone)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_max_requests_counts_all(
    people: People, server: BitbucketServer, few: dict[str, Any], concurrency: int
) -> None:
    """The user's own limit is for all credentials together."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.api_token("bob", workspaces=["beta"]),
        people.api_token("eve"),
    ]
    config = several(server, *entries, max_requests=7, concurrency=concurrency)
    run = run_here(config, catalog=few)
    assert run.code == 0, run.log
    assert "max_requests (7)" in run.log
    assert len(server.requests) == 7
    assert "7 requests" in run.log


# -- one is refused -----------------------------------------------------------------------------


def dead_api_token(people: People) -> tuple[Settings, Callable[[], object], Callable[[], object]]:
    """Return an API token for acme, how it dies, and how it is good again."""
    entry = people.api_token("ann", workspaces=["acme"], name="for acme")
    return entry, lambda: people.revoke(entry), lambda: people.api_token("ann")


def dead_access_token(
    people: People,
) -> tuple[Settings, Callable[[], object], Callable[[], object]]:
    """Return an access token for acme, how it dies, and how it is good again."""
    entry = people.access_token("acme", workspaces=["acme"], name="for acme")
    return entry, lambda: people.revoke(entry), lambda: people.access_token("acme")


def dead_consumer(people: People) -> tuple[Settings, Callable[[], object], Callable[[], object]]:
    """Return client credentials for acme, how they die, and how they are good again."""
    people.world.oauth.clients.clear()
    app = people.users["ann"]
    entry = people.consumer("acme", workspaces=["acme"], name="for acme")
    client = people.world.oauth.clients["consumer-acme"]
    client.app_user = app

    def die() -> None:
        people.world.oauth.revoke_access_tokens()
        client.client_secret = "another"

    def live() -> None:
        client.client_secret = entry["client_secret"]

    return entry, die, live


DYING = [dead_api_token, dead_access_token, dead_consumer]


@pytest.mark.parametrize("dying", DYING)
@pytest.mark.parametrize("when", ["start", "/acme-api/refs/branches", "/acme-web/pullrequests"])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_others_go_on_without_it(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    dying: Callable[[People], Any],
    when: str,
    concurrency: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What only a dead credential could read is skipped for that run, and no row is lost by it."""
    # What was good before may be a lockout, for the end of which ten minutes are waited.
    monkeypatch.setattr("tap_bitbucket.auth.client_credentials.PAUSES", ())
    entry, die, live = dying(people)
    other = people.api_token("bob", workspaces=["beta"])
    config = several(server, entry, other, concurrency=concurrency, reconcile_every=0)
    target = tables()
    run = whole(run_here(config, catalog=few))
    merge(target, run)
    before = {workspace: bookmarks(run, workspace) for workspace in SLUGS}
    assert all(before.values())
    for slug in SLUGS:
        repo = people.world.repository(f"{slug}/{slug}-api")
        people.world.push(repo, "main", n=1)
        people.world.open_pull_request(repo, author=people.users["eve"])
    if when == "start":
        die()
    else:
        server.faults.add(Fault(when, action="callback", callback=die))
    server.clear_requests()
    dead = run_here(config, state=run.state, catalog=few)
    assert dead.code == 0, dead.log
    (line,) = errors(dead)
    assert "for acme" in line
    assert "401" in line or "unauthorized_client" in line
    assert not any(secret in dead.log for secret in secrets_of(entry, other))
    assert "skipped: " in dead.log
    merge(target, dead)
    assert dead.rows("commits"), "nothing was read in the other workspace"
    new = {row["workspace"] for row in dead.rows("pull_requests")}
    assert new == {"beta"} or when != "start"
    assert "beta" in new
    # It is not tried again and again.
    refused = [one for one in server.requests if one.status in {400, 401}]
    assert len(refused) <= 2 * concurrency
    if when == "start":
        assert bookmarks(dead, "acme") == before["acme"]
        assert not dead.activated
    live()
    server.faults.clear()
    again = whole(run_here(config, state=dead.state, catalog=few))
    merge(target, again)
    complete = tables()
    merge(complete, whole(run_here(config, catalog=few)))
    assert content(target) == content(complete)


def bookmarks(run: Run, workspace: str) -> dict[str, Any]:
    """Return all that a state holds about a workspace, by stream and repository."""
    return {
        f"{stream} {partition['context']}": {
            name: value for name, value in partition.items() if name != "context"
        }
        for stream, bookmark in run.state["bookmarks"].items()
        for partition in bookmark.get("partitions", [])
        if partition["context"].get("workspace") == workspace
    }


@pytest.mark.parametrize("when", ["start", "/acme-api/refs/branches", "/acme-web/pullrequests"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_another_takes_over(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    when: str,
    first: bool,
    concurrency: int,
) -> None:
    """A workspace that two serve is read whole when one of them dies."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    config = several(server, *entries, workspaces=[*SLUGS], concurrency=concurrency)
    complete = held(whole(run_here(config, catalog=few)))
    mortal = entries[0 if first else 1]
    if when == "start":
        people.revoke(mortal)
    else:
        server.faults.add(Fault(when, action="callback", callback=lambda: people.revoke(mortal)))
    run = whole(run_here(config, catalog=few))
    assert held(run) == complete
    # Whether the one that dies near the end has to ask once more is chance.
    lines = errors(run)
    assert len(lines) == 1 or (not lines and "pullrequests" in when)
    assert all(mortal["name"] in line for line in lines)


def test_a_dead_refresh_token(
    people: People, server: BitbucketServer, few: dict[str, Any], tmp_path: Path
) -> None:
    """A person whose sign-in has ended costs only what they alone could read."""
    dead = people.signed_in("acme", "ann", workspaces=["acme"], name="ann's sign-in")
    dead |= {"refresh_token": "planted-never-issued", "token_file": str(tmp_path / "1.json")}
    good = people.signed_in("beta", "bob", workspaces=["beta"])
    good["token_file"] = str(tmp_path / "2.json")
    run = run_here(several(server, dead, good, concurrency=4), catalog=few)
    assert run.code == 0, run.log
    (line,) = errors(run)
    assert "ann's sign-in" in line
    assert "sign in again" in line or "auth login" in line
    assert "planted" not in run.log
    assert {row["workspace"] for row in run.rows("branches")} == {"beta"}
    code = run_here(several(server, dead, good, fail_on_skipped=True), catalog=few).code
    assert code == 3


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_dead_one_among_unbound_people(
    people: People, server: BitbucketServer, few: dict[str, Any], concurrency: int
) -> None:
    """Who cannot even tell their workspaces costs no row, and keeps nobody else from reading."""
    entries = [people.api_token("ann"), people.api_token("bob")]
    config = several(server, *entries, concurrency=concurrency, reconcile_every=0)
    target = tables()
    run = whole(run_here(config, catalog=few))
    merge(target, run)
    before = content(target)
    people.revoke(entries[0])
    repo = people.world.repository("beta/beta-api")
    people.world.open_pull_request(repo, author=people.users["eve"])
    dead = run_here(config, state=run.state, catalog=few)
    assert dead.code == 0, dead.log
    (line,) = errors(dead)
    assert "ann-entry" in line
    assert dead.rows("pull_requests")
    merge(target, dead)
    after = content(target)
    for stream, table in before.items():
        assert table.keys() <= after[stream].keys(), f"{stream}: rows of acme look deleted"


@pytest.mark.parametrize("when", ["acme-web/refs/branches", "/hook_events/"])
def test_one_that_dies_before_what_belongs_to_nobody(
    people: People, server: BitbucketServer, catalog: dict[str, Any], when: str
) -> None:
    """A list that is the same for everybody is read by whoever is left."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    chosen = only(select(catalog, "branches", "hook_events"), "branches", "hook_events")
    config = several(server, *entries, workspaces=["acme"], concurrency=1)
    die = Fault(when, action="callback", callback=lambda: people.revoke(entries[0]))
    server.faults.add(die)
    run = whole(run_here(config, catalog=chosen))
    assert run.counts["hook_events"]
    assert run.counts["branches"] == 6


def test_all_are_refused(people: People, server: BitbucketServer, few: dict[str, Any]) -> None:
    """When nobody is left the run ends with one line that says so for each."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.access_token("beta", workspaces=["beta"]),
    ]
    for entry in entries:
        people.revoke(entry)
    run = run_here(several(server, *entries, concurrency=4), catalog=few)
    assert run.code == 1
    last = run.log.splitlines()[-1]
    assert "API token" in last
    assert "access_token" in last
    assert not any(secret in run.log for secret in secrets_of(*entries))
    assert len(errors(run)) <= 1, "each is told of once: the last one by the end of the run"
    assert len(server.requests) <= 8


def test_all_are_refused_in_the_command(
    people: People, server: BitbucketServer, tmp_path: Path
) -> None:
    """The command ends with code 1 and no traceback."""
    entries = [people.api_token("eve"), people.api_token("zoe")]
    for entry in entries:
        people.revoke(entry)
    run = run_tap(several(server, *entries, workspaces=["acme"]), tmp_path)
    assert run.code == 1
    assert "Traceback" not in run.log
    last = run.log.splitlines()[-1]
    assert "eve@people.example" in last
    assert "zoe@people.example" in last
    assert "planted" not in run.log


# -- what one may not ---------------------------------------------------------------------------

NO_REQUESTS = [
    "read:user:bitbucket",
    "read:workspace:bitbucket",
    "read:project:bitbucket",
    "read:repository:bitbucket",
]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("concurrency", [1, 8])
def test_the_other_has_the_scope(
    people: People, server: BitbucketServer, few: dict[str, Any], first: bool, concurrency: int
) -> None:
    """A list that one lacks the scope for is read by the other, and nobody is warned."""
    entries = [people.api_token("eve", scopes=NO_REQUESTS), people.api_token("zoe")]
    entries = entries if first else entries[::-1]
    config = several(server, *entries, workspaces=[*SLUGS], concurrency=concurrency)
    run = whole(run_here(config, catalog=few))
    assert run.counts["pull_requests"] == 4
    assert not warnings(run, "scope")
    refused = [one for one in server.requests if one.status == 403]
    assert all(one.identity == people.key("eve") for one in refused)
    assert len(refused) <= concurrency
    assert len(refused) <= 1 or concurrency > 1


def test_the_other_may(people: People, server: BitbucketServer, catalog: dict[str, Any]) -> None:
    """A list that takes an administrator is read by the one who is."""
    max_, world = people.world.add_user("max", email="max@people.example"), people.world
    people.users["max"] = max_
    world.add_member("acme", max_, "member")
    entries = [people.api_token("max"), people.api_token("zoe")]
    chosen = only(select(catalog, "repository_hooks"), "repository_hooks")
    run = whole(run_here(several(server, *entries, workspaces=["acme"]), catalog=chosen))
    assert run.counts["repository_hooks"] == 2


@pytest.mark.parametrize("first", [True, False])
def test_neither_may_everywhere(
    people: People, server: BitbucketServer, catalog: dict[str, Any], first: bool
) -> None:
    """One without the scope does not keep the other from what it may read elsewhere."""
    max_, world = people.world.add_user("max", email="max@people.example"), people.world
    people.users["max"] = max_
    world.add_member("acme", max_, "member")
    world.set_permission("acme/acme-web", max_, "admin")
    entries = [people.api_token("max"), people.api_token("zoe", scopes=NO_REQUESTS)]
    entries = entries if first else entries[::-1]
    chosen = only(select(catalog, "repository_hooks"), "repository_hooks")
    config = several(server, *entries, workspaces=["acme"], concurrency=1)
    run = run_here(config, catalog=chosen)
    assert {row["repository"] for row in run.rows("repository_hooks")} == {"acme-web"}
    assert run.code == 0, run.log


def test_a_scope_that_one_workspace_lacks(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """What the credential of one workspace may not is read in the other workspace."""
    entries = [
        people.api_token("ann", workspaces=["acme"], scopes=NO_REQUESTS),
        people.api_token("bob", workspaces=["beta"]),
    ]
    run = run_here(several(server, *entries, concurrency=1), catalog=few)
    assert run.code == 0, run.log
    assert {row["workspace"] for row in run.rows("pull_requests")} == {"beta"}
    assert {row["workspace"] for row in run.rows("branches")} == set(SLUGS)
    refused = [one for one in server.requests if one.status == 403]
    assert [workspace_of(one) for one in refused] == ["acme"]
    (line,) = warnings(run, "lacks")
    assert "ann-entry" in line
    assert "pull_requests" in line
