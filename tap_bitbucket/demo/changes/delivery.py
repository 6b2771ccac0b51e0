"""Changes to pipelines, environments and deployments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tap_bitbucket.demo.changes.ground import change
from tap_bitbucket.demo.changes.verdicts import Verdicts
from tap_bitbucket.demo.model import (
    Deployment,
    Environment,
    Json,
    Pipeline,
    PullRequest,
    Repository,
    Step,
    User,
)

_RANKS = {"Test": 0, "Staging": 1, "Production": 2}


class Delivery(Verdicts):
    """The world's pipelines, environments and deployments."""

    def pipeline(self, repo: str | Repository, number: int) -> Pipeline:
        """Find a pipeline by its build number."""
        return self.repository(repo).pipelines[number - 1]

    @change
    def start_pipeline(
        self,
        repo: str | Repository,
        *,
        ref: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        pull_request: PullRequest | None = None,
        trigger: str = "PUSH",
        creator: User | None = None,
        steps: Sequence[str | None] = ("Build and test",),
        image: Json | None = None,
        selector: Json | None = None,
        stage: str = "RUNNING",
    ) -> Pipeline:
        """Start a pipeline for a branch (`ref`), a `tag`, a `commit` or a `pull_request`."""
        it = self.repository(repo)
        stamp = self.now.stamp()
        kind = "pipeline_ref_target"
        ref_type: str | None = "branch"
        ref_name = ref
        if pull_request is not None:
            kind, ref_type, ref_name = "pipeline_pullrequest_target", None, None
            target = pull_request.source_hash
        elif commit is not None and ref is None:
            kind, ref_type, ref_name = "pipeline_commit_target", None, None
            target = commit
        elif tag is not None:
            ref_type, ref_name, target = "tag", tag, it.tags[tag].target.hash
        else:
            ref_name = ref or it.mainbranch or "main"
            target = commit or it.branches[ref_name]
        made = Pipeline(
            uuid=self._uuid("pipeline"),
            repository=it,
            build_number=len(it.pipelines) + 1,
            creator=creator or it.workspace.members[0].user,
            commit=target,
            kind=kind,
            trigger=trigger,
            created_on=stamp,
            started_on=stamp,
            stage=stage,
            ref_type=ref_type,
            ref_name=ref_name,
            pull_request=pull_request,
        )
        if selector is not None:
            made.selector = selector
        elif pull_request is not None:
            made.selector = {"type": "pull-requests", "pattern": "**"}
        self._plant_from(image or {})
        for name in steps:
            script = ["pip install -r requirements.txt", "pytest"]
            step = Step(self._uuid("step"), name, image or {"name": "python:3.12"}, script)
            made.steps.append(step)
        if made.steps and stage == "RUNNING":
            made.steps[0].state, made.steps[0].started_on = "IN_PROGRESS", stamp
        it.pipelines.append(made)
        return made

    def _plant_from(self, image: Json) -> None:
        """Note the credentials of a private registry: the API shows them."""
        keys = (image.get("password"), *(image.get("aws") or {}).values())
        self.secrets.update(one for one in keys if isinstance(one, str))

    @change
    def finish_pipeline(
        self,
        pipeline: Pipeline,
        result: str = "SUCCESSFUL",
        *,
        seconds: int | None = None,
        user: User | None = None,
    ) -> None:
        """Finish: SUCCESSFUL, FAILED, ERROR, STOPPED (by `user`) or EXPIRED."""
        if seconds is not None and pipeline.started_on is not None:
            stamp = pipeline.started_on + timedelta(seconds=seconds, microseconds=123_456)
        else:
            stamp = self.now.stamp()
        pipeline.stage, pipeline.result, pipeline.completed_on = None, result, stamp
        if result == "STOPPED":
            pipeline.terminator = user or pipeline.creator
        begun = pipeline.started_on or pipeline.created_on
        share = (stamp - begun) / max(1, len(pipeline.steps))
        last = len(pipeline.steps) - 1
        for index, step in enumerate(pipeline.steps):
            step.state = "COMPLETED"
            step.started_on = step.started_on or begun + index * share
            step.completed_on = max(step.started_on, begun + (index + 1) * share)
            step.result = result if index == last else "SUCCESSFUL"

    @change
    def halt_pipeline(self, pipeline: Pipeline) -> None:
        """Halt: in progress, but nothing runs (an error between steps)."""
        pipeline.stage = "HALTED"

    @change
    def pause_pipeline(self, pipeline: Pipeline) -> None:
        """Pause before a manual step."""
        pipeline.stage = "PAUSED"

    @change
    def rerun_pipeline(self, pipeline: Pipeline) -> None:
        """Run a finished pipeline again: same number and uuid, unfinished once more."""
        stamp = self.now.stamp()
        pipeline.run_number += 1
        pipeline.stage, pipeline.result, pipeline.completed_on = "RUNNING", None, None
        pipeline.terminator = None
        pipeline.started_on = stamp
        for index, step in enumerate(pipeline.steps):
            step.state = "IN_PROGRESS" if index == 0 else "PENDING"
            step.started_on = stamp if index == 0 else None
            step.result = step.completed_on = None

    @change
    def add_environment(
        self, repo: str | Repository, name: str, kind: str = "Test", *, hidden: bool = False
    ) -> Environment:
        """Add an environment of kind Test, Staging or Production."""
        it = self.repository(repo)
        slug = name.lower().replace(" ", "-")
        uuid = self._uuid("environment")
        made = Environment(uuid, it, name, kind, _RANKS.get(kind, 0), slug, hidden)
        it.environments.append(made)
        return made

    @change
    def deploy(
        self,
        repo: str | Repository,
        environment: Environment,
        state: str = "IN_PROGRESS",
        result: str = "SUCCESSFUL",
        *,
        commit: str | None = None,
        pipeline: Pipeline | None = None,
        deployer: User | None = None,
    ) -> Deployment:
        """Deploy: UNDEPLOYED has no dates yet, IN_PROGRESS has begun, COMPLETED has a result."""
        it = self.repository(repo)
        step = pipeline.steps[-1].uuid if pipeline and pipeline.steps else self._uuid("step")
        target = pipeline.commit if pipeline else it.branches[it.mainbranch or ""]
        made = Deployment(
            uuid=self._uuid("deployment"),
            repository=it,
            number=len(it.deployments) + 1,
            environment=environment,
            commit=commit or target,
            deployer=deployer or it.workspace.members[0].user,
            created_on=self.now.stamp(),
            pipeline=pipeline,
            step=step,
        )
        it.deployments.append(made)
        if state != "UNDEPLOYED":
            self.proceed(made, "IN_PROGRESS")
        if state == "COMPLETED":
            self.proceed(made, "COMPLETED", result)
        return made

    @change
    def proceed(
        self,
        deployment: Deployment,
        state: str | None = None,
        result: str = "SUCCESSFUL",
        *,
        seconds: int | None = None,
    ) -> None:
        """Take a deployment to its next state (or to `state`)."""
        order = {"UNDEPLOYED": "IN_PROGRESS", "IN_PROGRESS": "COMPLETED"}
        to = state or order.get(deployment.state, "COMPLETED")
        stamp = self.now.stamp()
        if to == "IN_PROGRESS":
            deployment.started_on = stamp
        if to == "COMPLETED":
            deployment.started_on = deployment.started_on or stamp
            if seconds is not None:
                stamp = deployment.started_on + timedelta(seconds=seconds)
            deployment.completed_on, deployment.result = stamp, result
        deployment.state = to
        deployment.updated_on = stamp
        deployment.version += 1
