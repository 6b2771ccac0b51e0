"""What a credential is good for, found out by asking Bitbucket a few times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from tap_bitbucket.access import identities_of
from tap_bitbucket.auth import AuthenticationError, Credential
from tap_bitbucket.auth.authenticators import OAuthToken, StaticToken
from tap_bitbucket.http.errors import ReadError
from tap_bitbucket.http.identities import Identities, Identity
from tap_bitbucket.http.paging import Paging
from tap_bitbucket.http.reader import Listing, pages
from tap_bitbucket.http.refusals import Nothing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.http.session import Session
from tap_bitbucket.listing import ListedStream
from tap_bitbucket.preflight import lacking, sentence

MANY = 20
"""Workspaces that are asked for one by one, at a request each."""


@dataclass
class Report:
    """What is known about a credential.

    Attributes:
        credential: Its name.
        works: Whether Bitbucket accepted it.
        account: Whose it is.
        scopes: What it may do; None if Bitbucket does not say.
        workspaces: Slug → None, or why it cannot be read.
        tokens: Where its tokens are kept.
        ends_at: When the access token ends (ISO 8601); it is renewed by itself.
        limit: Requests in an hour, if Bitbucket says so.
        remaining: Those that are left.
        missing: Selected stream → scopes that it needs and are not there.
        problems: What does not work, and what to do.
    """

    credential: str
    works: bool = False
    account: str | None = None
    scopes: list[str] | None = None
    workspaces: dict[str, str | None] = field(default_factory=dict)
    tokens: str | None = None
    ends_at: str | None = None
    limit: int | None = None
    remaining: int | None = None
    missing: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def reports(
    credentials: Sequence[Credential],
    config: Mapping[str, Any],
    streams: Iterable[ListedStream],
) -> Iterator[Report]:
    """Ask Bitbucket about each credential.

    Args:
        credentials: As the settings name them.
        config: The settings, complete with their defaults.
        streams: Those that are selected, and those that are read for them.
    """
    wanted = list(streams)
    for credential, identity in zip(credentials, identities_of(credentials, "stop"), strict=True):
        session = Session(
            config["api_url"],
            Identities([identity]),
            timeout=config["request_timeout"],
            max_retries=1,
            connections=1,
            user_agent=config["user_agent"],
        )
        try:
            yield _Probe(session, credential, identity).report(config, wanted)
        finally:
            session.transport.close()


class _Probe:
    """Asks on behalf of one credential."""

    def __init__(self, session: Session, credential: Credential, identity: Identity) -> None:
        self._session = session
        self._credential = credential
        self._identity = identity
        self._found = Report(credential.name)

    def report(self, config: Mapping[str, Any], streams: Sequence[ListedStream]) -> Report:
        found = self._found
        named = self._credential.workspaces or tuple(config.get("workspaces") or ())
        try:
            if not isinstance(self._credential.authenticator, StaticToken):
                self._ask_for_account()
            if named:
                for workspace in named[:MANY]:
                    found.workspaces[workspace] = self._reason_against(workspace)
            else:
                self._ask_for_workspaces()
        except (AuthenticationError, ReadError) as error:
            found.problems.append(str(error))
        found.works = self._identity.accepted
        scopes = self._identity.scopes
        if scopes is not None:
            found.scopes = sorted(scopes)
            found.missing = lacking(streams, [self._identity])
        told = self._identity.budget.last
        found.limit, found.remaining = told.limit, told.remaining
        self._look_at_tokens()
        return found

    def _rows(self, request: Request, paging: Paging) -> list[dict[str, Any]]:
        listing = Listing(request, paging)
        try:
            return [row for page in pages(self._session, listing) for row in page.rows()]
        except Nothing:
            return []

    def _ask_for_account(self) -> None:
        try:
            rows = self._rows(Request("/user"), Paging.ENTITY)
        except ReadError as error:
            # Client credentials may be told nothing here, and are good for other things.
            if getattr(error, "status", None) != 403:  # noqa: PLR2004
                raise
            return
        for row in rows:
            nickname = row.get("nickname")
            name = row.get("display_name") or "somebody"
            self._found.account = f"{name} ({nickname})" if nickname else str(name)

    def _reason_against(self, workspace: str) -> str | None:
        """Return why a workspace cannot be read; None if it can."""
        try:
            self._rows(Request(path("/workspaces/{name}", name=workspace)), Paging.ENTITY)
        except ReadError as error:
            # A token of a repository or project may read that, and not the workspace.
            request = Request(path("/repositories/{name}", name=workspace), (("pagelen", "1"),))
            listing = Listing(request, enough=lambda _: True)
            try:
                for _ in pages(self._session, listing):
                    pass
            except ReadError:
                return str(error)
        return None

    def _ask_for_workspaces(self) -> None:
        try:
            rows = self._rows(Request("/user/workspaces", (("pagelen", "100"),)), Paging.NEXT)
        except ReadError as error:
            self._found.problems.append(
                f"{error}. Which workspaces there are is told only to people: name them in the"
                " setting 'workspaces'"
            )
            return
        for row in rows:
            workspace = row.get("workspace") or {}
            self._found.workspaces[str(workspace.get("slug"))] = None

    def _look_at_tokens(self) -> None:
        authenticator, consumer = self._credential.authenticator, self._credential.consumer
        if isinstance(authenticator, OAuthToken) and authenticator.current is not None:
            current = authenticator.current
            ends = datetime.fromtimestamp(current.obtained_at + current.lifetime, timezone.utc)
            self._found.ends_at = ends.isoformat(timespec="seconds")
        if consumer is not None and consumer.store is not None:
            self._found.tokens = consumer.store.place


def as_json(found: Sequence[Report]) -> str:
    """Return the reports for a program."""
    return json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False)


def as_text(found: Sequence[Report]) -> str:
    """Return the reports for a person."""
    return "\n\n".join("\n".join(_lines(one)) for one in found)


def _lines(one: Report) -> Iterator[str]:
    yield f"{one.credential}: {'works' if one.works else 'DOES NOT WORK'}"
    if one.account is not None:
        yield _line("account", one.account)
    if one.scopes is not None:
        yield _line("scopes", ", ".join(one.scopes))
    elif one.works:
        yield _line("scopes", "Bitbucket does not say")
    yield from _workspaces(one)
    if one.tokens is not None:
        yield _line("tokens", f"kept in {one.tokens}")
    if one.ends_at is not None:
        ends = datetime.fromisoformat(one.ends_at)
        left = (ends - datetime.now(timezone.utc)).total_seconds() / 60
        yield _line("access", f"until {ends:%H:%M} UTC ({left:.0f} min), renewed by itself")
    if one.works:
        yield _line("requests", _budget(one))
        yield from _streams(one)
    for problem in one.problems:
        yield _line("problem", problem)


def _workspaces(one: Report) -> Iterator[str]:
    good = [slug for slug, reason in one.workspaces.items() if reason is None]
    if good:
        yield _line("workspaces", ", ".join(good))
    for slug, reason in one.workspaces.items():
        if reason is not None:
            yield _line("not", f"{slug}: {reason}")


def _budget(one: Report) -> str:
    if one.remaining is not None:
        return f"{one.remaining} of {one.limit or 'those of this hour'} left"
    if one.limit is not None:
        return f"{one.limit} an hour; Bitbucket does not say how many are left"
    return "Bitbucket does not say how many are left of this hour's"


def _streams(one: Report) -> Iterator[str]:
    if one.missing:
        yield _line("missing", f"scopes: {sentence(one.missing)}")
    elif one.scopes is not None:
        yield _line("streams", "there is a scope for each that is selected")


def _line(name: str, text: str) -> str:
    return f"  {name:<11} {text}"
