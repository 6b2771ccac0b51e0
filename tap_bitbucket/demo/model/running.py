"""What pipelines run on and by: runners, schedules, caches, known hosts, keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.delivery import Pipeline


@dataclass(eq=False, slots=True)
class Runner:
    """A machine of one's own that runs steps; `secret` is its OAuth client's."""

    uuid: str
    name: str
    labels: list[str]
    client_id: str
    secret: str
    created_on: datetime
    updated_on: datetime
    status: str = "UNREGISTERED"
    cordoned: bool = False
    version: str | None = None
    seen_on: datetime | None = None


@dataclass(eq=False, slots=True)
class Execution:
    """One time that a schedule came due: a pipeline, or what was wrong. It has no id."""

    pipeline: Pipeline | None = None
    error_key: str | None = None
    error_message: str | None = None


@dataclass(eq=False, slots=True)
class Schedule:
    """A schedule of pipelines."""

    uuid: str
    cron_pattern: str
    ref_type: str
    ref_name: str
    selector: dict[str, str]
    created_on: datetime
    updated_on: datetime
    enabled: bool = True
    executions: list[Execution] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class KnownHost:
    """A host that steps may reach by ssh; its key may not have been fetched yet."""

    uuid: str
    hostname: str
    key: str | None
    key_type: str = "Ed25519"


@dataclass(eq=False, slots=True)
class KeyPair:
    """The ssh key that steps have."""

    public: str
    private: str


@dataclass(eq=False, slots=True)
class Cache:
    """Files that are kept from one pipeline to the next."""

    uuid: str
    name: str
    path: str
    key_hash: str
    file_size_bytes: int
    created_on: datetime
    pipeline: str
    step: str
