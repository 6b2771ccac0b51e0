"""The policy: which answer of Bitbucket leads to what. The table is an index of the behaviour."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tap_bitbucket.demo import errors as bitbucket
from tap_bitbucket.http.errors import (
    Action,
    Fatal,
    MissingScope,
    ReadError,
    SkipPartition,
    StopReading,
    Transient,
    Unavailable,
    decide,
    explain,
    lacks_scope,
    unknown_hashes,
)

HTML = b"<!DOCTYPE html><html><head><title>Page not found</title></head>" + b"<p>x</p>" * 3000


def core(message: str, **more: Any) -> bytes:
    """Return an error body of the core API."""
    return json.dumps({"type": "error", "error": {"message": message, **more}}).encode()


def stand_in(error: bitbucket.ApiError) -> bytes:
    """Return the body of an error as the stand-in sends it."""
    return error.body.encode() if isinstance(error.body, str) else json.dumps(error.body).encode()


POLICY = [
    # status, what the reader does, words that the person who reads the log needs
    (400, Action.SKIP, "does not accept the request"),
    (401, Action.REFRESH, "credential"),
    (402, Action.SKIP, "plan"),
    (403, Action.SKIP, "permission"),
    (404, Action.SKIP, "not found"),
    (405, Action.SKIP, "not documented"),
    (406, Action.SKIP, "JSON"),
    (408, Action.RETRY, "too long"),
    (409, Action.EMPTY, "empty"),
    (410, Action.SKIP, "gone"),
    (416, Action.SKIP, "not documented"),
    (418, Action.SKIP, "not documented"),
    (429, Action.WAIT, "rate limit"),
    (451, Action.SKIP, "not documented"),
    (500, Action.RETRY, "problem"),
    (502, Action.RETRY, "problem"),
    (503, Action.RETRY, "problem"),
    (504, Action.RETRY, "problem"),
    (520, Action.RETRY, "problem"),
    (555, Action.RETRY, "problem"),
    (599, Action.RETRY, "problem"),
]


@pytest.mark.parametrize(("status", "action", "words"), POLICY, ids=[str(p[0]) for p in POLICY])
@pytest.mark.parametrize("body", [b"", b"plain text", HTML, core("Something")], ids=len)
def test_each_status_has_one_action_and_a_sentence(
    status: int, action: Action, words: str, body: bytes
) -> None:
    """The status alone decides, whatever the body looks like, and the sentence says why."""
    rule = decide(status, body)
    assert rule.action is action
    assert words in rule.sentence


def test_a_403_tells_what_to_check() -> None:
    """A missing permission names both places to look: the account's access and the scopes."""
    sentence = decide(403, b"").sentence
    assert "access" in sentence
    assert "scopes" in sentence


PIPELINES_OFF = stand_in(
    bitbucket.pipelines(404, "Not Found", "Pipelines is not enabled", "not-found")
)


@pytest.mark.parametrize(
    ("body", "action"),
    [
        (PIPELINES_OFF, Action.EMPTY),
        (stand_in(bitbucket.repository_missing()), Action.SKIP),
        (stand_in(bitbucket.html_missing()), Action.SKIP),
        (stand_in(bitbucket.no_such_api()), Action.SKIP),
        (core("Commit not found", data={"shas": ["abc"]}), Action.SKIP),
        (core("x", data={"key": 5}), Action.SKIP),
        (core("x", data=["rest-service."]), Action.SKIP),
        (b'{"error": "rest-service."}', Action.SKIP),
        (b"", Action.SKIP),
    ],
    ids=["pipelines off", "repository", "html", "path", "commit", "number", "list", "text", ""],
)
def test_a_repository_without_pipelines_is_empty_and_a_missing_one_is_skipped(
    body: bytes, action: Action
) -> None:
    """A 404 means "nothing there" only in the words of the pipelines service."""
    assert decide(404, body).action is action


