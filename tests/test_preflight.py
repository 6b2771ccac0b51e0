"""The scope preflight: what a credential may not read is said before the lists are asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tap_bitbucket import preflight as module
from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import BitbucketServer, application
from tap_bitbucket.demo.identity import OAUTH_SCOPES, TOKEN_SCOPES, Identity
from tap_bitbucket.demo.routing import find
from tap_bitbucket.preflight import missing
from tests.catalogs import only
from tests.support import Run, refusal, run_here, run_tap, select
from tests.truth import ALL_STREAMS
from tests.two_workspaces import People, Settings, asked, secrets_of, several

STREAMS = ("repositories", "branches", "pull_requests", "pipelines", "pipeline_steps")
OAUTH = ("account", "repository")
TOKEN = ("read:user:bitbucket", "read:workspace:bitbucket", "read:repository:bitbucket")
KINDS = ["signed_in", "consumer", "access_token", "api_token"]
KNOWN_AT_ONCE = KINDS[:2]


@pytest.fixture
def people() -> People:
    """Make two workspaces, and those who may look into them."""
    made = People()
    app = made.world.add_user("app", "app")
    for slug in ("acme", "beta"):
        made.world.add_member(slug, app, "owner")
    made.users["app"] = app
    return made


@pytest.fixture
def server(people: People) -> Iterator[BitbucketServer]:
    """Serve them."""
    with BitbucketServer(people.world) as served:
        yield served


@pytest.fixture
def few(catalog: dict[str, Any]) -> dict[str, Any]:
    """Return a catalog of a few streams, in which all are selected."""
    return only(select(catalog, *STREAMS), *STREAMS)


def entry_of(people: People, kind: str, folder: Path, scopes: Any = None) -> Settings:
    """Return an entry of a kind for acme, by default without pull requests and pipelines."""
    given = scopes if scopes is not None else (TOKEN if kind == "api_token" else OAUTH)
    if kind == "api_token":
        return people.api_token("ann", scopes=given)
    if kind == "access_token":
        return people.access_token("acme", scopes=given)
    if kind == "consumer":
        made = people.consumer("acme", scopes=given)
        people.world.oauth.clients["consumer-acme"].app_user = people.users["app"]
        return {**made, "name": "acme-app"}
    return {
        **people.signed_in("acme", "ann", scopes=given),
        "name": "ann-in-person",
        "token_file": str(folder / "kept.json"),
    }


def api_requests(server: BitbucketServer) -> list[Any]:
    """Return the requests for anything but a token."""
    return [one for one in server.requests if one.path.startswith("/2.0/")]


def warned(run: Run) -> list[str]:
    """Return the warnings about scopes."""
    lines = [line for line in run.log.splitlines() if line.startswith("WARNING")]
    return [line for line in lines if "lack" in line and not line.startswith("WARNING Skipped")]


def skipped(run: Run) -> set[str]:
    """Return the streams that the summary says were skipped."""
    return set(re.findall(r"^skipped: (\w+) of", run.log, re.MULTILINE))


# -- which scopes -------------------------------------------------------------------------------

PATHS = {name: stream.path for name, stream in REGISTRY.items() if stream.path}


def needed_of(name: str, kind: str) -> set[str]:
    """Return the scopes that the stand-in asks for, which are those of Bitbucket's description."""
    path = re.sub(r"\{subject_type\}", "repository", PATHS[name])
    path = re.sub(r"\{\w+\}", "x", path)
    route, _ = find("GET", path, strict_slash=False)
    return set(() if route.public else route.scopes.needed_by(kind))


@pytest.mark.parametrize("name", sorted(PATHS))
@pytest.mark.parametrize(("kind", "every"), [("api_token", TOKEN_SCOPES), ("oauth", OAUTH_SCOPES)])
def test_what_a_stream_needs(name: str, kind: str, every: tuple[str, ...]) -> None:
    """Without any one of the scopes, those streams lack it that Bitbucket would refuse."""
    needed = needed_of(name, kind)
    assert missing(REGISTRY[name], every) == []
    for one in every:
        granted = [scope for scope in every if scope != one]
        has = Identity(kind, "somebody", tuple(granted)).has
        assert set(missing(REGISTRY[name], granted)) == {s for s in needed if not has(s)}, one
    if needed:
        nothing = ["read:nothing:bitbucket"] if kind == "api_token" else ["nothing"]
        assert set(missing(REGISTRY[name], nothing)) == needed


