"""How runners, schedules, known hosts and caches look."""

from __future__ import annotations

import hashlib

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import (
    Cache,
    Execution,
    KeyPair,
    KnownHost,
    Repository,
    Runner,
    Schedule,
)
from tap_bitbucket.demo.shapes.base import Json
from tap_bitbucket.demo.shapes.places import PlaceShapes


class RunningShapes(PlaceShapes):
    """What pipelines run on and by: nanoseconds and `Z`, absent instead of null."""

    def pipelines_config(self, repo: Repository) -> Json:
        """Tell whether Pipelines is on."""
        return {
            "type": "repository_pipelines_configuration",
            "enabled": repo.pipelines_enabled,
            "repository": self.repository_ref(repo),
        }

    def runner(self, runner: Runner) -> Json:
        """Show a runner, its OAuth client's secret included; only a seen one has a version."""
        state: Json = {
            "type": "pipeline_runner_state",
            "status": runner.status,
            "cordoned": runner.cordoned,
        }
        if runner.seen_on is not None:
            state["updated_on"] = times.pipelines(runner.seen_on)
            state["version"] = {
                "type": "pipeline_runner_version",
                "version": runner.version,
                "current": "3.14.0",
            }
        return {
            "type": "pipeline_runner",
            "uuid": runner.uuid,
            "name": runner.name,
            "labels": list(runner.labels),
            "state": state,
            "created_on": times.pipelines(runner.created_on),
            "updated_on": times.pipelines(runner.updated_on),
            "oauth_client": {
                "type": "pipeline_runner_oauth_client",
                "id": runner.client_id,
                "secret": runner.secret,
                "token_endpoint": "https://auth.example.com/oauth/token",
                "audience": "api.example.com",
            },
        }

    def schedule(self, schedule: Schedule) -> Json:
        """Show a schedule; what it runs has a branch, but no commit."""
        return {
            "type": "pipeline_schedule",
            "uuid": schedule.uuid,
            "enabled": schedule.enabled,
            "cron_pattern": schedule.cron_pattern,
            "target": {
                "type": "pipeline_ref_target",
                "ref_type": schedule.ref_type,
                "ref_name": schedule.ref_name,
                "selector": dict(schedule.selector),
            },
            "created_on": times.pipelines(schedule.created_on),
            "updated_on": times.pipelines(schedule.updated_on),
        }

    def execution(self, execution: Execution) -> Json:
        """Show one time that a schedule came due: it has neither id nor date of its own."""
        if execution.pipeline is not None:
            pipeline = {"type": "pipeline", "uuid": execution.pipeline.uuid}
            return {"type": "pipeline_schedule_execution_executed", "pipeline": pipeline}
        error = {
            "type": "pipeline_error",
            "key": execution.error_key,
            "message": execution.error_message,
        }
        return {"type": "pipeline_schedule_execution_errored", "error": error}

    def known_host(self, host: KnownHost) -> Json:
        """Show a host; one whose key was not fetched has none."""
        row: Json = {
            "type": "pipeline_known_host",
            "uuid": host.uuid,
            "hostname": host.hostname,
        }
        if host.key is not None:
            digest = hashlib.md5(host.key.encode(), usedforsecurity=False).hexdigest()
            pairs = ":".join(digest[at : at + 2] for at in range(0, 32, 2))
            row["public_key"] = {
                "type": "pipeline_ssh_public_key",
                "key_type": host.key_type,
                "key": host.key,
                "md5_fingerprint": pairs,
                "sha256_fingerprint": hashlib.sha256(host.key.encode()).hexdigest(),
            }
        return row

    def key_pair(self, pair: KeyPair, *, private: bool = False) -> Json:
        """Show the ssh key of the steps; the documents list the private half as well."""
        row: Json = {"type": "pipeline_ssh_key_pair", "public_key": pair.public}
        if private:
            row["private_key"] = pair.private
        return row

    def cache(self, cache: Cache) -> Json:
        """Show a cache."""
        return {
            "type": "pipeline_cache",
            "uuid": cache.uuid,
            "pipeline_uuid": cache.pipeline,
            "step_uuid": cache.step,
            "name": cache.name,
            "key_hash": cache.key_hash,
            "path": cache.path,
            "file_size_bytes": cache.file_size_bytes,
            "created_on": times.pipelines(cache.created_on),
        }
