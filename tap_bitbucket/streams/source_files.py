"""The files of a repository, at the head of its main branch.

See https://developer.atlassian.com/cloud/bitbucket/rest/api-group-source/, which tells of HTTP 555.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from tap_bitbucket.decodable import decodable
from tap_bitbucket.http.errors import TOO_LONG, SkipPartition
from tap_bitbucket.http.paging import Page
from tap_bitbucket.http.reader import Listing
from tap_bitbucket.http.request import Request, path
from tap_bitbucket.incremental import WhenHeadMoved
from tap_bitbucket.incremental.passes import Context, raw_rows
from tap_bitbucket.scopes import RepositoryStream
from tap_bitbucket.streams.repositories import Ref, Refs, refs

_BRANCHES = "/repositories/{workspace}/{repository}/refs/branches"


@decodable
class _Entry(msgspec.Struct):
    path: str
    type: str = ""


class SourceFiles(RepositoryStream):
    """Files and folders, down to ``source_max_depth``.

    Bitbucket may take too long over many levels at once (HTTP 555); it is then asked folder by
    folder.
    """

    name = "source_files"
    path = "/repositories/{workspace}/{repository}/src/{commit_hash}/"
    primary_keys = ("repository_uuid", "path")
    incremental = WhenHeadMoved()
    derived = ("commit_hash",)
    selected_by_default = False

    def head(self, context: Context) -> str:
        """Return the commit at the head of the main branch."""
        name = self.repository(context).mainbranch or ""
        for branch in self._branches(context, name):
            if branch.name == name:
                return str(branch.target.hash)
        message = f"there is no branch '{name}', which is said to be the main one"
        raise SkipPartition(message)

    def _branches(self, context: Context, name: str) -> Iterator[Ref]:
        """Yield the branches that this run reads anyway, or those that may have the name."""
        branches: Refs = self.related("branches")
        if self._tap.reading_ahead and branches.reads(context):
            yield from self.directory.feed(branches.entity, context)
            return
        text = name.replace("\\", "\\\\").replace('"', '\\"')
        request = Request(
            path(_BRANCHES, **self.path_names(context)),
            (("pagelen", "100"), ("q", f'name="{text}"')),
        )
        # A server that does not filter lists all of them.
        for page in self.pages(Listing(request, simpler=(("q", None),))):
            yield from refs(page)

    def tree(self, context: Context, head: str) -> Iterator[Page]:
        """Yield the files at a commit, as many levels at once as Bitbucket manages."""
        reach = int(self.config["source_max_depth"])
        folders = [("", reach)]
        while folders:
            folder, left = folders.pop(0)
            depth = min(left, reach)
            last: list[str] = []
            try:
                for page in self._folder(context, head, folder, depth):
                    last += _folders_at(page, folder, depth)
                    page.columns = {"commit_hash": head}
                    yield page
            except SkipPartition as error:
                if error.status != TOO_LONG or depth == 1:
                    raise
                reach = depth // 2
                folders.insert(0, (folder, left))
                continue
            if left > depth:
                folders += [(path, left - depth) for path in last]

    def _folder(self, context: Context, head: str, folder: str, depth: int) -> Iterator[Page]:
        listing = self.listing(context, {"commit_hash": head})
        below = path("{folder}", folder=folder).replace("%2F", "/")
        request = listing.request.with_params({"max_depth": str(depth)})
        listing.request = replace(request, path=request.path + (f"{below}/" if folder else ""))
        return self.pages(listing)


def _folders_at(page: Page, folder: str, depth: int) -> Iterator[str]:
    """Yield the folders of a listing that are as deep as it goes: their own files are not in it."""
    above = folder.count("/") + 1 if folder else 0
    for _, entry in raw_rows(page, _Entry):
        if entry.type == "commit_directory" and entry.path.count("/") + 1 - above == depth:
            yield entry.path
