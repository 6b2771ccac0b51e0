"""Rows in Bitbucket's shapes, of which any number is made from one by putting in nine digits.

Numbers, hashes and uuids all hold a number of nine digits, and dates have one length, so a page is
put together from bytes without encoding anything.
"""

from __future__ import annotations

import json
from typing import Any

Row = dict[str, Any]

WORKSPACE = "bench"

FIRST = 100_000_000
"""The number of the newest row of a list, and of the first repository."""

ROW, OLDER, PARENT, REPOSITORY = 777_777_771, 777_777_772, 777_777_773, 777_777_774
"""Stand for the numbers of a row, of the one after it, of what it lies below, of its repository."""

DATE = "1971-01-01T00:00:00"


_API = f"https://api.bitbucket.org/2.0/repositories/{WORKSPACE}/repository-{REPOSITORY}"
_SITE = f"https://bitbucket.org/{WORKSPACE}/repository-{REPOSITORY}"

_TEXT = 'Read the settings once and hand them on, so that nobody reads them "twice".\r\n' * 2


def _links(**places: str) -> Row:
    return {name.replace("_", "-"): {"href": place} for name, place in places.items()}


def _user(number: int, name: str) -> Row:
    uuid = f"%7B2f1c9d70-0000-4000-8000-000{number}%7D"
    return {
        "display_name": name,
        "links": _links(
            self=f"https://api.bitbucket.org/2.0/users/{uuid}",
            avatar="https://secure.gravatar.com/avatar/d37e5c64cd007c5c20654af064c3f410"
            "?d=https%3A%2F%2Favatar-management--avatars.us-west-2.prod.public.atl-paas.net"
            "%2Finitials%2FT-0.png",
            html=f"https://bitbucket.org/{uuid}/",
        ),
        "type": "user",
        "uuid": f"{{2f1c9d70-0000-4000-8000-000{number}}}",
        "account_id": f"712020:2f1c9d70-0000-4000-8000-000{number}",
        "nickname": name.partition(" ")[0],
    }


ANN, BEN = _user(200_000_001, "Ann Example"), _user(200_000_002, "Ben Example")


def _rendered(text: str) -> Row:
    return {"type": "rendered", "raw": text, "markup": "markdown", "html": f"<p>{text}</p>"}


def _date(fraction: str = ".000000", zone: str = "+00:00") -> str:
    return f"{DATE}{fraction}{zone}"


_REPOSITORY_REFERENCE = {
    "type": "repository",
    "full_name": f"{WORKSPACE}/repository-{REPOSITORY}",
    "links": _links(self=_API, html=_SITE, avatar=f"https://bytebucket.org/ravatar/{REPOSITORY}"),
    "name": f"Repository {REPOSITORY}",
    "uuid": f"{{5b1d7e3a-0000-4000-8000-000{REPOSITORY}}}",
}


def _end(branch: str, number: int) -> Row:
    short = f"{number}abc"
    return {
        "branch": {"name": branch},
        "commit": {
            "hash": short,
            "links": _links(self=f"{_API}/commit/{short}", html=f"{_SITE}/commits/{short}"),
            "type": "commit",
        },
        "repository": _REPOSITORY_REFERENCE,
    }


def _pull_request() -> Row:
    own = f"{_API}/pullrequests/{ROW}"
    below = ("commits", "approve", "request_changes", "comments", "activity", "statuses")
    diff = f"{WORKSPACE}/repository-{REPOSITORY}:{ROW}abc%0D{OLDER}abc"
    return {
        "comment_count": 2,
        "task_count": 0,
        "type": "pullrequest",
        "id": ROW,
        "title": f"Read the settings once ({ROW})",
        "description": _TEXT,
        "rendered": {
            "title": _rendered(f"Read the settings once ({ROW})"),
            "description": _rendered(_TEXT),
        },
        "state": "MERGED",
        "draft": False,
        "merge_commit": {
            "type": "commit",
            "hash": f"{ROW}abc",
            "links": _links(self=f"{_API}/commit/{ROW}abc", html=f"{_SITE}/commits/{ROW}abc"),
        },
        "close_source_branch": True,
        "closed_by": BEN,
        "author": ANN,
        "reason": "",
        "created_on": _date(".101010"),
        "updated_on": _date(".202020"),
        "destination": _end("main", OLDER),
        "source": _end(f"feature/settings-{ROW}", ROW),
        "reviewers": [BEN],
        "participants": [
            {
                "type": "participant",
                "user": BEN,
                "role": "REVIEWER",
                "approved": True,
                "state": "approved",
                "participated_on": _date(),
            }
        ],
        "links": _links(
            self=own,
            html=f"{_SITE}/pull-requests/{ROW}",
            diff=f"{_API}/diff/{diff}?from_pullrequest_id={ROW}&topic=true",
            diffstat=f"{_API}/diffstat/{diff}?from_pullrequest_id={ROW}&topic=true",
            merge=f"{own}/merge",
            decline=f"{own}/decline",
            **{name: f"{own}/{name.replace('_', '-')}" for name in below},
        ),
        "summary": _rendered(_TEXT),
    }


