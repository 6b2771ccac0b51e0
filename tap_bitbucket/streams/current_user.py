"""The account that signs in, and what belongs to it. Access tokens are nobody: they have none."""

from __future__ import annotations

from tap_bitbucket.http.paging import Paging
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.scopes import GlobalStream


class CurrentUser(GlobalStream):
    """The account that signs in."""

    name = "current_user"
    path = "/user"
    primary_keys = ("uuid",)
    incremental = FullTable()
    scope = "account"
    paging = Paging.ENTITY
    carried = {"user_uuid": "uuid"}
    token_scope = "read:user"
    selected_by_default = False


class CurrentUserEmails(GlobalStream):
    """Its e-mail addresses."""

    name = "current_user_emails"
    path = "/user/emails"
    primary_keys = ("email",)
    incremental = FullTable()
    scope = "email"
    token_scope = "read:user"
    selected_by_default = False


class CurrentUserSshKeys(GlobalStream):
    """Its SSH keys."""

    name = "current_user_ssh_keys"
    path = "/users/{user_uuid}/ssh-keys"
    primary_keys = ("uuid",)
    incremental = FullTable(parents="current_user")
    scope = "account"
    token_scope = "read:ssh-key"
    selected_by_default = False


class CurrentUserGpgKeys(GlobalStream):
    """Its GPG keys; the keys themselves are left out of the list unless asked for."""

    name = "current_user_gpg_keys"
    path = "/users/{user_uuid}/gpg-keys"
    primary_keys = ("fingerprint",)
    incremental = FullTable(parents="current_user")
    scope = "account"
    extra_fields = ("key", "subkeys")
    token_scope = "read:gpg-key"
    selected_by_default = False
