"""The worlds that the benchmarks are about, each of one size wherever it is measured."""

from __future__ import annotations

from collections.abc import Callable

from tap_bitbucket.demo import World, example_world, large_world


def example() -> World:
    """Make the company of the demo: few repositories with something of everything in them."""
    return example_world()


def large() -> World:
    """Make 200 repositories, 20,000 pull requests and 100,000 comments."""
    return large_world()


def middle() -> World:
    """Make what is small enough to read every stream of it, commit by commit."""
    return large_world(24, 200, 1_000)


def small() -> World:
    """Make what a test can wait for."""
    return large_world(
        8, 90, 300, skew=3, pipelines=12, commits=20, tasks=12, deployments=6, empty=1
    )


WORLDS: dict[str, Callable[[], World]] = {
    "example": example,
    "small": small,
    "middle": middle,
    "large": large,
}

__all__ = ["WORLDS", "example", "large", "middle", "small"]
