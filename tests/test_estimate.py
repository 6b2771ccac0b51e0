"""`tap-bitbucket estimate` tells what a pass will cost, from a few requests."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.cli import main
from tap_bitbucket.client import REGISTRY
from tap_bitbucket.demo import EXAMPLE_WORKSPACE, BitbucketServer, Fault, RateLimit
from tap_bitbucket.demo.example.large import large_world
from tests.estimating import Estimating, Real, Told, asked, near, really, write
from tests.support import api_token_config, select
from tests.two_workspaces import People, secrets_of, several


@pytest.fixture
def estimate(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Estimating]:
    """Return a function that runs the command in this process and in an empty folder."""
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    loggers = logging.root.handlers[:], logging.root.level

    def run(config: Mapping[str, Any], *arguments: str, form: str = "json") -> Told:
        capfd.readouterr()
        code = 0
        try:
            main(["estimate", "--config", write(config), "--format", form, *arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            logging.root.handlers[:], logging.root.level = loggers
        return Told(code, *capfd.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def compare(told: Told, real: Real, *, each: bool = True) -> None:
    """See that an estimate is near: in total within a tenth, of each stream within a quarter."""
    for kind, counted in (("first", real.first), ("idle", real.idle)):
        assert near(told.json["requests"][kind], sum(counted.values()), 0.1), (kind, counted)
        for name, line in told.streams.items() if each else ():
            figure = line["requests"][kind]
            assert near(figure, counted[name], 0.25, at_least=10), (kind, name, counted[name])


# -- how near it is -----------------------------------------------------------------------------


def test_the_example_world(estimate: Estimating, server: BitbucketServer) -> None:
    """What is estimated for the streams that are on is what a run asks, stream by stream."""
    config = api_token_config(server)
    told = estimate(config)
    compare(told, really(server, config))
    assert told.json["repositories"] == {"read": 7, "looked_at": 7}


def test_every_stream_is_estimated(
    estimate: Estimating, server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """Each registered stream has its line; all together are what a run of all asks."""
    config = api_token_config(server)
    chosen = select(catalog, *REGISTRY)
    told = estimate(config, "--catalog", write(chosen, "catalog.json"))
    assert set(told.streams) == set(REGISTRY)
    real = really(server, config, chosen)
    compare(told, real, each=False)
    for name, line in told.streams.items():
        assert line["rows"] or not real.run.counts[name], f"{name} has rows"
        assert line["requests"]["first"] or not real.first[name], f"{name} takes requests"
        assert line["requests"]["first"] <= 2 * real.first[name] + 40, f"{name} takes too many"


def test_a_large_world(estimate: Estimating) -> None:
    """With all repositories looked at, an estimate is near whatever is in them."""
    world = large_world(20, 1000, 4000, pipelines=500)
    with BitbucketServer(world) as server:
        config = api_token_config(server)
        told = estimate(config, "--sample", "20")
        compare(told, really(server, config))


def test_a_sample_of_uneven_repositories(estimate: Estimating) -> None:
    """Ten of sixty repositories, of which few have most, tell the order of it, and how sure."""
    world = large_world(60, 900, 3000, pipelines=600, skew=1.0)
    with BitbucketServer(world) as server:
        config = api_token_config(server)
        told = estimate(config)
        assert len(server.requests) == told.json["asked"] <= told.bound + 2
        assert told.json["repositories"] == {"read": 60, "looked_at": 10}
        real = sum(really(server, config).first.values())
    figures = told.json["requests"]
    assert real / 2 <= figures["first"] <= real * 2
    assert figures["low"] < figures["first"] < figures["high"]
    assert figures["extrapolated"]


def test_start_date_counts(estimate: Estimating, server: BitbucketServer) -> None:
    """What is older than the first pass goes is not counted."""
    since = datetime.now(timezone.utc) - timedelta(days=30)
    config = api_token_config(server, start_date=since.isoformat())
    told, whole = estimate(config), estimate(api_token_config(server))
    compare(told, really(server, config))
    for name in ("pull_requests", "commits", "pipelines"):
        assert told.streams[name]["rows"] < whole.streams[name]["rows"]


# -- what it counts -----------------------------------------------------------------------------


def test_the_settings_choose(estimate: Estimating, server: BitbucketServer) -> None:
    """Only what the settings choose is counted: names, projects, a query, a shard."""

    def read(**settings: Any) -> int:
        told = estimate(api_token_config(server, **settings), "--sample", "0")
        count: int = told.json["repositories"]["read"]
        assert told.streams["repositories"]["rows"] == count
        return count

    total = read()
    assert read(repositories=[f"{EXAMPLE_WORKSPACE}/web-portal"]) == 1
    assert read(exclude_repositories=["*/web-portal"]) == total - 1
    assert 0 < read(projects=["OPS"]) < total
    assert read(repository_query='name ~ "portal"') < total
    assert read(shard="0/2") + read(shard="1/2") == total


def test_the_catalog_chooses(
    estimate: Estimating, server: BitbucketServer, catalog: dict[str, Any]
) -> None:
    """Only selected streams are counted, and those that they need, which are named as such."""
    file = write(select(catalog, "pull_request_tasks"), "catalog.json")
    told = estimate(api_token_config(server), "--catalog", file)
    selected = {name for name, line in told.streams.items() if line["selected"]}
    assert selected == {"pull_request_tasks"}
    assert set(told.streams) - selected == {"workspaces", "repositories", "pull_requests"}
    assert set(asked(server)) == {"repositories", "pull_requests"}
    text = estimate(api_token_config(server), "--catalog", file, form="text").out
    assert "pull_requests *" in text
    assert "* not selected, but others need it." in text


def test_no_sample(estimate: Estimating, server: BitbucketServer) -> None:
    """Without a sample no repository is asked about, and the least is told."""
    told = estimate(api_token_config(server), "--sample", "0")
    paths = [one.path for one in server.requests]
    assert paths
    assert not [path for path in paths if path.count("/") > 3 and "/repositories/" in path]
    assert told.json["requests"]["at_least"]
    assert told.streams["pull_requests"]["requests"]["first"] == 7
    assert told.streams["branches"]["requests"]["first"] == 6  # one repository is empty


def test_a_database_schema_per_repository(estimate: Estimating, server: BitbucketServer) -> None:
    """The layout per repository costs what it costs, discovery too."""
    config = api_token_config(server, layout="per_repository")
    told = estimate(config)
    assert told.streams["(discovery)"]["requests"]["first"] > 0
    compare(told, really(server, config), each=False)


# -- who asks -----------------------------------------------------------------------------------


def test_each_kind_of_credential(estimate: Estimating) -> None:
    """It works with each way to sign in, alone and together, and shows no secret."""
    people = People()
    entries = [
        people.api_token("eve"),
        people.access_token("acme", workspaces=["acme"]),
        people.consumer("acme", workspaces=["acme"]),
        people.signed_in("beta", "bob", workspaces=["beta"]),
    ]
    with BitbucketServer(people.world) as server:
        for chosen in ([one] for one in entries):
            config = several(server, *chosen)
            told = estimate(config)
            assert told.json["identities"] == 1, told.log
        config = several(server, *entries)
        told = estimate(config)
        text = estimate(config, form="text")
    assert told.json["identities"] == 4
    assert told.json["requests_an_hour"] == 4000
    assert "at 4,000 requests an hour with 4 identities" in text.out
    for secret in secrets_of(*entries):
        assert secret not in told.out + told.log + text.out + text.log


def test_a_workspace_has_its_own_allowance(estimate: Estimating) -> None:
    """Allowances that are for different workspaces do not make one of these any faster."""
    people = People()
    ann = people.api_token("ann", workspaces=["acme"])
    bob = people.api_token("bob", workspaces=["beta"])
    with BitbucketServer(people.world) as server:
        config = several(server, ann, bob)
        uneven = {**config, "exclude_repositories": ["beta/*"]}
        both, one = estimate(config).json, estimate(uneven).json
    assert both["hours"]["first"] == pytest.approx(both["requests"]["first"] / 2000, abs=0.01)
    assert one["hours"]["first"] > one["requests"]["first"] / 2000 + 0.004


def test_the_limit_that_answers_tell(estimate: Estimating, server: BitbucketServer) -> None:
    """What an answer says about the limit counts, not what is usual."""
    server.rate_limit = RateLimit(limit=5000, headers="remaining")
    told = estimate(api_token_config(server))
    assert told.json["requests_an_hour"] == 5000


# -- what goes wrong ----------------------------------------------------------------------------


def test_what_is_refused_is_named(estimate: Estimating) -> None:
    """A stream that lacks its scope is named with the reason; a run asks for it once."""
    people = People()
    scopes = ("read:user:bitbucket", "read:workspace:bitbucket", "read:repository:bitbucket")
    with BitbucketServer(people.world) as server:
        config = several(server, people.api_token("zoe", scopes=scopes))
        told = estimate(config)
        text = estimate(config, form="text").out
        compare(told, really(server, config))
    refused = told.streams["pull_requests"]
    assert refused["refused"] == 4
    assert "read:pullrequest:bitbucket" in refused["reason"]
    assert told.streams["branches"]["rows"] > 0
    assert "Refused in 4 of 4: pull_requests: GET /repositories/" in text
    assert "and with it: pull_request_participants" in text


def test_a_repository_that_is_refused(estimate: Estimating, server: BitbucketServer) -> None:
    """A list that one repository does not give costs nothing but itself."""
    server.faults.add(Fault("/web-portal/refs/branches", status=403, times=10))
    told = estimate(api_token_config(server))
    assert told.streams["branches"]["refused"] == 1
    assert told.streams["branches"]["requests"]["first"] == 6
    assert told.streams["commits"]["refused"] == 0


def test_a_spent_limit_ends_it(estimate: Estimating, server: BitbucketServer) -> None:
    """It does not wait for the next hour: it tells what it knows, and that this is not all."""
    server.rate_limit = RateLimit(limit=30)
    told = estimate(api_token_config(server), form="text")
    assert told.code == 0, told.log
    assert "Not all was asked that was to be: the rate limit is spent." in told.out
    assert "+ at least" in told.out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"workspaces": ["nowhere"]}, "There is no workspace 'nowhere'"),
        ({"api_token": "planted-secret"}, "HTTP 401"),
        ({"concurrency": 0}, "Setting 'concurrency'"),
    ],
)
def test_what_cannot_go_on_is_one_line(
    estimate: Estimating, server: BitbucketServer, settings: dict[str, Any], said: str
) -> None:
    """What ends it is said in one line, which shows no secret."""
    told = estimate(api_token_config(server, **settings))
    assert told.code == 1
    assert said in told.log
    assert told.out == ""
    assert len([line for line in told.log.splitlines() if "ERROR" in line]) == 1
    assert "Traceback" not in told.log
    assert "planted-secret" not in told.log


def test_a_catalog_that_is_none(estimate: Estimating, server: BitbucketServer) -> None:
    """What is no catalog is said to be none, before anything is asked."""
    told = estimate(api_token_config(server), "--catalog", write("[]", "catalog.json"))
    assert told.code == 1
    assert "catalog" in told.log
    assert not server.requests


# -- how it is told -----------------------------------------------------------------------------


def test_it_says_the_same_twice(estimate: Estimating) -> None:
    """Whichever request is answered first, the estimate is the same."""
    with BitbucketServer(large_world(30, 200, 600, pipelines=100)) as server:
        config = api_token_config(server)
        assert estimate(config).out == estimate({**config, "concurrency": 1}).out


def test_the_table(estimate: Estimating) -> None:
    """A person is told stream by stream, and in sentences what it comes to."""
    with BitbucketServer(large_world(30, 300, 900, pipelines=200)) as server:
        told = estimate(api_token_config(server), form="text")
    lines = told.out.splitlines()
    assert lines[0].split() == "stream lists rows first run span when idle".split()  # noqa: SIM905
    assert {line.split()[0] for line in lines if line} >= {
        "repositories",
        "pipeline_steps",
        "total",
    }
    assert "~ extrapolated: 10 of 30 repositories were looked at" in told.out
    assert "at 1,000 requests an hour with 1 identity" in told.out
    assert "Most of it: pipeline_steps (" in told.out
    assert "What leaving one out would save: pipeline_steps (" in told.out
