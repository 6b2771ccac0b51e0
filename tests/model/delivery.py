"""What happens to pipelines and deployments."""

from __future__ import annotations

from tests.model.changes import Actors, any_of

_RESULTS = ("SUCCESSFUL", "FAILED", "STOPPED", "ERROR")


class Machines(Actors):
    """What builds and deploys."""

    def start(self, which: int, how: int) -> None:
        """Start a pipeline of a branch, a commit or a pull request."""
        repo = any_of(self.filled, which)
        if repo is None:
            return
        request = any_of(list(repo.pull_requests.values()), how) if how % 4 == 3 else None
        if request is not None and request.source_hash not in repo.objects:
            request = None
        steps = ("Build", "Test", "Deploy")[: 1 + how % 3]
        self.world.start_pipeline(repo, steps=steps, pull_request=request)

    def finish(self, which: int, how: int) -> None:
        """Let a pipeline end, halt or pause."""
        running = [one for repo in self.repositories for one in repo.pipelines if one.stage]
        pipeline = any_of(running, which)
        if pipeline is None:
            return
        if how % 6 == 4:
            self.world.halt_pipeline(pipeline)
        elif how % 6 == 5:
            self.world.pause_pipeline(pipeline)
        else:
            self.world.finish_pipeline(pipeline, _RESULTS[how % 4])

    def rerun(self, which: int, how: int) -> None:  # noqa: ARG002
        """Run a pipeline again that had ended."""
        ended = [one for repo in self.repositories for one in repo.pipelines if not one.stage]
        pipeline = any_of(ended, which)
        if pipeline is not None:
            self.world.rerun_pipeline(pipeline)
            self.promises.ran_again(pipeline)

    def deploy(self, which: int, how: int) -> None:
        """Deploy what a pipeline built."""
        repo = any_of(self.filled, which)
        if repo is None or not repo.environments:
            return
        pipeline = any_of(repo.pipelines, how) if how % 2 else None
        state = ("UNDEPLOYED", "IN_PROGRESS", "COMPLETED")[how % 3]
        self.world.deploy(repo, repo.environments[0], state, pipeline=pipeline)

    def proceed(self, which: int, how: int) -> None:
        """Let a deployment go on."""
        every = [one for repo in self.repositories for one in repo.deployments]
        deployment = any_of([one for one in every if one.state != "COMPLETED"], which)
        if deployment is not None:
            self.world.proceed(deployment, None, _RESULTS[how % 4])

    def environment(self, which: int, how: int) -> None:
        """Add an environment, or delete one."""
        repo = any_of(self.repositories, which)
        if repo is None:
            return
        if len(repo.environments) > 1 and how % 2:
            repo.environments.pop(how % len(repo.environments))
        else:
            self.world.add_environment(repo, self.name("Test"))

    def switch(self, which: int, how: int) -> None:  # noqa: ARG002
        """Switch Pipelines off, or on again."""
        repo = any_of(self.repositories, which)
        if repo is not None and repo.pipelines_enabled:
            self.world.disable_pipelines(repo, never=False)
        elif repo is not None:
            self.world.enable_pipelines(repo)