@pytest.mark.parametrize("status", [400, 403, 410])
def test_the_pipelines_service_is_only_understood_in_a_404(status: int) -> None:
    """Another error of the pipelines service is no empty list."""
    assert decide(status, PIPELINES_OFF).action is Action.SKIP


SAID = [
    ("message", core("No such repository"), "No such repository"),
    ("detail", core("Bad", detail="Read the docs."), "Bad Read the docs."),
    ("same twice", core("Bad", detail="Bad"), "Bad"),
    ("detail null", core("Bad", detail=None), "Bad"),
    ("message null", b'{"error": {"message": null, "detail": "Real text"}}', "Real text"),
    (
        "pipelines service",
        stand_in(bitbucket.pipelines(400, "Bad request", "Invalid sort attribute", "x")),
        "Bad request Invalid sort attribute",
    ),
    (
        "missing scope",
        stand_in(bitbucket.missing_scope(["pipeline", "account"], ["repository"])),
        (
            "Your credentials lack one or more required privilege scopes. "
            "Required: pipeline, account; granted: repository."
        ),
    ),
    (
        "no scope at all",
        core("Lack.", detail={"required": ["a"]}),
        "Lack. Required: a; granted: none.",
    ),
    (
        "scopes of no kind",
        core("Lack.", detail={"required": "a"}),
        "Lack. Required: none; granted: none.",
    ),
    ("lines", core("one\ntwo"), "one two"),
    ("html", HTML, ""),
    ("text", b"Rate limit for this resource has been exceeded", ""),
    ("nothing", b"", ""),
    ("list", b"[1]", ""),
    ("number", b"5", ""),
    ("error is text", b'{"error": "no"}', ""),
    ("error is null", b'{"error": null}', ""),
    ("not UTF-8", b'{"error": {"message": "\xff"}}', ""),
]


@pytest.mark.parametrize(("body", "said"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_what_bitbucket_says_is_repeated_in_one_line(body: bytes, said: str) -> None:
    """The log repeats Bitbucket's own message and detail, and nothing of a body that is no JSON."""
    assert explain(body) == said


def test_a_long_message_is_cut() -> None:
    """Bitbucket cannot fill the log."""
    assert len(explain(core("x" * 5000))) <= 400
    many = stand_in(bitbucket.missing_scope([f"scope:{n}" for n in range(1000)], []))
    assert len(explain(many)) <= 400


def test_nested_nonsense_is_survived() -> None:
    """A body that no parser likes is an error like any other."""
    body = b'{"error":' + b"[" * 90_000
    assert decide(404, body).action is Action.SKIP
    assert explain(body) == ""


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (stand_in(bitbucket.missing_scope(["pipeline"], [])), True),
        (core("You do not have access to this repository."), False),
        (core("x", detail="required"), False),
        (core("x", detail={"granted": ["a"]}), False),
        (HTML, False),
    ],
)
def test_a_missing_scope_is_told_from_a_missing_permission(body: bytes, missing: bool) -> None:
    """Only the answer that names the required scopes is about the credential as a whole."""
    assert lacks_scope(body) is missing


@pytest.mark.parametrize(
    ("body", "hashes"),
    [
        (core("Commit not found", data={"shas": ["a1", "b2"]}), ["a1", "b2"]),
        (core("Commit not found", data={"shas": []}), []),
        (core("Commit not found", data={"shas": "a1"}), []),
        (core("Commit not found", data=None), []),
        (core("Commit not found"), []),
        (HTML, []),
        (b"", []),
    ],
)
def test_the_commits_that_bitbucket_forgot_are_named(body: bytes, hashes: list[str]) -> None:
    """A 404 of the commits list names the unknown hashes; any other names none."""
    assert unknown_hashes(body) == hashes


def test_kinds_of_failure() -> None:
    """What costs one partition is never caught together with what ends the run."""
    assert issubclass(Unavailable, SkipPartition)
    assert issubclass(MissingScope, SkipPartition)
    for kind in (Fatal, StopReading, Transient):
        assert issubclass(kind, ReadError)
        assert not issubclass(kind, SkipPartition)
