"""Files that were put up for download."""

from __future__ import annotations

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing, Reply
from tap_bitbucket.demo.paging import NUMBERED
from tap_bitbucket.demo.routing import REPOSITORY, R, route


@route(f"{R}/downloads", REPOSITORY, paging=NUMBERED)
def downloads(call: Call) -> Listing:
    """List the files; on the Free plan this answers 402."""
    if call.settings.free_plan:
        raise errors.core(402, "Downloads are not part of the Free plan")
    return Listing(call.repo.downloads, lambda one: call.shapes.download(one, call.repo))


@route(f"{R}/downloads/{{filename}}", REPOSITORY)
def download(call: Call) -> Reply:
    """Send to another host, which takes no credentials of Bitbucket's."""
    found = call.pick(call.repo.downloads, "filename", "name")
    return Reply(302, "", {"Location": f"https://storage.example.net/{found.name}?Signature=made"})
