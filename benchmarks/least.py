"""The least number of requests that the API allows, for a full pass and for one that finds nothing.

It is computed from the stand-in's world and from what Bitbucket documents, never by asking the
tap. A list costs one request for each of its longest pages, an empty one a request as well, unless
a row or a counter that was read before proves it empty. What a list carries for several streams
is counted once, with the stream that is named in its path. `python -m benchmarks.least` prints
the table that README.md has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from benchmarks import least_commits, least_delivery, least_pull_requests, least_setup
from benchmarks.least_rules import Rule, Scene
from tap_bitbucket.demo import World

RULES: dict[str, Rule] = {
    **least_setup.RULES,
    **least_commits.RULES,
    **least_pull_requests.RULES,
    **least_delivery.RULES,
}
"""How each stream is counted, by its name."""

ABSENCES = "(404: gone, or nothing there?)"
"""What a list's 404 says is not clear: a request for the repository tells."""


def least(world: World, streams: Iterable[str], *, idle: bool = False) -> Counter[str]:
    """Count the requests of a pass, by the stream that they are counted with.

    Args:
        world: As it is during the pass; between the full and the idle one nothing happens.
        streams: Those that are selected.
        idle: Whether everything was read just before.
    """
    scene = Scene(world, streams)
    found: Counter[str] = Counter()
    for name in scene.read:
        rule = RULES[name]
        count = rule.idle if idle else rule.full
        for place in _places(scene, rule):
            found[name] += count(place, scene)
    return found


def assurance(world: World, streams: Iterable[str], *, idle: bool = False) -> Counter[str]:
    """Count what may be asked beyond the least to be sure, where Bitbucket documents too little.

    A repository's feed is not documented to show every comment as it is now: up to twelve pull
    requests a workspace may be asked singly. Commits are listed by ancestry, not by date: three
    pages more may tell those of the last day. And a repository in which a list answers 404 may
    be asked whether it is still there.
    """
    scene = Scene(world, streams)
    found: Counter[str] = Counter()
    found["pull_request_comments"] = least_pull_requests.doubtful(scene, idle=idle)
    for repo in world.repositories():
        found["commits"] += least_commits.doubtful(repo, scene, idle=idle)
        found[ABSENCES] += any(
            module.absent(repo, scene, idle=idle)
            for module in (least_pull_requests, least_delivery)
        )
    found[ABSENCES] += least_setup.absent(scene)
    return +found


def _places(scene: Scene, rule: Rule) -> Iterable[object]:
    if rule.of == "run":
        return [scene.me]
    if rule.of == "workspace":
        return scene.world.workspaces.values()
    if rule.of == "project":
        return [one for where in scene.world.workspaces.values() for one in where.projects.values()]
    return scene.world.repositories()


def table() -> str:
    """Return the rules as a table in Markdown."""
    lines = ["| stream | full pass | idle pass | why |", "|---|---|---|---|"]
    for name, rule in RULES.items():
        lines.append(f"| {name} | {rule.formula} | {rule.again} | {rule.why} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - it talks to a person
