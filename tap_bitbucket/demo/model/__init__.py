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
from tap_bitbucket.demo.model.insights import (
    Annotation,
    Case,
    Report,
)
from tap_bitbucket.demo.model.keys import (
    DeployKey,
    EmailAddress,
    GpgKey,
    SshKey,
)
from tap_bitbucket.demo.model.places import (
    Member,
    Project,
    Repository,
    User,
    Workspace,
)
from tap_bitbucket.demo.model.reviews import (
    Activity,
    Comment,
    Participant,
    PullRequest,
    Task,
)
from tap_bitbucket.demo.model.running import (
    Cache,
    Execution,
    KeyPair,
    KnownHost,
    Runner,
    Schedule,
)
from tap_bitbucket.demo.model.setup import (
    BranchingModel,
    BranchType,
    Download,
    Group,
    Hook,
    ModelBranch,
    Restriction,
    TreeFile,
    Variable,
)
from tap_bitbucket.demo.model.snippets import (
    Snippet,
    SnippetComment,
)

Json = dict[str, Any]

__all__ = [
    "Activity",
    "Annotation",
    "BranchType",
    "BranchingModel",
    "Cache",
    "Case",
    "Comment",
    "Commit",
    "DeployKey",
    "Deployment",
    "Download",
    "EmailAddress",
    "Environment",
    "Execution",
    "FileChange",
    "GpgKey",
    "Group",
    "Hook",
    "Json",
    "KeyPair",
    "KnownHost",
    "Member",
    "ModelBranch",
    "Participant",
    "Pipeline",
    "Project",
    "PullRequest",
    "Ref",
    "Report",
    "Repository",
    "Restriction",
    "Runner",
    "Schedule",
    "Snippet",
    "SnippetComment",
    "SshKey",
    "Status",
    "Step",
    "Task",
    "TreeFile",
    "User",
    "Variable",
    "Workspace",
]
