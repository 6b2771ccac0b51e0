"""What a Bitbucket workspace consists of: plain records; `world.py` changes them."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo.model.delivery import (
    Deployment,
    Environment,
    Pipeline,
    Step,
)
from tap_bitbucket.demo.model.git import (
    Commit,
    FileChange,
    Ref,
    Status,
)
from tap_bitbucket.demo.model.places import (
    Hook,
    Member,
    Project,
    Repository,
    Restriction,
    User,
    Variable,
    Workspace,
)
from tap_bitbucket.demo.model.reviews import (
    Activity,
    Comment,
    Participant,
    PullRequest,
    Task,
)

Json = dict[str, Any]

__all__ = [
    "Activity",
    "Comment",
    "Commit",
    "Deployment",
    "Environment",
    "FileChange",
    "Hook",
    "Json",
    "Member",
    "Participant",
    "Pipeline",
    "Project",
    "PullRequest",
    "Ref",
    "Repository",
    "Restriction",
    "Status",
    "Step",
    "Task",
    "User",
    "Variable",
    "Workspace",
]
