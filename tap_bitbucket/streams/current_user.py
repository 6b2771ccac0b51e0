"""The account that signs in, and what belongs to it. Access tokens are nobody: they have none.

See https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users/, …/api-group-ssh/ and
…/api-group-gpg/.
"""

from __future__ import annotations

from collections.abc import Iterator

from tap_bitbucket.auth import AuthenticationError
from tap_bitbucket.http.errors import SkipPartition
from tap_bitbucket.http.paging import Page, Paging
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.incremental import FullTable
from tap_bitbucket.scopes import GlobalStream


class _Own(GlobalStream):
    """Shared by what belongs to a person.

    What an access token is told when it asks (BCLOUD-23528) is not documented: 403, or the 401
    of a token that is "not supported for this endpoint", which elsewhere means a dead one.
    """

    def pages(self, listing: Listing) -> Iterator[Page]:
        """Read a list; a credential that was good before is not dead, but nobody's."""
        try:
            yield from super().pages(listing)
        except AuthenticationError as error:
            if not self._tap.session.identities.accepted:
                raise
            message = f"{error} This kind of credential may have no user"
            raise SkipPartition(message, 401) from None


class CurrentUser(_Own):
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


class CurrentUserEmails(_Own):
    """Its e-mail addresses."""

    name = "current_user_emails"
    path = "/user/emails"
    primary_keys = ("email",)
    incremental = FullTable()
    scope = "email"
    token_scope = "read:user"
    selected_by_default = False


class CurrentUserSshKeys(_Own):
    """Its SSH keys."""

    name = "current_user_ssh_keys"
    path = "/users/{user_uuid}/ssh-keys"
    primary_keys = ("uuid",)
    incremental = FullTable(parents="current_user")
    scope = "account"
    token_scope = "read:ssh-key"
    selected_by_default = False


class CurrentUserGpgKeys(_Own):
    """Its GPG keys; the keys themselves are left out of the list unless asked for."""

    name = "current_user_gpg_keys"
    path = "/users/{user_uuid}/gpg-keys"
    primary_keys = ("fingerprint",)
    incremental = FullTable(parents="current_user")
    scope = "account"
    extra_fields = ("key", "subkeys")
    token_scope = "read:gpg-key"
    selected_by_default = False
