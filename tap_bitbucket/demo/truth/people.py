"""The truth about people: what each can read about themselves only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_bitbucket.demo.model import User
from tap_bitbucket.demo.truth.kinds import OfUser, Rows

if TYPE_CHECKING:
    from tap_bitbucket.demo.world import World


def _user(world: World, user: User) -> Rows:
    yield user.uuid, world.shapes.user(user)


def _emails(world: World, user: User) -> Rows:
    for one in user.emails:
        yield user.uuid, world.shapes.email(one)


def _ssh_keys(world: World, user: User) -> Rows:
    for one in user.ssh_keys:
        yield user.uuid, world.shapes.ssh_key(one)


def _gpg_keys(world: World, user: User) -> Rows:
    hidden = world.shapes.hidden_of_gpg_keys()
    for one in user.gpg_keys:
        more = {name: show(one) for name, show in hidden.items()}
        yield user.uuid, world.shapes.gpg_key(one) | more


KINDS: dict[str, OfUser] = {
    "current_user": _user,
    "current_user_emails": _emails,
    "current_user_ssh_keys": _ssh_keys,
    "current_user_gpg_keys": _gpg_keys,
}
