"""Changes to addresses and keys."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import (
    DeployKey,
    EmailAddress,
    GpgKey,
    Project,
    Repository,
    SshKey,
    User,
)


class Keys(Ground):
    """The world's public keys, and people's own addresses."""

    def _public_key(self) -> str:
        """Make up an ssh key's public half."""
        digest = hashlib.sha256(f"{self.seed}:key:{self._next()}".encode()).digest()
        body = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + digest).decode()
        return f"ssh-ed25519 {body}"

    @change
    def add_email(self, user: User, address: str, *, is_confirmed: bool = True) -> EmailAddress:
        """Give somebody another address."""
        made = EmailAddress(address, is_confirmed=is_confirmed)
        user.emails.append(made)
        return made

    @change
    def delete_email(self, user: User, address: str) -> None:
        """Forget an address."""
        user.emails = [one for one in user.emails if one.address != address]

    @change
    def add_ssh_key(
        self,
        user: User,
        label: str,
        comment: str = "",
        *,
        last_used: datetime | None = None,
        expires_on: datetime | None = None,
    ) -> SshKey:
        """Add a key that somebody signs in with."""
        made = SshKey(
            self._uuid("ssh-key"), user, self._public_key(), label, comment, self.now.stamp(),
            last_used, expires_on,
        )  # fmt: skip
        user.ssh_keys.append(made)
        return made

    @change
    def use_key(self, key: SshKey | GpgKey | DeployKey) -> None:
        """Let a key be used."""
        key.last_used = self.now.stamp()

    @change
    def delete_ssh_key(self, key: SshKey) -> None:
        """Delete a key that somebody signs in with."""
        key.owner.ssh_keys.remove(key)

    @change
    def add_gpg_key(
        self, user: User, name: str, *, subkeys: int = 0, expires_on: datetime | None = None
    ) -> GpgKey:
        """Add a key that somebody signs commits with, and its subkeys."""
        made = self._gpg_key(user, name, None, expires_on)
        made.subkeys = [
            self._gpg_key(user, f"{name} (subkey)", made.fingerprint, expires_on)
            for _ in range(subkeys)
        ]
        user.gpg_keys.append(made)
        return made

    def _gpg_key(
        self, user: User, name: str, parent: str | None, expires_on: datetime | None
    ) -> GpgKey:
        now = self.now.stamp()
        text = f"{self.seed}:gpg:{self._next()}"
        fingerprint = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        body = base64.b64encode(fingerprint.encode()).decode()
        block = (
            f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n-----END PGP PUBLIC KEY BLOCK-----"
        )
        created = now - timedelta(days=30)
        return GpgKey(
            user, fingerprint, name, block, created, now, parent=parent, expires_on=expires_on
        )

    @change
    def delete_gpg_key(self, key: GpgKey) -> None:
        """Delete a key that somebody signs commits with."""
        key.owner.gpg_keys.remove(key)

    @change
    def add_deploy_key(
        self,
        place: str | Repository | Project,
        label: str,
        *,
        comment: str = "",
        owner: User | None = None,
        last_used: datetime | None = None,
    ) -> DeployKey:
        """Let a machine read a repository, or all repositories of a project."""
        it = place if isinstance(place, Project) else self.repository(place)
        made = DeployKey(
            2_000 + self._next(), it, self._public_key(), label, comment, owner,
            self.now.stamp(), last_used,
        )  # fmt: skip
        it.deploy_keys.append(made)
        return made

    @change
    def delete_deploy_key(self, key: DeployKey) -> None:
        """Take a machine's key back."""
        key.place.deploy_keys.remove(key)