def _hash(number: int) -> str:
    return f"{number}{'0123456789abcdef' * 2}"[:40].ljust(40, "f")


def _commit() -> Row:
    own, below = f"{_API}/commit/{_hash(ROW)}", ("approve", "comments", "statuses", "patch")
    return {
        "type": "commit",
        "hash": _hash(ROW),
        "date": _date(""),
        "author": {"type": "author", "raw": "Ann Example <ann@example.com>", "user": ANN},
        "message": f"Read the settings once ({ROW})\n",
        "summary": _rendered(f"Read the settings once ({ROW})\n"),
        "links": _links(
            self=own,
            html=f"{_SITE}/commits/{_hash(ROW)}",
            diff=f"{_API}/diff/{_hash(ROW)}",
            **{name: f"{own}/{name}" for name in below},
        ),
        "parents": [
            {
                "hash": _hash(OLDER),
                "links": _links(
                    self=f"{_API}/commit/{_hash(OLDER)}", html=f"{_SITE}/commits/{_hash(OLDER)}"
                ),
                "type": "commit",
            }
        ],
        "rendered": {"message": _rendered(f"Read the settings once ({ROW})\n")},
        "repository": _REPOSITORY_REFERENCE,
    }


def _reference() -> Row:
    own = f"{_API}/pullrequests/{PARENT}"
    return {
        "type": "pullrequest",
        "id": PARENT,
        "title": f"Read the settings once ({PARENT})",
        "links": _links(self=own, html=f"{_SITE}/pull-requests/{PARENT}"),
    }


def _comment() -> Row:
    own = f"{_API}/pullrequests/{PARENT}/comments/{ROW}"
    return {
        "id": ROW,
        "created_on": _date(".101010"),
        "updated_on": _date(".202020"),
        "content": _rendered(_TEXT[:150]),
        "user": BEN,
        "deleted": False,
        "inline": {"to": 12, "from": None, "path": "src/settings.py"},
        "pending": False,
        "type": "pullrequest_comment",
        "links": _links(
            self=own, html=f"{_SITE}/pull-requests/{PARENT}/_/diff#comment-{ROW}", code=own
        ),
        "pullrequest": _reference(),
    }


def _entry(**what: Row) -> Row:
    return {"pull_request": {**_reference(), "draft": False}, **what}


def _update() -> Row:
    return {
        "state": "OPEN",
        "draft": False,
        "title": f"Read the settings once ({PARENT})",
        "description": _TEXT,
        "reviewers": [BEN],
        "changes": {},
        "reason": "",
        "author": ANN,
        "date": _date(".303030"),
        "destination": _end("main", OLDER),
        "source": _end(f"feature/settings-{PARENT}", ROW),
    }


def _approval() -> Row:
    return {"date": _date(".404040"), "user": BEN, "pullrequest": _reference()}


def _repository() -> Row:
    # Here the row is the repository.
    text = json.dumps({**_REPOSITORY_REFERENCE, "slug": f"repository-{REPOSITORY}"})
    return {
        **json.loads(text.replace(str(REPOSITORY), str(ROW))),
        "created_on": _date(".101010"),
        "updated_on": _date(".202020"),
        "description": _TEXT,
        "is_private": True,
        "language": "python",
        "size": 100_000,
        "scm": "git",
        "mainbranch": {"name": "main", "type": "branch"},
        "project": {"type": "project", "key": "TEST", "uuid": "{3c}", "name": "Test"},
        "workspace": {"type": "workspace", "uuid": "{4d}", "name": "Bench", "slug": WORKSPACE},
        "owner": ANN,
    }


def _pipeline() -> Row:
    return {
        "type": "pipeline",
        "uuid": f"{{8e2a1f44-0000-4000-8000-000{ROW}}}",
        "repository": _REPOSITORY_REFERENCE,
        "build_number": ROW,
        "creator": ANN,
        "created_on": _date(".101", "Z"),
        "completed_on": _date(".202", "Z"),
        "state": {
            "name": "COMPLETED",
            "type": "pipeline_state_completed",
            "result": {"name": "SUCCESSFUL", "type": "pipeline_state_completed_successful"},
        },
        "target": {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": "main",
            "selector": {"type": "branches", "pattern": "main"},
            "commit": {"type": "commit", "hash": _hash(ROW), "links": _links(self=_API)},
        },
        "build_seconds_used": 74,
        "links": _links(self=f"{_API}/pipelines/{ROW}"),
    }


OF_LISTS = {
    "access": [{"administrator": False, "workspace": {"slug": WORKSPACE, "uuid": "{4d}"}}],
    "repositories": [_repository()],
    "refs": [{"type": "branch", "name": "main", "target": _commit()}],
    "commits": [_commit()],
    "pullrequests": [_pull_request()],
    "comments": [_comment()],
    "activity": [
        _entry(comment=_comment()),
        _entry(update=_update()),
        _entry(approval=_approval()),
    ],
    "pipelines": [_pipeline()],
}

HIDDEN = {"pullrequests": ("reviewers", "participants", "rendered")}
"""What a list leaves out unless asked."""
