"""How addresses and keys look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tap_bitbucket.demo import times
from tap_bitbucket.demo.model import DeployKey, EmailAddress, GpgKey, Repository, SshKey
from tap_bitbucket.demo.shapes.base import Json, links
from tap_bitbucket.demo.shapes.places import PlaceShapes


class KeyShapes(PlaceShapes):
    """Addresses and public keys."""

    def email(self, email: EmailAddress) -> Json:
        """Show an address of the caller."""
        return {
            "type": "email",
            "email": email.address,
            "is_primary": email.is_primary,
            "is_confirmed": email.is_confirmed,
            "links": links(self=f"{self.base}/user/emails/{quote(email.address, safe='@')}"),
        }

    def ssh_key(self, key: SshKey) -> Json:
        """Show a key that somebody signs in with."""
        own = f"{self.base}/users/{quote(key.owner.uuid)}/ssh-keys/{key.name}"
        return {
            "type": "ssh_key",
            "uuid": key.uuid,
            "key": key.key,
            "label": key.label,
            "comment": key.comment,
            "fingerprint": key.key[-43:],
            "owner": self.account(key.owner),
            "created_on": times.core(key.created_on),
            "last_used": times.core(key.last_used),
            "expires_on": times.core(key.expires_on),
            "links": links(self=own),
        }

    def gpg_key(self, key: GpgKey) -> Json:
        """Show a key that commits are signed with, without the key itself and its subkeys."""
        own = f"{self.base}/users/{quote(key.owner.uuid)}/gpg-keys/{key.fingerprint.upper()}"
        return {
            "type": "gpg_key",
            "fingerprint": key.fingerprint,
            "key_id": key.fingerprint[-16:],
            "parent_fingerprint": key.parent,
            "name": key.name,
            "owner": self.account(key.owner),
            "created_on": times.core(key.created_on),
            "added_on": times.core(key.added_on),
            "last_used": times.core(key.last_used),
            "expires_on": times.core(key.expires_on),
            "links": links(self=own),
        }

    def hidden_of_gpg_keys(self) -> dict[str, Callable[[GpgKey], Any]]:
        """Say what is shown only when `fields=` asks for it."""
        return {
            "key": lambda key: key.key,
            "subkeys": lambda key: [self.gpg_key(one) for one in key.subkeys],
        }

    def deploy_key(self, key: DeployKey, date: str = "created_on") -> Json:
        """Show a machine's key; examples call its `date` otherwise than the documents do."""
        place = key.place
        if isinstance(place, Repository):
            own = f"{self.base}/repositories/{place.full_name}/deploy-keys/{key.id}"
            where: Json = {"repository": self.repository_ref(place)}
            who: Json = {"owner": self.account(key.owner)} if key.owner else {}
        else:
            above = f"{self.base}/workspaces/{place.workspace.slug}/projects/{place.key}"
            own = f"{above}/deploy-keys/{key.id}"
            where = {"project": self.project_ref(place)}
            who = {"created_by": self.account(key.owner)} if key.owner else {}
        return {
            "type": "deploy_key" if "repository" in where else "project_deploy_key",
            "id": key.id,
            "key": key.key,
            "label": key.label,
            "comment": key.comment,
            date: times.core(key.created_on),
            "last_used": times.core(key.last_used),
            **where,
            **who,
            "links": links(self=own),
        }
