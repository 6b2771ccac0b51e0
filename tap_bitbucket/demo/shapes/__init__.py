"""How each resource's JSON looks: one class, put together from one module per area."""

from __future__ import annotations

from tap_bitbucket.demo.shapes.insights import InsightShapes
from tap_bitbucket.demo.shapes.keys import KeyShapes
from tap_bitbucket.demo.shapes.pipelines import PipelineShapes
from tap_bitbucket.demo.shapes.running import RunningShapes
from tap_bitbucket.demo.shapes.setup import SetupShapes
from tap_bitbucket.demo.shapes.snippets import SnippetShapes


class Shapes(PipelineShapes, RunningShapes, InsightShapes, SnippetShapes, SetupShapes, KeyShapes):
    """Renders the records of a world; links start with the address that is being called."""


__all__ = ["Shapes"]
