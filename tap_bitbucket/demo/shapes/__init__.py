"""How each resource's JSON looks: one class, put together from one module per area."""

from __future__ import annotations

from tap_bitbucket.demo.shapes.pipelines import PipelineShapes


class Shapes(PipelineShapes):
    """Renders the records of a world; links start with the address that is being called."""


__all__ = ["Shapes"]
