"""Who asks: the identities of a run, which of them may ask for what, and whose turn it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tap_bitbucket.auth import AuthenticationError, Authenticator
from tap_bitbucket.http.budget import Budget, spent
from tap_bitbucket.http.errors import Postponed, SkipPartition, StopReading
from tap_bitbucket.http.limits import Limits
from tap_bitbucket.http.subject import is_personal, workspace_of

__all__ = [
    "ANYBODY",
    "Asker",
    "Group",
    "Identities",
    "Identity",
    "is_personal",
    "scopes_in",
    "workspace_of",
]

logger = logging.getLogger("tap-bitbucket.identities")

_SLICE = 0.2
"""Seconds between two looks at the stop flag while waiting."""


@dataclass(eq=False)
class Identity:
    """One credential at work.

    Attributes:
        name: For people; no secret.
        authenticator: Signs requests.
        budget: Shared with the others that Bitbucket counts together with it.
        workspaces: Those it asks about, by slug or uuid in lower case; None for any.
        accepted: Whether it was good for anything yet.
        refused: Why it is good for nothing any more.
        scopes: What it may do, as far as Bitbucket said so.
        cannot: What it lacks a scope for.
        left_out: Workspaces of which another one sees more.
    """

    name: str
    authenticator: Authenticator
    budget: Budget
    workspaces: frozenset[str] | None = None
    accepted: bool = False
    refused: str | None = None
    scopes: frozenset[str] | None = None
    cannot: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)

    def serves(self, workspace: str | None) -> bool:
        """Tell whether it is there for a workspace, or for what belongs to none."""
        if workspace is None:
            return True
        mine = self.workspaces is None or workspace in self.workspaces
        return mine and workspace not in self.left_out


Group = tuple[Identity, ...]
"""The identities that serve a workspace."""


@dataclass(frozen=True)
class Asker:
    """Who is to ask, and what for.

    Attributes:
        purpose: What an identity that lacks a scope for it is remembered by.
        only: Who must ask; None for whoever may.
    """

    purpose: str = ""
    only: Identity | None = None


ANYBODY = Asker()


class Identities:
    """The identities of a run; shared by all threads.

    Those that serve the same workspace are taken in turn: they are expected to see the same.

    Args:
        members: In the order of the settings.
        limits: Of the run.
        on_scopes: Told the identities that serve a workspace, once the scopes of all of them are
            known, and which of them, if any, asks for what belongs to a person. What it raises
            ends the run.
        wanted: The workspaces that are read; None if Bitbucket is still to tell them.

    Attributes:
        bound: The workspaces that all identities together are for; None for any.
    """

    def __init__(
        self,
        members: Sequence[Identity],
        limits: Limits | None = None,
        on_scopes: Callable[[Group, Identity | None], None] | None = None,
        wanted: Sequence[str] | None = None,
    ) -> None:
        self.members = tuple(members)
        self._budgets = tuple({id(one.budget): one.budget for one in members}.values())
        self.limits = limits or Limits()
        named = [one.workspaces for one in members]
        self.bound = None if None in named else sorted(frozenset().union(*filter(None, named)))
        self._on_scopes = on_scopes
        self._wanted = wanted
        self._told: set[Group] = set()
        self._verdict: Exception | None = None
        self._lock = threading.RLock()

    @property
    def budgets(self) -> list[Budget]:
        """Return the budgets, each once."""
        return list(self._budgets)

    @property
    def accepted(self) -> bool:
        """Whether any credential was good for anything yet."""
        return any(one.accepted for one in self.members)

    def of(self, workspace: str | None) -> Group:
        """Return those that serve a workspace, refused ones too."""
        return tuple(one for one in self.members if one.serves(workspace))

    def also_called(self, uuid: str, slug: str) -> None:
        """Take note of a workspace's two names."""
        names = {uuid.casefold(), slug.casefold()}
        with self._lock:
            for one in self.members:
                if one.workspaces is not None and one.workspaces & names:
                    one.workspaces |= names
                if one.left_out & names:
                    one.left_out |= names

    @property
    def needed(self) -> list[Identity]:
        """Return those who have something to ask, as far as it is known what is read."""
        if self._wanted is None:
            return list(self.members)
        return list(dict.fromkeys(one for group in self._groups() for one in group))

    def bind(self, identity: Identity, workspaces: Collection[str]) -> None:
        """Take note of the workspaces that Bitbucket lists to an identity.

        Raises:
            Exception: What ``on_scopes`` raises.
        """
        with self._lock:
            if len(self.members) > 1:
                identity.workspaces = frozenset(name.casefold() for name in workspaces)
                self._tell()

    def take(self, path: str, asker: Asker = ANYBODY, tried: Sequence[Identity] = ()) -> Identity:
        """Wait until somebody may ask, and count the request.

        Args:
            path: What is asked for.
            asker: Who is to ask; those who are known to lack a scope for it come last.
            tried: Who has asked already, in vain.

        Raises:
            StopReading: If a limit is reached or the run is ended from outside, or would be before
                anybody may ask.
            Postponed: If the limit of those who could ask is spent, and others are left.
            SkipPartition: If those who could ask were refused, and others are left.
            AuthenticationError: If nobody is left.
        """
        held: tuple[Budget, float] | None = None
        try:
            while True:
                for budget in self._budgets:
                    budget.exchange()
                with self._lock:
                    self.limits.check()
                    one = self._next(path, asker, tried)
                    wait = one.budget.wait
                    if wait <= 0:
                        self.limits.sent += 1
                        one.budget.take()
                        return one
                    self.limits.check(one.budget.pause)
                held = held or (one.budget, one.budget.now())
                self.limits.stopping.wait(min(wait, _SLICE))
        finally:
            if held is not None:
                held[0].held(held[1])

    def others(self, path: str, asker: Asker, tried: Sequence[Identity]) -> bool:
        """Tell whether anybody else might be allowed what those who tried are not."""
        with self._lock:
            return any(
                one.refused is None and one not in tried and asker.purpose not in one.cannot
                for one in self._candidates(workspace_of(path), asker)
            )

    def refuse(self, identity: Identity, reason: str) -> None:
        """Take note that a credential is good for nothing any more.

        Raises:
            AuthenticationError: If nobody is left.
        """
        with self._lock:
            if identity.refused is None:
                identity.refused = reason
                if any(one.refused is None for one in self.members):
                    logger.error(
                        "The credential %s is out of use: %s. Going on with the others",
                        *(identity.name, reason),
                    )
            self._check_somebody_is_left()
            self._tell()

    def learned(self, identity: Identity, scopes: frozenset[str] | None) -> None:
        """Take note of what an identity may do, before it or anybody asks for more.

        Raises:
            Exception: What ``on_scopes`` raises.
        """
        if scopes is None:
            return
        with self._lock:
            if self._verdict is not None:
                raise self._verdict
            if identity.scopes is None:
                identity.scopes = scopes
                self._tell()

    def _tell(self) -> None:
        if self._on_scopes is None:
            return
        for group in self._groups():
            left = tuple(one for one in group if one.refused is None)
            known = left and all(one.scopes is not None for one in left)
            if known and left not in self._told:
                self._told.add(left)
                person = self.members[0] if self.members[0] in left else None
                try:
                    self._on_scopes(left, person)
                except Exception as error:
                    self._verdict = error
                    raise

    def _groups(self) -> list[Group]:
        """Return who serves the workspaces that are read, as far as it is known which."""
        if self._wanted is not None:
            found = [self.of(name.casefold()) for name in self._wanted]
        else:
            named = [name for one in self.members for name in sorted(one.workspaces or ())]
            found = [self.of(name) for name in named]
            # Several that are bound to nothing are still to be asked for their workspaces.
            found += [self.members] if len(self.members) == 1 else []
        return list(dict.fromkeys(found))

    def _candidates(self, workspace: str | None, asker: Asker) -> Group:
        return self.of(workspace) if asker.only is None else (asker.only,)

    def _next(self, path: str, asker: Asker, tried: Sequence[Identity]) -> Identity:
        workspace = workspace_of(path)
        candidates = self._candidates(workspace, asker)
        usable = [one for one in candidates if one.refused is None]
        if not usable:
            self._check_somebody_is_left()
            raise SkipPartition(_nobody_for(workspace, candidates), 401)
        fresh = [one for one in usable if one not in tried] or usable
        able = [one for one in fresh if asker.purpose not in one.cannot] or fresh
        ready = [one for one in able if not one.budget.spent]
        if not ready:
            left = [one for one in self.members if one.refused is None and not one.budget.spent]
            if left:
                raise Postponed(spent([one.budget for one in able]), 429)
            raise StopReading(spent([m.budget for m in self.members if m.refused is None]))
        if workspace is None and is_personal(path):
            return ready[0]  # what belongs to a person is asked by the same one each time
        return min(ready, key=lambda one: (one.budget.wait, one.budget.sent))

    def _check_somebody_is_left(self) -> None:
        if all(one.refused for one in self.members):
            raise AuthenticationError("; ".join(one.refused or "" for one in self.members))


def _nobody_for(workspace: str | None, candidates: Collection[Identity]) -> str:
    what = "this" if workspace is None else f"the workspace {workspace}"
    if not candidates:
        return f"none of the credentials is for {what}: add it to the workspaces of one of them"
    reasons = "; ".join(f"{one.name}: {one.refused}" for one in candidates)
    return f"no credential for {what} is left ({reasons})"


def scopes_in(headers: Mapping[str, str]) -> frozenset[str] | None:
    """Return what the API says that the credential may do; None if it does not say."""
    told = headers.get("X-OAuth-Scopes", "").replace(",", " ").split()
    return frozenset(told) or None
