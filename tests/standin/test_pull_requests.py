"""The rules of pull requests, their comments and activity."""

from __future__ import annotations

from tap_bitbucket.demo import BitbucketServer, World
from tap_bitbucket.demo.model import PullRequest, User
from tests.standin.client import CONTROL, REPOS, Client, W, basic

ROCKET = "/repositories/acme/rocket"
PULLS = f"{ROCKET}/pullrequests"


def _open(world: World, count: int = 1) -> tuple[list[PullRequest], User]:
    ann = world.user("Ann")
    return [world.open_pull_request("acme/rocket", author=ann) for _ in range(count)], ann


def test_default_state(read: Client) -> None:
    """Without `q` and `state` only open ones are listed; `state` may be repeated."""
    path = f"{CONTROL}/pullrequests"
    assert {row["state"] for row in read.all(path)} == {"OPEN"}
    both = read.all(path, state=["MERGED", "DECLINED"])
    assert {row["state"] for row in both} <= {"MERGED", "DECLINED"}
    assert read.get(path, state="merged").status == 400


def test_state_is_ignored_with_q(read: Client) -> None:
    """With `q` the `state` parameter does nothing."""
    path = f"{CONTROL}/pullrequests"
    rows = read.all(path, q="id>0", state="OPEN")
    assert len({row["state"] for row in rows}) > 1


def test_all_states_and_sort(server: BitbucketServer, world: World, api: Client) -> None:
    """All four states and a sort answer 500 on a large repository only."""
    states = ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]
    _open(world, 3)
    assert api.get(PULLS, state=states, sort="updated_on").status == 200
    _open(world, 1)
    assert api.get(PULLS, state=states, sort="updated_on").status == 500
    assert api.get(PULLS, state=states).status == 200
    assert api.get(PULLS, q="id>0", sort="updated_on").status == 200
    server.large = 10
    assert api.get(PULLS, state=states, sort="updated_on").status == 200


def test_short_hashes(read: Client) -> None:
    """The commits of a pull request's ends have 12 characters."""
    row = read.get(f"{CONTROL}/pullrequests", state="MERGED").values[0]
    hashes = [row[end]["commit"]["hash"] for end in ("source", "destination")]
    assert [len(name) for name in (*hashes, row["merge_commit"]["hash"])] == [12, 12, 12]


def test_comments_move_the_date(world: World, api: Client) -> None:
    """Making, editing and deleting a comment moves `updated_on`; approving does not."""
    (one,), ann = _open(world)

    def state() -> tuple[str, int]:
        row = api.get(f"{PULLS}/1").json
        return row["updated_on"], row["comment_count"]

    seen = [state()]
    comment = world.comment(one, ann, "Hm")
    seen.append(state())
    world.edit_comment(comment, "Hm!")
    seen.append(state())
    world.delete_comment(comment)
    seen.append(state())
    assert [count for _, count in seen] == [0, 1, 1, 0]
    assert len({date for date, _ in seen}) == 4
    world.approve(one, ann)
    world.add_status("acme/rocket", one.source_hash)
    assert state() == seen[-1]
    kept = api.get(f"{PULLS}/1/comments").values[0]
    assert (kept["deleted"], kept["content"]["raw"]) == (True, "")


def test_repository_date(world: World, api: Client) -> None:
    """A push moves the repository's `updated_on`, talking does not."""
    (one,), ann = _open(world)
    before = api.get(ROCKET).json["updated_on"]
    world.comment(one, ann, "x")
    world.approve(one, ann)
    assert api.get(ROCKET).json["updated_on"] == before
    world.push("acme/rocket", "main")
    assert api.get(ROCKET).json["updated_on"] > before


def test_no_merge_date(world: World, api: Client) -> None:
    """When it was merged is told by the activity only."""
    (one,), ann = _open(world)
    world.merge(one, ann)
    row = api.get(f"{PULLS}/1").json
    assert not {"merged_on", "closed_on"} & set(row)
    entries = api.get(f"{PULLS}/1/activity").values
    assert entries[0]["update"]["state"] == "MERGED"
    assert row["closed_by"]["display_name"] == "Ann"


def test_commits_after_a_rewrite(world: World, api: Client) -> None:
    """A merged pull request lists the commit of its merge, even where the branch lost it."""
    (one,), ann = _open(world)
    merged = world.merge(one, ann)
    listed = [row["hash"] for row in api.get(f"{PULLS}/1/commits").values]
    assert listed[0] == merged
    world.force_push("acme/rocket", "main", back=1)
    assert merged not in [row["hash"] for row in api.get(f"{ROCKET}/commits").values]
    assert [row["hash"] for row in api.get(f"{PULLS}/1/commits").values] == listed


def test_pending_comments(world: World, api: Client, server: BitbucketServer) -> None:
    """A pending comment is shown to its author only, and not counted."""
    (one,), ann = _open(world)
    bob = world.add_user("Bob")
    world.add_member("acme", bob)
    world.identities.add_api_token("bob@example.com", "b", user=bob)
    world.comment(one, ann, "draft", pending=True)
    world.add_task(one, ann, "draft", pending=True)
    other = Client(server, basic("bob@example.com", "b"))
    for path in ("comments", "tasks"):
        assert [row["pending"] for row in api.get(f"{PULLS}/1/{path}").values] == [True]
        assert other.get(f"{PULLS}/1/{path}").values == []
    assert api.get(f"{PULLS}/1").json["comment_count"] == 0
    assert len(world.truth("pull_request_comments")) == 0


