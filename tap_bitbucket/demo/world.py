"""A world: everything the stand-in serves, how to change it, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tap_bitbucket.demo.changes.delivery import Delivery
from tap_bitbucket.demo.changes.grants import Grants
from tap_bitbucket.demo.changes.insights import Insights
from tap_bitbucket.demo.changes.keys import Keys
from tap_bitbucket.demo.changes.running import Running
from tap_bitbucket.demo.changes.setup import Setup
from tap_bitbucket.demo.changes.snippets import Snippets
from tap_bitbucket.demo.identity import Identities
from tap_bitbucket.demo.model import Json, Repository, User, Workspace
from tap_bitbucket.demo.oauth import OAuth
from tap_bitbucket.demo.shapes import Shapes
from tap_bitbucket.demo.truth import Truth, rows_of

Event = tuple[datetime, Callable[["World"], None]]
_BY_ROLE = {"owner": "admin", "collaborator": "write", "member": "read"}


@dataclass
class Credentials:
    """One credential of each kind, ready to use."""

    client_id: str
    client_secret: str
    email: str
    api_token: str
    access_token: str
    refresh_token: str = ""


class World(Delivery, Running, Insights, Snippets, Setup, Grants, Keys):
    """Workspaces, people, credentials, and a list of things still to happen.

    `secrets` holds all strings planted in it that must not leave a client: secured values,
    client secrets, private keys, passwords of images, tokens in URLs.
    """

    def __init__(self, seed: str = "world") -> None:
        """Start empty; two worlds of one seed and one history are equal, uuids included."""
        super().__init__(seed)
        self.oauth = OAuth(self.users)
        self.identities = Identities(self.oauth)
        self.shapes = Shapes("https://api.bitbucket.org/2.0")
        self.story: list[Event] = []
        self.credentials: Credentials | None = None

    def permissions(self, workspace: Workspace) -> list[tuple[Repository, User, str]]:
        """List who may do what with which repository of a workspace."""
        found = []
        for repo in workspace.repositories.values():
            for member in workspace.members:
                granted = repo.permissions.get(member.user.uuid, _BY_ROLE[member.permission])
                found.append((repo, member.user, granted))
        return found

    # -- the story -------------------------------------------------------------------------

    def schedule(self, at: datetime, event: Callable[[World], None]) -> None:
        """Let something happen later: when `move_on` comes past `at`."""
        with self.lock:
            self.story.append((at, event))
            self.story.sort(key=lambda entry: entry[0])

    def move_on(self, until: datetime | None = None) -> int:
        """Let everything happen that is due; each event is stamped with its own time."""
        limit = until or self.now()
        if not self.story or self.story[0][0] > limit:
            return 0
        happened = 0
        with self.lock, self._clock.standing_at():
            while self.story and self.story[0][0] <= limit:
                at, event = self.story.pop(0)
                self._clock.set(at)
                event(self)
                happened += 1
        return happened

    # -- the truth -------------------------------------------------------------------------

    def truth(self, kind: str) -> list[Truth]:
        """List all rows of a kind as the API shows them: (workspace, repository, parent, row).

        The parent is what the rows are read below: a commit, a pull request, a pipeline, a
        step, a project's key, and for the kinds `current_user…` the caller's uuid.
        Pending comments and tasks are not among them: each is shown to its author only.
        Rows carry what lists hide unless it is asked for: reviewers and participants of pull
        requests, the keys themselves of current_user_gpg_keys, and their subkeys.
        """
        with self.lock:
            return rows_of(self, kind)

    def rows(self, kind: str, repo: str | Repository | None = None) -> list[Json]:
        """List the rows of a kind, of one repository or of all."""
        slug = self.repository(repo).slug if repo is not None else None
        return [row[3] for row in self.truth(kind) if slug is None or row[1] == slug]
