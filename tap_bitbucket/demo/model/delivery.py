"""Pipelines, environments and deployments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_bitbucket.demo.model.insights import Case
    from tap_bitbucket.demo.model.places import Repository, User
    from tap_bitbucket.demo.model.reviews import PullRequest
    from tap_bitbucket.demo.model.setup import Variable

Json = dict[str, Any]


@dataclass(eq=False, slots=True)
class Step:
    """A step of a pipeline."""

    uuid: str
    name: str | None
    image: Json | None
    script: list[str]
    state: str = "PENDING"
    result: str | None = None
    started_on: datetime | None = None
    completed_on: datetime | None = None
    tests: list[Case] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Pipeline:
    """A run of Bitbucket Pipelines."""

    uuid: str
    repository: Repository
    build_number: int
    creator: User
    commit: str
    kind: str
    trigger: str
    created_on: datetime
    stage: str | None = "RUNNING"
    result: str | None = None
    completed_on: datetime | None = None
    started_on: datetime | None = None
    terminator: User | None = None
    ref_type: str | None = None
    ref_name: str | None = None
    selector: Json = field(default_factory=lambda: {"type": "default"})
    pull_request: PullRequest | None = None
    run_number: int = 1
    steps: list[Step] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Environment:
    """A deployment environment."""

    uuid: str
    repository: Repository
    name: str
    kind: str
    rank: int
    slug: str
    hidden: bool = False
    locked_by: Deployment | None = None
    variables: list[Variable] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Deployment:
    """A deployment of one commit to one environment."""

    uuid: str
    repository: Repository
    number: int
    environment: Environment
    commit: str
    deployer: User
    created_on: datetime
    pipeline: Pipeline | None
    step: str
    state: str = "UNDEPLOYED"
    result: str | None = None
    started_on: datetime | None = None
    completed_on: datetime | None = None
    updated_on: datetime | None = None
    version: int = 1