@pytest.mark.parametrize(
    ("granted", "lacks"),
    [
        (["pullrequest"], []),
        (["project"], []),
        (["repository:write"], []),
        (["pullrequest:write"], []),
        (["repository:admin"], ["repository"]),
        (["project:admin"], ["repository"]),
        (["account"], ["repository"]),
        (["repository:delete", "webhook", "pipeline:variable"], ["repository"]),
        (["read:pullrequest:bitbucket"], ["read:repository:bitbucket"]),
        (["read:project:bitbucket", "admin:repository:bitbucket"], ["read:repository:bitbucket"]),
        (["write:repository:bitbucket"], ["read:repository:bitbucket"]),
        (["read:repository:bitbucket"], []),
    ],
)
def test_what_brings_what_along(granted: list[str], lacks: list[str]) -> None:
    """Some OAuth scopes imply others; those of administrators and of API tokens imply nothing."""
    assert missing(REGISTRY["branches"], granted) == lacks


# -- fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KNOWN_AT_ONCE)
@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("several_times", [False, True])
def test_it_fails_before_the_first_list(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    tmp_path: Path,
    kind: str,
    concurrency: int,
    several_times: bool,
) -> None:
    """What a token response tells ends the run before anything is asked, each time it is run."""
    entry = entry_of(people, kind, tmp_path)
    config = several(
        server, entry, workspaces=["acme"], concurrency=concurrency, on_missing_scope="fail"
    )
    for _ in range(1 + several_times):
        run = run_here(config, catalog=few)
        assert run.code == 1, run.log
        assert api_requests(server) == []
        last = run.log.splitlines()[-1]
        for word in ("pullrequest for pull_requests", "pipeline for pipelines and pipeline_steps"):
            assert word in last
        assert "on_missing_scope" in last
        assert "repositories" not in last
        assert not run.rows("repositories")
        assert not any(secret in run.log for secret in secrets_of(entry))


