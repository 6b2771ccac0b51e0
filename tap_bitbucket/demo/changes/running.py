"""Changes to what pipelines run on and by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import (
    Cache,
    Execution,
    KeyPair,
    KnownHost,
    Pipeline,
    Repository,
    Runner,
    Schedule,
    Workspace,
)

_PRIVATE = "OPENSSH PRIVATE KEY"


class Running(Ground):
    """The world's runners, schedules, caches, known hosts and key pairs."""

    def _secret(self, kind: str) -> str:
        """Make up a secret, and plant it."""
        text = f"{self.seed}:{kind}:{self._next()}"
        return self.plant(hashlib.sha256(text.encode()).hexdigest()[:40])

    @change
    def add_runner(
        self, place: str | Repository | Workspace, name: str, labels: Sequence[str] = ()
    ) -> Runner:
        """Register a runner; its OAuth client has a secret, which the API tells."""
        it = place if isinstance(place, Workspace) else self.repository(place)
        stamp = self.now.stamp()
        made = Runner(
            self._uuid("runner"), name, ["self.hosted", *labels], self._uuid("client")[1:-1],
            self._secret("runner"), stamp, stamp,
        )  # fmt: skip
        it.runners.append(made)
        return made

    @change
    def set_runner(self, runner: Runner, status: str, *, cordoned: bool = False) -> None:
        """Let a runner be ONLINE, OFFLINE, DISABLED, UNHEALTHY and so on."""
        runner.status, runner.cordoned = status, cordoned
        runner.version = runner.version or "3.14.0"
        runner.seen_on = runner.updated_on = self.now.stamp()

    @change
    def delete_runner(self, place: str | Repository | Workspace, runner: Runner) -> None:
        """Delete a runner."""
        it = place if isinstance(place, Workspace) else self.repository(place)
        it.runners.remove(runner)

    @change
    def add_schedule(
        self,
        repo: str | Repository,
        cron_pattern: str,
        ref_name: str = "main",
        *,
        pattern: str | None = None,
        ref_type: str = "branch",
    ) -> Schedule:
        """Schedule a pipeline of a branch; `pattern` names a custom one."""
        stamp = self.now.stamp()
        selector = {"type": "branches", "pattern": ref_name}
        if pattern is not None:
            selector = {"type": "custom", "pattern": pattern}
        made = Schedule(
            self._uuid("schedule"), cron_pattern, ref_type, ref_name, selector, stamp, stamp
        )
        self.repository(repo).schedules.append(made)
        return made

    @change
    def set_schedule(self, schedule: Schedule, *, enabled: bool) -> None:
        """Switch a schedule on or off."""
        schedule.enabled, schedule.updated_on = enabled, self.now.stamp()

    @change
    def delete_schedule(self, repo: str | Repository, schedule: Schedule) -> None:
        """Delete a schedule."""
        self.repository(repo).schedules.remove(schedule)

    @change
    def execute(
        self,
        schedule: Schedule,
        pipeline: Pipeline | None = None,
        *,
        error: tuple[str, str] | None = None,
    ) -> Execution:
        """Let a schedule come due: it starts a pipeline, or meets an error (key, message)."""
        key, message = error or (None, None)
        made = Execution(pipeline, key, message)
        schedule.executions.append(made)
        return made

    @change
    def add_known_host(
        self, repo: str | Repository, hostname: str, *, fetched: bool = True
    ) -> KnownHost:
        """Add a host that steps may reach by ssh."""
        uuid = self._uuid("known-host")
        key = "AAAAC3NzaC1lZDI1NTE5" + uuid[1:-1].replace("-", "") if fetched else None
        made = KnownHost(uuid, hostname, key)
        self.repository(repo).known_hosts.append(made)
        return made

    @change
    def delete_known_host(self, repo: str | Repository, host: KnownHost) -> None:
        """Forget a host."""
        self.repository(repo).known_hosts.remove(host)

    @change
    def add_key_pair(self, repo: str | Repository) -> KeyPair:
        """Give the steps of a repository an ssh key."""
        body = self._secret("private-key")
        private = f"-----BEGIN {_PRIVATE}-----\n{body}\n-----END {_PRIVATE}-----\n"
        made = KeyPair(f"ssh-rsa AAAAB3NzaC1yc2E{self._next()}", private)
        self.repository(repo).key_pair = made
        return made

    @change
    def add_cache(
        self, repo: str | Repository, name: str, pipeline: Pipeline, size: int = 4096
    ) -> Cache:
        """Keep files of a pipeline for the next one; a cache of the same name is replaced."""
        it = self.repository(repo)
        it.caches = [one for one in it.caches if one.name != name]
        uuid = self._uuid("cache")
        key = hashlib.sha256(uuid.encode()).hexdigest()
        made = Cache(
            uuid, name, f"~/.cache/{name}", key, size, self.now.stamp(), pipeline.uuid,
            pipeline.steps[0].uuid,
        )  # fmt: skip
        it.caches.append(made)
        return made

    @change
    def delete_cache(self, repo: str | Repository, cache: Cache) -> None:
        """Throw a cache away."""
        self.repository(repo).caches.remove(cache)
