"""Pipelines and deployments, as the pipelines service serves them."""

from tap_bitbucket.demo.api.delivery import (
    config,
    deployments,
    pipelines,
    step_tests,
)

__all__ = [
    "config",
    "deployments",
    "pipelines",
    "step_tests",
]