def test_activity_entries(world: World, api: Client) -> None:
    """An entry has no id and exactly one kind besides `pull_request`, newest first."""
    (one,), ann = _open(world)
    world.comment(one, ann, "x")
    world.approve(one, ann)
    world.request_changes(one, ann)
    world.update_title(one, "Better")
    rows = api.get(f"{PULLS}/activity").values
    kinds = [next(iter(set(row) - {"pull_request"})) for row in rows]
    assert kinds == ["update", "changes_requested", "approval", "comment", "update"]
    assert all(set(row) == {"pull_request", kind} for row, kind in zip(rows, kinds, strict=True))
    assert rows[0]["update"]["changes"]["title"]["new"] == "Better"
    assert rows[-1]["update"]["changes"] == {}
    assert api.get(f"{PULLS}/1/activity").values == rows
    world.unapprove(one, ann)
    assert len(api.get(f"{PULLS}/activity").values) == 3


def test_activity_depth(server: BitbucketServer, world: World, api: Client) -> None:
    """The repository's feed may be limited in depth; one pull request's is not."""
    (one,), ann = _open(world)
    for number in range(5):
        world.comment(one, ann, str(number))
    server.activity_depth = 2
    assert len(api.get(f"{PULLS}/activity").values) == 2
    assert len(api.get(f"{PULLS}/1/activity").values) == 6


def test_diffstat_redirects(read: Client) -> None:
    """A pull request's diffstat sends to the repository's, and `pagelen` goes along."""
    answer = read.get(f"{CONTROL}/pullrequests/1/diffstat", pagelen=5000)
    assert answer.status == 302
    assert "pagelen=5000" in answer.headers["location"]
    assert {"lines_added", "old", "new"} <= set(read.get(answer.headers["location"]).values[0])


def test_diffstat_link(read: Client) -> None:
    """A pull request links to the repository's diffstat: `owner/name:source%0Ddestination`."""
    row = read.get(f"{CONTROL}/pullrequests/1").json
    ends = (row["source"]["commit"]["hash"], row["destination"]["commit"]["hash"])
    link = row["links"]["diffstat"]["href"]
    place = f"{read.server.api_url}{CONTROL}/diffstat/halley-labs/telescope-control"
    assert link == f"{place}:{ends[0]}%0D{ends[1]}?from_pullrequest_id=1&topic=true"
    assert row["links"]["diff"]["href"] == link.replace("/diffstat/", "/diff/")
    behind = read.get(f"{CONTROL}/pullrequests/1/diffstat").headers["location"]
    assert behind == link
    rows = read.all(link, pagelen=1)
    assert rows == read.get(link).values
    assert len(rows) > 1
    assert "+++ b/" in read.get(row["links"]["diff"]["href"]).body.decode()


def test_status_of_a_pull_request(read: Client) -> None:
    """The statuses of a pull request name commits by 12 digits, those of a commit by 40."""
    short = read.get(f"{CONTROL}/pullrequests/1/statuses").values[0]
    name = short["commit"]["hash"]
    assert len(name) == 12
    long = read.get(f"{CONTROL}/commit/{name}/statuses").values[0]
    assert len(long["commit"]["hash"]) == 40
    assert (short["uuid"], short["key"]) == (long["uuid"], long["key"])


def test_forgotten_author(world: World, api: Client) -> None:
    """An author that nobody knows any more is null, and cannot be asked for."""
    (one,), ann = _open(world)
    world.comment(one, ann, "Mine")
    world.forget_author(one)
    assert api.get(PULLS).values[0]["author"] is None
    comment, update = api.get(f"{PULLS}/activity").values
    assert update["update"]["author"] is None
    assert comment["comment"]["user"]["uuid"] == ann.uuid
    assert api.get(PULLS, q=f'author.uuid="{ann.uuid}"').values == []


def test_lost_fork(read: Client) -> None:
    """A deleted fork leaves `source.repository` null, and the commits answer 404."""
    rows = read.all(f"{CONTROL}/pullrequests", q="id>0", pagelen=50)
    lost = next(row for row in rows if row["source"]["repository"] is None)
    assert lost["source"]["commit"] is None
    assert read.get(f"{CONTROL}/pullrequests/{lost['id']}/commits").status == 404
    assert read.get(lost["links"]["diffstat"]["href"]).status == 404
    assert lost["author"]["display_name"] == "Former user"


def test_participants(world: World, api: Client) -> None:
    """Reviewers who did nothing have nulls."""
    ann = world.user("Ann")
    world.open_pull_request("acme/rocket", author=ann, reviewers=[ann])
    one = api.get(f"{PULLS}/1").json["participants"][0]
    assert (one["role"], one["state"], one["participated_on"]) == ("REVIEWER", None, None)


def test_push_to_the_source(world: World, api: Client) -> None:
    """A push to the source branch moves the pull request along."""
    (one,), _ = _open(world)
    made = world.push("acme/rocket", one.source_branch, 2)
    row = api.get(f"{PULLS}/1").json
    assert row["source"]["commit"]["hash"] == made[-1][:12]
    assert len(api.get(f"{PULLS}/1/commits").values) == 3


def test_of_a_person(read: Client, shared: BitbucketServer) -> None:
    """Pull requests of a person come from all repositories, by uuid or account id."""
    uuid = shared.world.user("lena").uuid.replace("{", "%7B").replace("}", "%7D")
    rows = read.all(f"{W}/pullrequests/{uuid}", state=["OPEN", "MERGED"])
    assert len({row["destination"]["repository"]["name"] for row in rows}) > 1
    assert {row["author"]["nickname"] for row in rows} == {"lena"}


def test_empty_repository(read: Client) -> None:
    """An empty repository has no main branch."""
    assert read.get(f"{REPOS}/sandbox").json["mainbranch"] is None
    assert read.get(f"{REPOS}/sandbox/src").status == 404
