"""Secrets stay inside: what Bitbucket's answers give away about pipelines, hooks and keys."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tap_bitbucket.demo import Fault
from tap_bitbucket.demo.application import Application, Incoming, Outgoing
from tests.catalogs import only
from tests.furniture import furnish
from tests.places import discover
from tests.story import Story, story_of
from tests.support import PROJECT, api_token_config, command, run_here, run_tap, select
from tests.truth import ALL_STREAMS

DEBUG = {"LOGLEVEL": "DEBUG", "TAP_BITBUCKET_LOGLEVEL": "DEBUG"}

IMAGE = {
    "name": "registry.example/build:1",
    "username": "planted-registry-user",
    "password": "planted-registry-password",
    "email": "planted@registry.example",
    "aws": {
        "access_key": "planted-aws-key",
        "access-key": "planted-aws-key-with-a-hyphen",
        "secret_key": "planted-aws-secret",
        "secret-key": "planted-aws-secret-with-a-hyphen",
        "oidc_role": "planted-aws-role",
    },
}

VARIABLES = [
    {"key": "TOKEN", "value": "planted-secured-variable", "secured": True},
    {"key": "REGION", "value": "planted-plain-variable", "secured": False},
]


MAIL, TOKEN = "ann@example.com", "planted-api-token"


class Leaky:
    """A Bitbucket whose answers hold every secret that one of them may hold.

    Attributes:
        sent: All that it answered.
    """

    def __init__(self, application: Application) -> None:
        self.sent = ""
        self._answer = application.handle

    def handle(self, incoming: Incoming, origin: str) -> Outgoing:
        """Answer, with secrets."""
        made = self._answer(incoming, origin)
        if made.status == 200:
            answer = json.loads(made.body)
            for row in answer.get("values", [answer]):
                _plant(incoming.path, row)
            _show_sign_in(answer)
            made.body = json.dumps(answer).encode()
        self.sent += made.body.decode()
        return made


def _plant(path: str, row: dict[str, Any]) -> None:
    """Put secrets into a row where it has a place for them."""
    end = path.rstrip("/").rpartition("/")[2]
    if end == "variables":
        row["value"] = f"planted-value-of-{row['key']}"
    elif end == "hooks":
        row["secret"] = "planted-hook-secret"
        row["url"] = "https://planted-user:planted-hook-password@planted-rest@ci.example.com/hook"
    elif end == "steps":
        row["image"] = IMAGE
        row["services"] = [{"name": "db", "image": IMAGE, "variables": VARIABLES}]
    elif end in {"pipelines", "schedules"}:
        row["variables"] = VARIABLES
        row["target"]["variables"] = VARIABLES
    elif end == "executions" and "pipeline" in row:
        row["pipeline"]["variables"] = VARIABLES
    elif end in {"ssh-keys", "deploy-keys", "known_hosts"}:
        row["private_key"] = "planted-private-key"


def _show_sign_in(value: Any) -> None:
    """Put a name and a password into all addresses to clone from."""
    if isinstance(value, list):
        for one in value:
            _show_sign_in(one)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name == "clone":
                for one in inner:
                    address = "https://planted-clone-user:planted-clone-password@"
                    one["href"] = one["href"].replace("https://", address)
            else:
                _show_sign_in(inner)


@pytest.fixture(scope="module")
def story(catalog: dict[str, Any]) -> Iterator[Story]:
    """Tell a story of all streams, with everything in them selected."""
    whole = select(catalog, *ALL_STREAMS)
    for stream in whole["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    with pytest.MonkeyPatch.context() as patch, story_of(whole, patch, max_retries=0) as told:
        furnish(told)
        told.world.set_default_reviewers(told.api)
        told.world.add_repository(told.api.workspace, "fork", project="ONE", fork_of=told.api)
        told.server.show_secrets = True
        told.world.identities.add_api_token(MAIL, TOKEN, user=told.who("ann"))
        told.clock.later(days=1)
        yield told


@pytest.fixture(scope="module")
def leaky(story: Story) -> Iterator[Leaky]:
    """Let all answers hold secrets."""
    made = Leaky(story.server.application)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story.server.application, "handle", made.handle)
        yield made


def secrets(story: Story) -> set[str]:
    """Return all that must not leave."""
    found = set(re.findall(r"planted[a-zA-Z0-9@.-]*", json.dumps([IMAGE, VARIABLES])))
    return found | story.world.secrets | {"planted", f"{MAIL}:{TOKEN}"}


def leaks(story: Story, *texts: str) -> set[str]:
    """Return the secrets in texts, as they are or in base 64."""
    text = "\n".join(texts)
    return {one for one in secrets(story) if one in text or in_base64(one) in text}


def in_base64(text: str) -> str:
    """Return text in base 64, as far as it is the same whatever follows."""
    encoded = text.encode()
    return base64.b64encode(encoded[: len(encoded) // 3 * 3]).decode()


def config(story: Story, **settings: Any) -> dict[str, Any]:
    """Return settings that hold a secret themselves."""
    return api_token_config(story.server, **{"api_token": TOKEN, "max_retries": 0, **settings})


def catalog_of(story: Story, layout: str) -> dict[str, Any]:
    """Return a catalog in which everything is selected."""
    if layout == "shared":
        return story.catalog
    whole = discover(story)
    for stream in whole["streams"]:
        for entry in stream["metadata"]:
            entry["metadata"]["selected"] = True
    return whole


@pytest.mark.parametrize("layout", ["shared", "per_repository"])
def test_secrets_in_answers_do_not_leave(
    story: Story, leaky: Leaky, layout: str, tmp_path: Path
) -> None:
    """In no message, no state and no line of the log is a value, a password or a private key."""
    run = run_tap(
        config(story, layout=layout),
        tmp_path,
        catalog=catalog_of(story, layout),
        environment=DEBUG,
    )
    assert run.code == 0, run.log
    assert "| DEBUG" in run.log
    for planted in ("value", "hook-secret", "hook-password", "registry-password", "aws-secret"):
        assert f"planted-{planted}" in leaky.sent
    for planted in ("secured-variable", "clone-password", "private-key", "plain-variable"):
        assert f"planted-{planted}" in leaky.sent
    assert len(run.schemas) >= len(ALL_STREAMS)
    assert sum(run.counts.values()) > 300
    assert "key_pair" not in " ".join(one.path for one in story.server.requests)
    assert leaks(story, *run.lines, run.log) == set()


@pytest.mark.parametrize("arguments", [["--about", "--format=json"], ["--discover"]])
def test_descriptions_hold_no_secret(story: Story, arguments: list[str], tmp_path: Path) -> None:
    """What the tap says about itself and its streams shows no setting's value."""
    settings = config(story, layout="per_repository")
    run = run_tap(settings, tmp_path, arguments=arguments, environment=DEBUG)
    assert run.code == 0, run.log
    assert "api_token" in "".join(run.lines) or "api-pipeline_steps" in "".join(run.lines)
    assert leaks(story, *run.lines, run.log) == set()


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_an_answer_that_repeats_a_secret(story: Story, status: int) -> None:
    """An error that echoes what was sent is explained without the token and without the header."""
    header = base64.b64encode(f"{MAIL}:{TOKEN}".encode()).decode()
    error = {"message": f"Bad header: Basic {header}", "detail": f"The token was {TOKEN}."}
    body = json.dumps({"type": "error", "error": error})
    story.server.faults.add(Fault("/hooks", status=status, body=body, times=None))
    run = run_here(config(story), catalog=only(story.catalog, "repository_hooks", "watchers"))
    story.server.faults.clear()
    assert f"HTTP {status}" in run.log
    assert "Bad header" in run.log
    assert leaks(story, *run.lines, run.log) == set()


def test_an_error_that_nobody_expected(story: Story, leaky: Leaky, tmp_path: Path) -> None:
    """A defect of the tap itself ends in a traceback that shows neither rows nor settings."""
    crash = (
        "import sys; from tap_bitbucket import client; from tap_bitbucket.cli import main\n"
        "def broken(row, paths): raise KeyError('deep inside')\n"
        "client.drop_secrets = broken\n"
        "main(sys.argv[1:])"
    )
    line = command(config(story), tmp_path, catalog=only(story.catalog, "repository_hooks"))
    line[1:3] = ["-c", crash]
    made = {**os.environ, **DEBUG, "PYTHONPATH": str(PROJECT)}
    result = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, env=made
    )
    assert result.returncode == 1
    assert "deep inside" in result.stderr
    assert "planted-hook-secret" in leaky.sent
    assert leaks(story, result.stdout, result.stderr) == set()
