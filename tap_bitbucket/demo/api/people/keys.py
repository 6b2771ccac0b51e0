"""Public keys of people: one's own, in practice."""

from __future__ import annotations

from typing import Any

from tap_bitbucket.demo import errors
from tap_bitbucket.demo.call import Call, Listing
from tap_bitbucket.demo.model import GpgKey, User
from tap_bitbucket.demo.paging import NUMBERED
from tap_bitbucket.demo.routing import Scopes, route

SSH_KEYS = Scopes(("account",), ("read:ssh-key",))
GPG_KEYS = Scopes(("account",), ("read:gpg-key",))
U = "/users/{selected_user}"


def _me(call: Call) -> User:
    """Find the person that the path names: nobody but the caller."""
    name, me = call.args["selected_user"], call.identity.user
    if all(name not in (one.uuid, one.account_id) for one in call.world.users.values()):
        raise errors.core(404, f"{name} is not a valid user")
    if me is None or name not in (me.uuid, me.account_id):
        raise errors.core(403, "You do not have access to this user's keys.")
    return me


@route(f"{U}/ssh-keys", SSH_KEYS, paging=NUMBERED, people_only=True)
def ssh_keys(call: Call) -> Listing:
    """List the keys that one signs in with."""
    return Listing(_me(call).ssh_keys, call.shapes.ssh_key)


@route(f"{U}/ssh-keys/{{key_id}}", SSH_KEYS, people_only=True)
def ssh_key(call: Call) -> Any:
    """Show a key that one signs in with."""
    return call.shapes.ssh_key(call.pick(_me(call).ssh_keys, "key_id", "name", "uuid"))


@route(f"{U}/gpg-keys", GPG_KEYS, paging=NUMBERED, people_only=True)
def gpg_keys(call: Call) -> Listing:
    """List the keys that one signs commits with, without the keys themselves."""
    return Listing(_me(call).gpg_keys, call.shapes.gpg_key, call.shapes.hidden_of_gpg_keys())


@route(f"{U}/gpg-keys/{{fingerprint}}", GPG_KEYS, people_only=True)
def gpg_key(call: Call) -> Any:
    """Show a key that one signs commits with."""
    name = call.args["fingerprint"].lower()
    found: list[GpgKey] = [one for one in _me(call).gpg_keys if one.fingerprint == name]
    if not found:
        raise errors.core(404, f"{name} not found")
    row = call.shapes.gpg_key(found[0])
    return call.fields.reveal(row, found[0], call.shapes.hidden_of_gpg_keys())
