"""What webhooks can be told about: public, for everybody the same."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.hook_events import HOOK_EVENTS
from tap_bitbucket.demo.paging import Paging
from tap_bitbucket.demo.routing import Scopes, route


@route("/hook_events", Scopes(), public=True)
def subjects(call: Call) -> Any:
    """Name the kinds of places that have webhooks."""
    base = f"{call.shapes.base}/hook_events"
    return {name: {"links": {"events": {"href": f"{base}/{name}"}}} for name in HOOK_EVENTS}


@route("/hook_events/{subject_type}", Scopes(), paging=Paging(default=30), public=True)
def events(call: Call) -> Listing:
    """List the events of one kind of place."""
    found = HOOK_EVENTS.get(call.args["subject_type"])
    if found is None:
        raise errors.core(404, f"No such subject type: {call.args['subject_type']}")
    return Listing(found, dict)
