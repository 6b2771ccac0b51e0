"""Commits."""

from __future__ import annotations

from collections.abc import Iterator

from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental import NewCommits
from tap_bitbucket.incremental.passes import Context
from tap_bitbucket.scopes import RepositoryStream
from tap_bitbucket.streams.repositories import Refs, refs


class Commits(RepositoryStream):
    """Every commit that a branch or a tag reaches.

    Forks share hashes, so the repository belongs to the key.
    """

    name = "commits"
    path = "/repositories/{workspace}/{repository}/commits"
    primary_keys = ("repository_uuid", "hash")
    incremental = NewCommits()
    needed = ("parents.hash",)

    def heads(self, context: Context) -> Iterator[str]:
        """Yield the hashes that branches and tags point to.

        If both tables are read in this run anyway, they tell; else one list holds both.
        """
        tables: list[Refs] = [self.related(name) for name in ("branches", "tags")]
        if self._tap.reading_ahead and all(table.reads(context) for table in tables):
            for table in tables:
                yield from (ref.target.hash for ref in self.directory.feed(table.entity, context))
            return
        for page in self.pages(self._refs(context)):
            yield from (ref.target.hash for ref in refs(page))

    def _refs(self, context: Context) -> Listing:
        request = Request(
            path("/repositories/{workspace}/{repository}/refs", **self.path_names(context)),
            (("pagelen", "100"), ("fields", "values.name,values.type,values.target.hash,next")),
        )
        return Listing(request, simpler=(("fields", None),))
