"""What tests of the streams below pull requests share: some of them, and who was asked."""

from __future__ import annotations

import re
from collections import Counter

from tap_bitbucket.demo.model import PullRequest
from tests.story import Story, open_request

GATED = ("pull_request_commits", "pull_request_diffstat")
BELOW = (*GATED, "pull_request_statuses")
LISTS = {
    "pull_request_commits": r"/pullrequests/(\d+)/commits",
    "pull_request_diffstat": r"from_pullrequest_id=(\d+)",
    "pull_request_statuses": r"/pullrequests/(\d+)/statuses",
}


def asked_about(story: Story, stream: str) -> Counter[int]:
    """Return how often the last sync asked for a stream, by pull request of ``api``."""
    found = (re.search(r"/api\b.*" + LISTS[stream], one.url) for one in story.server.requests)
    return Counter(int(match[1]) for match in found if match)


def several(story: Story) -> list[PullRequest]:
    """Open four pull requests with builds, and merge one, decline one, delete the fork of one."""
    fork = story.world.add_repository("halley-labs", "fork", fork_of=story.api)
    made = [open_request(story, n=3) for _ in range(3)]
    made.append(open_request(story, n=2, source_repo=fork))
    for number, request in enumerate(made):
        for commit in request.commits:
            story.world.add_status(story.api, commit, f"build {number}")
    story.world.merge(made[1], story.who("bob"))
    story.world.decline(made[2], story.who("bob"), "No.")
    story.clock.later(hours=1)
    return made