def test_it_fails_before_the_first_list_of_any_worker(
    people: People,
    server: BitbucketServer,
    catalog: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No worker goes ahead with its list while another compares the scopes."""
    lacking = module.lacking

    def slow(*what: Any) -> Any:
        time.sleep(0.3)
        return lacking(*what)

    monkeypatch.setattr(module, "lacking", slow)
    config = several(
        server,
        entry_of(people, "consumer", tmp_path),
        workspaces=["acme"],
        on_missing_scope="fail",
    )
    run = run_here(config, catalog=catalog)
    assert run.code == 1
    assert api_requests(server) == []


@pytest.mark.parametrize("kind", ["access_token", "api_token"])
def test_it_fails_after_the_first_answer(
    people: People, server: BitbucketServer, few: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    """What the first answer tells ends the run there."""
    entry = entry_of(people, kind, tmp_path)
    config = several(server, entry, workspaces=["acme"], concurrency=1, on_missing_scope="fail")
    run = run_here(config, catalog=few)
    assert run.code == 1
    assert len(api_requests(server)) == 1
    last = run.log.splitlines()[-1]
    assert entry["name"] in last
    suffix, read = (":bitbucket", "read:") if kind == "api_token" else ("", "")
    for stream in ("pullrequest", "pipeline"):
        assert f"{read}{stream}{suffix} for {stream.replace('pullr', 'pull_r')}s" in last
    assert not any(secret in run.log for secret in secrets_of(entry))


def test_the_command_fails_with_one_line(
    people: People, server: BitbucketServer, tmp_path: Path
) -> None:
    """The command ends with code 1, and with one line without a traceback."""
    entry = entry_of(people, "consumer", tmp_path)
    del entry["name"]
    config = several(server, workspaces=["acme"], on_missing_scope="fail") | entry
    said = refusal(run_tap(config, tmp_path))
    for stream in ("pull_requests", "pull_request_activity", "projects", "deployments"):
        assert stream in said
    for stream in ("repositories", "branches", "snippets", "pipeline_runners"):
        assert stream not in said
    assert entry["client_secret"] not in said


@pytest.mark.parametrize("concurrency", [1, 8])
def test_it_fails_before_anybody_asks(
    people: People, server: BitbucketServer, few: dict[str, Any], tmp_path: Path, concurrency: int
) -> None:
    """The second credential's token is fetched ahead of the first one's lists, too."""
    good = people.consumer("beta", workspaces=["beta"])
    people.world.oauth.clients["consumer-beta"].app_user = people.users["app"]
    bad = {**entry_of(people, "consumer", tmp_path), "workspaces": ["acme"]}
    config = several(server, good, bad, concurrency=concurrency, on_missing_scope="fail")
    run = run_here({**config, "workspaces": ["beta", "acme"]}, catalog=few)
    assert run.code == 1
    assert "acme-app" in run.log.splitlines()[-1]
    assert api_requests(server) == []


# -- skip ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_it_warns_and_goes_on(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    tmp_path: Path,
    kind: str,
    concurrency: int,
) -> None:
    """One warning names streams and scopes; all others are read, each refused one asked once."""
    entry = entry_of(people, kind, tmp_path)
    config = several(server, entry, workspaces=["acme"], concurrency=concurrency)
    run = run_here(config, catalog=few)
    assert run.code == 0, run.log
    (line,) = warned(run)
    for stream in ("pull_requests", "pipelines", "pipeline_steps"):
        assert stream in line
    assert "repositories" not in line
    assert "branches" not in line
    assert not any(secret in run.log for secret in secrets_of(entry))
    assert run.counts["branches"] == 6
    assert skipped(run) == {"pull_requests", "pipelines", "pipeline_steps"}
    refused = [one for one in server.requests if one.status == 403]
    assert len(refused) == 2, [str(one) for one in refused]
    order = run.log.splitlines()
    first = next(n for n, text in enumerate(order) if text.startswith("WARNING Skipped"))
    assert order.index(line) < first


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("on_missing", ["skip", "fail"])
def test_nothing_is_said_when_nothing_lacks(
    people: People,
    server: BitbucketServer,
    catalog: dict[str, Any],
    tmp_path: Path,
    kind: str,
    on_missing: str,
) -> None:
    """A credential with what the selected streams need is not spoken of."""
    scopes = OAUTH_SCOPES if kind != "api_token" else TOKEN_SCOPES
    entry = entry_of(people, kind, tmp_path, scopes)
    run = run_here(
        several(server, entry, workspaces=["acme"], on_missing_scope=on_missing), catalog=catalog
    )
    assert run.code == 0, run.log
    assert not warned(run)
    assert run.counts["pull_requests"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_selected_counts(
    people: People, server: BitbucketServer, catalog: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    """Streams that are not selected are not spoken of, unless they are read for one that is."""
    entry = entry_of(people, kind, tmp_path)
    config = several(server, entry, workspaces=["acme"], on_missing_scope="fail")
    run = run_here(config, catalog=select(catalog, "branches", "repositories", "commits"))
    assert run.code == 0, run.log
    assert not warned(run)
    run = run_here(config, catalog=select(catalog, "branches", "pipeline_steps"))
    last = run.log.splitlines()[-1]
    assert run.code == 1
    assert "pipeline_steps" in last
    assert "pipelines" in last
    assert "pull_requests" not in last
    assert "pipeline_test" not in last


@pytest.mark.parametrize("kind", ["access_token", "api_token"])
@pytest.mark.parametrize("on_missing", ["skip", "fail"])
def test_answers_that_do_not_tell(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    tmp_path: Path,
    kind: str,
    on_missing: str,
) -> None:
    """Without the headers nothing is said ahead; what Bitbucket refuses is skipped."""
    finish = application._finish

    def silent(*what: Any) -> Any:
        made = finish(*what)
        for name in ("X-OAuth-Scopes", "X-Accepted-OAuth-Scopes", "X-Credential-Type"):
            made.headers.pop(name, None)
        return made

    entry = entry_of(people, kind, tmp_path)
    config = several(server, entry, workspaces=["acme"], on_missing_scope=on_missing, concurrency=1)
    with mock.patch.object(application, "_finish", silent):
        run = run_here(config, catalog=few)
    assert not warned(run)
    if on_missing == "fail":  # at the first list that is really refused
        assert run.code == 1
        assert run.counts["branches"] > 0, "what comes before was not read"
        assert "privilege scopes" in run.log.splitlines()[-1]
    else:
        assert run.code == 0, run.log
        assert run.counts["branches"] == 6, "what may be read was not read"
        assert skipped(run) == {"pull_requests", "pipelines", "pipeline_steps"}


@pytest.mark.parametrize("kind", ["access_token", "api_token"])
def test_answers_that_do_not_tell_fail_nothing(
    people: People, server: BitbucketServer, few: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    """That nothing is known about scopes is no reason to end a run."""
    finish = application._finish

    def silent(*what: Any) -> Any:
        made = finish(*what)
        made.headers["X-OAuth-Scopes"] = ""
        return made

    scopes = TOKEN_SCOPES if kind == "api_token" else OAUTH_SCOPES
    entry = entry_of(people, kind, tmp_path, scopes)
    config = several(server, entry, workspaces=["acme"], on_missing_scope="fail")
    with mock.patch.object(application, "_finish", silent):
        run = run_here(config, catalog=few)
    assert run.code == 0, run.log
    assert run.counts["pull_requests"] == 2


def test_the_description_may_be_wrong(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stream that is thought to lack a scope is asked for all the same."""
    monkeypatch.setattr(REGISTRY["branches"], "scope", "webhook")
    entry = entry_of(people, "consumer", tmp_path)
    run = run_here(several(server, entry, workspaces=["acme"]), catalog=few)
    (line,) = warned(run)
    assert "branches" in line
    assert run.counts["branches"] == 6
    assert "branches" not in skipped(run)


def test_every_scope_of_every_stream(
    people: People, server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """Of all streams, those are named that are refused for a missing scope."""
    entry = people.api_token("ann", scopes=["read:repository:bitbucket", "read:user:bitbucket"])
    config = several(server, entry, workspaces=["acme"], concurrency=1)
    run = run_here(config, catalog=select(catalog, *ALL_STREAMS))
    (line,) = warned(run)
    named = {name for name in ALL_STREAMS if re.search(rf"\b{name}\b", line)}
    reasons = re.findall(r"^skipped: (\w+) of .*privilege scopes", run.log, re.MULTILINE)
    assert set(reasons) <= named
    assert {"pull_requests", "projects", "snippets", "pipelines", "workspaces"} <= named
    assert not {"repositories", "branches", "commits", "current_user"} & named


# -- several credentials ------------------------------------------------------------------------


def test_each_is_named_with_what_it_lacks(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """Two credentials for two workspaces are spoken of singly, each once."""
    entries = [
        people.api_token("ann", scopes=TOKEN, workspaces=["acme"]),
        people.api_token("bob", scopes=[*TOKEN, "read:pipeline:bitbucket"], workspaces=["beta"]),
    ]
    run = run_here(several(server, *entries), catalog=few)
    by_name = {line.split()[1]: line for line in warned(run)}
    assert set(by_name) == {"ann-entry", "bob-entry"}
    assert len(warned(run)) == 2
    assert "pipelines" in by_name["ann-entry"]
    assert "pipelines" not in by_name["bob-entry"]
    assert "pull_requests" in by_name["bob-entry"]


@pytest.mark.parametrize("on_missing", ["skip", "fail"])
@pytest.mark.parametrize("bound", [(), ("acme",)])
def test_what_another_may_read_is_not_lacking(
    people: People,
    server: BitbucketServer,
    few: dict[str, Any],
    on_missing: str,
    bound: tuple[str, ...],
) -> None:
    """What one of those who serve a workspace may read there is read, and nobody is warned."""
    entries = [
        people.api_token("eve", scopes=TOKEN, workspaces=list(bound)),
        people.api_token("zoe"),
    ]
    config = several(server, *entries, workspaces=["acme", "beta"], on_missing_scope=on_missing)
    run = run_here(config, catalog=few)
    assert run.code == 0, run.log
    assert not warned(run)
    assert not skipped(run)
    assert run.counts["pull_requests"] == 4


@pytest.mark.parametrize("first", [True, False])
def test_people_who_are_asked_for_their_workspaces(
    people: People, server: BitbucketServer, few: dict[str, Any], first: bool
) -> None:
    """Who finds out only in the run what there is to read is checked as well."""
    entries = [people.api_token("ann", scopes=TOKEN), people.api_token("bob")]
    entries = entries if first else entries[::-1]
    run = run_here(several(server, *entries, concurrency=1), catalog=few)
    assert run.code == 0, run.log
    assert {row["workspace"] for row in run.rows("pull_requests")} == {"beta"}
    (line,) = warned(run)
    assert "ann-entry" in line
    assert "bob-entry" not in line
    assert "pull_requests" in line


def test_the_one_with_the_scope_is_dead(
    people: People, server: BitbucketServer, few: dict[str, Any]
) -> None:
    """What only a credential out of use could read is spoken of."""
    entries = [people.api_token("eve", scopes=TOKEN), people.api_token("zoe")]
    people.revoke(entries[1])
    config = several(server, *entries, workspaces=["acme"], concurrency=1)
    run = run_here(config, catalog=few)
    assert run.code == 0, run.log
    assert skipped(run) == {"pull_requests", "pipelines", "pipeline_steps"}
    (line,) = warned(run)
    assert "eve-entry" in line


def test_what_belongs_to_a_person_counts_for_who_asks(
    people: People, server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """A credential for a workspace needs no scope for what the first one is asked."""
    entries = [
        people.api_token("ann", workspaces=["acme"]),
        people.api_token("bob", workspaces=["beta"], scopes=TOKEN[1:]),
    ]
    chosen = only(select(catalog, "branches", "current_user"), "branches", "current_user")
    run = run_here(several(server, *entries, on_missing_scope="fail"), catalog=chosen)
    assert run.code == 0, run.log
    assert run.counts["current_user"] == 1
    assert asked(server)[people.key("bob"), "beta"]
    assert not warned(run)
