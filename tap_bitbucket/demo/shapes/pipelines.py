"""How the pipelines service shows pipelines, steps, environments and deployments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import Deployment, Environment, Pipeline, Step
from tap_bitbucket.demo.shapes.base import WEB, links
from tap_bitbucket.demo.shapes.pull_requests import PullRequestShapes

Json = dict[str, Any]
# Bitbucket leaks this inside address in the links of pipelines; a client must not follow it.
_INSIDE = "http://bitbucket-pipelines.prod.public.atl-paas.net//rest/1.0/accounts"


class PipelineShapes(PullRequestShapes):
    """Pipelines, environments and deployments: nanoseconds and `Z`, absent instead of null."""

    def pipeline(self, it: Pipeline) -> Json:
        """Show a pipeline; a running one has no `completed_on` and no `state.result`."""
        repo = it.repository
        own = f"{_INSIDE}/{repo.workspace.uuid}/repositories/{repo.uuid}/pipelines/{it.uuid}"
        seconds = 0
        if it.completed_on is not None:
            seconds = round((it.completed_on - (it.started_on or it.created_on)).total_seconds())
        row: Json = {
            "type": "pipeline",
            "uuid": it.uuid,
            "build_number": it.build_number,
            "run_number": it.run_number,
            "creator": self.account(it.creator),
            "repository": self.repository_ref(repo),
            "target": self._target(it),
            "trigger": {
                "type": f"pipeline_trigger_{it.trigger.lower()}",
                "name": it.trigger,
            },
            "state": self._state(it),
            "created_on": times.pipelines(it.created_on),
            "build_seconds_used": seconds * max(1, len(it.steps)),
            "duration_in_seconds": seconds,
            "first_successful": it.build_number == 1 and it.result == "SUCCESSFUL",
            "expired": False,
            "has_variables": False,
            "links": links(self=own, steps=f"{own}/steps/"),
        }
        if it.completed_on is not None:
            row["completed_on"] = times.pipelines(it.completed_on)
        return row

    def _state(self, it: Pipeline) -> Json:
        if it.result is not None:
            result: Json = {
                "type": f"pipeline_state_completed_{it.result.lower()}",
                "name": it.result,
            }
            if it.result == "ERROR":
                result["error"] = {
                    "type": "pipeline_error",
                    "key": "plan-service.parse.parse-error",
                    "message": "The pipeline configuration cannot be read.",
                    "arguments": {},
                }
            if it.terminator is not None:
                result["terminator"] = self.account(it.terminator)
            done = "pipeline_state_completed"
            return {"type": done, "name": "COMPLETED", "result": result}
        stage = it.stage or "RUNNING"
        if stage == "PENDING":
            return {"type": "pipeline_state_pending", "name": "PENDING"}
        doing = "pipeline_state_in_progress"
        inner = {"type": f"{doing}_{stage.lower()}", "name": stage}
        return {"type": doing, "name": "IN_PROGRESS", "stage": inner}

    def _target(self, it: Pipeline) -> Json:
        """Show what ran, in one of three shapes."""
        commit = self.commit_ref(it.repository, it.commit)
        base: Json = {"type": it.kind, "commit": commit, "selector": it.selector}
        if it.pull_request is not None:
            pull_request = it.pull_request
            end = self.commit_ref(it.repository, pull_request.destination_hash)
            return base | {
                "source": pull_request.source_branch,
                "destination": pull_request.destination_branch,
                "destination_commit": end,
                "pullrequest": self.pull_request_ref(pull_request),
            }
        if it.kind == "pipeline_commit_target":
            return base
        return base | {"ref_type": it.ref_type, "ref_name": it.ref_name}

    def step(self, step: Step, pipeline: Pipeline) -> Json:
        """Show a step; a pending one has neither dates nor an image."""
        row: Json = {
            "type": "pipeline_step",
            "uuid": step.uuid,
            "pipeline": {"type": "pipeline", "uuid": pipeline.uuid},
            "run_number": pipeline.run_number,
            "trigger": {"type": "pipeline_step_trigger_automatic"},
            "maxTime": 120,
            "build_seconds_used": 0,
        }
        if step.name is not None:
            row["name"] = step.name
        kind = f"pipeline_step_state_{step.state.lower()}"
        row["state"] = {"type": kind, "name": step.state}
        if step.result is not None:
            inner = {"type": f"{kind}_{step.result.lower()}", "name": step.result}
            row["state"]["result"] = inner
        if step.started_on is None:
            return row
        row["started_on"] = times.pipelines(step.started_on)
        row["setup_commands"] = [_command("umask 000"), _command("git clone .")]
        row["script_commands"] = [_command(line) for line in step.script]
        if step.image is not None:
            row["image"] = step.image
        if step.completed_on is not None:
            seconds = round((step.completed_on - step.started_on).total_seconds())
            row["completed_on"] = times.pipelines(step.completed_on)
            row["duration_in_seconds"] = row["build_seconds_used"] = seconds
            row["teardown_commands"] = [_command("upload metrics", "system")]
        return row

    def environment(self, it: Environment) -> Json:
        """Show an environment: far more fields than documented."""
        lock: Json = {"type": "deployment_environment_lock_open", "name": "OPEN"}
        if it.locked_by is not None:
            opener = {
                "type": "deployment_environment_lock_opener_pipeline_step",
                "step_uuid": it.locked_by.step,
                "deployment_group_uuid": it.locked_by.uuid,
            }
            lock = {
                "type": "deployment_environment_lock_locked",
                "name": "LOCKED",
                "lock_opener": opener,
                "triggerer": self.account(it.locked_by.deployer),
            }
        return {
            "type": "deployment_environment",
            "uuid": it.uuid,
            "name": it.name,
            "slug": it.slug,
            "rank": it.rank,
            "environment_type": self._environment_type(it),
            "category": {"name": it.kind},
            "hidden": it.hidden,
            "deployment_gate_enabled": False,
            "environment_lock_enabled": True,
            "lock": lock,
            "restrictions": {
                "type": "deployment_restrictions_configuration",
                "admin_only": it.kind == "Production",
            },
        }

    def _environment_type(self, it: Environment) -> Json:
        return {"type": "deployment_environment_type", "name": it.kind, "rank": it.rank}

    def hidden_of_deployments(self) -> dict[str, Callable[[Deployment], Any]]:
        """Say what of the environment is shown only when `fields=` asks for it."""
        return {
            "environment.name": lambda it: it.environment.name,
            "environment.slug": lambda it: it.environment.slug,
            "environment.environment_type": lambda it: self._environment_type(it.environment),
        }

    def deployment(self, it: Deployment) -> Json:
        """Show a deployment; its environment is only a uuid, an undeployed one has no dates."""
        repo = it.repository
        web = f"{WEB}/{repo.full_name}/addon/pipelines/home#!/results"
        number = it.pipeline.build_number if it.pipeline else it.number
        release: Json = {
            "type": "deployment_release",
            "uuid": it.uuid[:-5] + "0000}",
            "key": f"pipelines-{it.pipeline.uuid}" if it.pipeline else f"commits-{it.commit}",
            "name": f"#{number}",
            "url": f"{web}/{number}",
            "commit": self.commit_ref(repo, it.commit),
            "created_on": times.pipelines(it.created_on),
        }
        if it.pipeline is not None:
            release["pipeline"] = {"type": "pipeline", "uuid": it.pipeline.uuid}
        kind = f"deployment_state_{it.state.lower()}"
        state: Json = {"type": kind, "name": it.state}
        if it.started_on is not None:
            state["started_on"] = times.pipelines(it.started_on)
            state["url"] = f"{web}/{number}/steps/{it.step}"
            state["deployer"] = self.account(it.deployer)
        if it.completed_on is not None and it.result is not None:
            state["completed_on"] = times.pipelines(it.completed_on)
            state["status"] = {"type": f"{kind}_{it.result.lower()}", "name": it.result}
        row: Json = {
            "type": "deployment",
            "uuid": it.uuid,
            "number": it.number,
            "key": f"steps-{it.step}",
            "environment": {"uuid": it.environment.uuid},
            "step": {"uuid": it.step},
            "commit": self.commit_ref(repo, it.commit),
            "deployable": release,
            "release": release,
            "state": state,
            "version": it.version,
        }
        if it.updated_on is not None:
            row["last_update_time"] = times.pipelines(it.updated_on)
        return row


def _command(text: str, kind: str = "user") -> Json:
    return {"command": text, "name": text, "commandType": kind}
