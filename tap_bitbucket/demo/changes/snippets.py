"""Changes to snippets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tap_bitbucket.demo.changes.ground import Ground, change
from tap_bitbucket.demo.model import Commit, Snippet, SnippetComment, User, Workspace

_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"


class Snippets(Ground):
    """The world's snippets."""

    @change
    def add_snippet(
        self,
        workspace: str | Workspace,
        title: str,
        creator: User | None,
        *,
        files: Sequence[str] = ("snippet.txt",),
        is_private: bool = True,
    ) -> Snippet:
        """Add a snippet, with a first commit."""
        where = self._workspace(workspace)
        number = int(hashlib.md5(title.encode(), usedforsecurity=False).hexdigest()[:6], 16)
        letters = []
        rest = number + self._next() * 17
        for _ in range(6):
            rest, at = divmod(rest, len(_LETTERS))
            letters.append(_LETTERS[at])
        name = "".join(letters)
        now = self.now.stamp()
        made = Snippet(name, where, title, creator, now, now, is_private, list(files))
        where.snippets[name] = made
        self._commit_to(made, f"Add {title}\n", creator)
        return made

    def _commit_to(self, snippet: Snippet, message: str, user: User | None) -> Commit:
        number = self._next()
        text = f"{self.seed}:{snippet.id}:{number}:{message}"
        name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        raw = user.raw if user else "Nobody <nobody@example.com>"
        parents = (snippet.commits[-1].hash,) if snippet.commits else ()
        date = self.now().replace(microsecond=0)
        made = Commit(name, number, date, raw, user, message, parents, ())
        snippet.commits.append(made)
        return made

    @change
    def push_snippet(self, snippet: Snippet, message: str, user: User | None = None) -> Commit:
        """Change a snippet's files."""
        snippet.updated_on = self.now.stamp()
        return self._commit_to(snippet, f"{message}\n", user)

    @change
    def rename_snippet(self, snippet: Snippet, title: str) -> None:
        """Give a snippet another title."""
        snippet.title, snippet.updated_on = title, self.now.stamp()

    @change
    def delete_snippet(self, snippet: Snippet) -> None:
        """Delete a snippet: by itself it answers 410 then."""
        del snippet.workspace.snippets[snippet.id]
        snippet.workspace.deleted_snippets.add(snippet.id)

    @change
    def comment_on_snippet(
        self,
        snippet: Snippet,
        user: User,
        text: str,
        *,
        parent: SnippetComment | None = None,
        touch: bool = True,
    ) -> SnippetComment:
        """Comment; whether this moves the snippet's `updated_on` is not known: `touch`."""
        stamp = self.now.stamp()
        number = 9_000_000 + self._next()
        made = SnippetComment(number, user, text, stamp, stamp, parent.id if parent else None)
        snippet.comments.append(made)
        if touch:
            snippet.updated_on = stamp
        return made

    @change
    def edit_snippet_comment(self, comment: SnippetComment, text: str) -> None:
        """Change what a comment says."""
        comment.raw, comment.updated_on = text, self.now.stamp()

    @change
    def delete_snippet_comment(self, comment: SnippetComment) -> None:
        """Delete a comment: it stays listed, empty."""
        comment.deleted, comment.raw = True, ""
        comment.updated_on = self.now.stamp()
