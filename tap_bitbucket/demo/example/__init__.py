"""The example world, what happened there before, and what is still to happen."""

from tap_bitbucket.demo.example.company import EXAMPLE_WORKSPACE, example_world
from tap_bitbucket.demo.example.large import large_world

__all__ = ["EXAMPLE_WORKSPACE", "example_world", "large_world"]
