"""What follows from the records of a world: effective settings, trees, histories of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import BranchingModel, Commit, FileChange, Ref, Repository, User
from tap_bitbucket.demo.walk import walk

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World


def branches_of(repo: Repository) -> list[Ref]:
    """List the branches of a repository as refs."""
    return [Ref(name, repo.objects[at], "branch") for name, at in repo.branches.items()]


def effective_reviewers(repo: Repository) -> list[tuple[User, str]]:
    """List who reviews by default, and whether the repository or its project says so."""
    own = [(user, "repository") for user in repo.default_reviewers]
    known = {user.uuid for user, _ in own}
    above = [(user, "project") for user in repo.project.default_reviewers if user.uuid not in known]
    return own + above


def own_model(repo: Repository) -> BranchingModel:
    """Give the branching model of a repository itself."""
    return repo.branching_model or BranchingModel()


def effective_model(repo: Repository) -> BranchingModel:
    """Give the branching model that holds in a repository."""
    return repo.branching_model or repo.project.branching_model or BranchingModel()


def forks_of(world: World, repo: Repository) -> list[Repository]:
    """List the forks of a repository, those in other workspaces last."""
    here = [one for one in world.repositories() if one.parent is repo]
    return here + repo.forks_elsewhere


def files_of(repo: Repository, commit: Commit) -> list[str]:
    """List the paths that are there at a commit."""
    paths = {"README.md", *repo.files}
    for one in reversed(walk(repo.objects, [commit.hash])):
        for file in one.files:
            if file.status == "removed":
                paths.discard(file.path)
            else:
                paths.add(file.path)
                paths.discard(file.old_path or "")
    return sorted(paths)


def entries_of(paths: list[str], inside: str, depth: int) -> dict[str, bool]:
    """List what a directory holds, down to a depth: path, and whether it is a file."""
    above = f"{inside}/" if inside else ""
    found: dict[str, bool] = {}
    for path in paths:
        if not path.startswith(above):
            continue
        steps = path[len(above) :].split("/")
        for length in range(1, min(depth, len(steps)) + 1):
            found[above + "/".join(steps[:length])] = length == len(steps)
    return dict(sorted(found.items()))


def history_of(
    repo: Repository, commit: Commit, path: str, *, renames: bool = True
) -> list[tuple[Commit, str]]:
    """List the commits that touched a file, newest first, with the name that it had."""
    found, name = [], path
    for one in walk(repo.objects, [commit.hash]):
        for file in one.files:
            if file.path != name:
                continue
            found.append((one, name))
            if file.old_path is not None and renames:
                name = file.old_path
            break
    return found


def changes_of(commits: list[Commit]) -> list[FileChange]:
    """List the files that commits (newest first) changed, once each."""
    return list({file.path: file for one in reversed(commits) for file in one.files}.values())
