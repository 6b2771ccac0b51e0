"""States that were damaged: refused in one line, or gone on from without a loss."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_bitbucket.state import iso, moment
from tests.fuzzing import NIGHTLY, VARIOUS, Small, inputs, says_why, small
from tests.mutating import Change, changed, odd
from tests.story import Story, open_request
from tests.support import Run, merge, tables

pytestmark = pytest.mark.timeout(300 + 120 * NIGHTLY)

State = dict[str, Any]

SOMETIME = ("0001-01-01T00:00:00+00:00", "1970-01-01T00:00:00Z", "2020-02-29T12:00:00")


class Second(Small):
    """A small world in which something happened after a first run.

    Attributes:
        good: States to go on from: of a whole run, and of runs that were cut.
    """

    def __init__(self, story: Story, first: Small) -> None:
        self.__dict__.update(first.__dict__)
        self.good: list[tuple[State, list[Run]]] = []
        for limits in ([], [9], [23], [36], [12, 12, 15]):
            self.good.append(self._read(limits))
        _something_happens(story)

    def _read(self, limits: list[int]) -> tuple[State, list[Run]]:
        """Return the state after runs with limits (without any: after a whole run)."""
        runs: list[Run] = []
        state: State = {}
        for most in limits or (None,):
            more = {} if most is None else {"max_requests": most}
            runs.append(self.go(state, **more))
            assert says_why(runs[-1]) is None
            state = runs[-1].state
        return state, runs

    def go(self, state: object, **settings: Any) -> Run:
        """Run from a state."""
        self.run.file("state.json", state)
        self.run.file("config.json", {**self.settings, **settings})
        return self.run(
            "--config", "config.json", "--catalog", "catalog.json", "--state", "state.json"
        )

    def differences(self, runs: list[Run], *but: str) -> list[str]:
        """Return what a target lacks that took the rows of these runs."""
        target = self.story.target = tables()
        for run in runs:
            merge(target, run)
        streams = [name for name in VARIOUS if name not in but]
        return [one for name in streams for one in self.story.differences(name, kept=True)]


def _something_happens(story: Story) -> None:
    """Let each stream have something new."""
    world, bob = story.world, story.who("bob")
    for repo in (story.api, story.web):
        made = world.push(repo, "main", 2)
        world.add_status(repo, made[-1], "build")
        world.comment(repo.pull_requests[1], bob, "Once more.")
        world.add_task(repo.pull_requests[2], bob, "And this.")
        world.comment(open_request(story, repo), bob, "New.")
        world.start_pipeline(repo, steps=("Test",))
    world.finish_pipeline(story.api.pipelines[2], "FAILED")


@pytest.fixture(scope="module")
def world(catalog: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """Serve a small world."""
    with small(catalog, tmp_path_factory.mktemp("states"), *VARIOUS) as made:
        yield Second(made.story, made)


def judge(world: Second, run: Run, before: list[Run], *but: str) -> str | None:
    """See that a run from a state is what is promised, and that the next ones can go on."""
    reason = says_why(run)
    if reason is not None:
        assert "state" in reason
        assert run.lines == [], "what was refused must not be replaced"
        return reason
    runs = [*before, run]
    if run.state.get("resume") or any("resume" in one.state for one in before[-1:]):
        runs.append(world.go(run.state))
        assert says_why(runs[-1]) is None
    assert world.differences(runs, *but) == []
    return None


def test_good_states(world: Second) -> None:
    """What is damaged below is whole before: each state leads to all rows."""
    for state, runs in world.good:
        assert judge(world, world.go(state), runs) is None


def excused(changes: list[Change]) -> set[str]:
    """Return the streams of which a changed state says that something was read already."""
    found: set[str] = set()
    for one in changes:
        place = one.place
        if place[0] == "resume" or len(place) < 2 or place[0] != "bookmarks":
            found |= set(VARIOUS) if place[0] == "resume" and one.how != "removed" else set()
            continue
        if _says_more(one):
            found.add(str(place[1]))
            found |= {str(one.before)} & set(VARIOUS)
    return found


def _says_more(change: Change) -> bool:
    """Whether a change claims a later moment, or takes back what was left to be done."""
    inside = {str(step) for step in change.place}
    left = {"unfinished", "cut", "before_cut", "walk", "quiet", "narrow", "resume", "partial"}
    if inside & {*left, "seen"}:
        return True
    if change.place[-1] in {"context", "partitions"} or "context" in inside:
        return True
    try:
        then, now = moment(change.before), moment(change.after)
    except (TypeError, ValueError, AttributeError):
        return isinstance(change.after, (dict, list))
    return now is not None and (then is None or now > then)


@inputs(16)
@given(st.integers(0, 4), st.data())
def test_a_damaged_state(world: Second, which: int, data: st.DataObject) -> None:
    """Whatever is changed in a state: no row is lost that the change does not claim to be read."""
    good, before = world.good[which]
    state, changes = data.draw(changed(good))
    judge(world, world.go(state), before, *excused(changes))


@inputs(5)
@given(st.data())
def test_doubled_and_moved_partitions(world: Second, data: st.DataObject) -> None:
    """Partitions that are there twice, in another order, or with an older bookmark: no loss."""
    good, before = world.good[data.draw(st.integers(0, 4))]
    state = copy.deepcopy(good)
    for bookmark in state["bookmarks"].values():
        partitions = bookmark.get("partitions", [])
        if partitions and data.draw(st.booleans()):
            partitions.append(copy.deepcopy(data.draw(st.sampled_from(partitions))))
            partitions[:] = data.draw(st.permutations(partitions))
        for partition in partitions:
            if "replication_key_value" in partition and data.draw(st.booleans()):
                partition["replication_key_value"] = data.draw(st.sampled_from(SOMETIME))
    assert judge(world, world.go(state), before) is None


@inputs(30)
@given(odd | st.dictionaries(st.sampled_from(["bookmarks", "resume", "x"]), odd, max_size=3))
def test_any_json(world: Second, state: Any) -> None:
    """Any JSON as a state: no state, or one line that says so."""
    reason = judge(world, world.go(state), [])
    assert reason is None or "state" in reason


NEWER = (
    "seen", "gate", "gate_mark", "gate_seen", "mark", "anchors", "known", "unfinished", "cut",
    "cuts", "narrow", "quiet", "partial", "before_cut", "walk", "resume", "feed_is_whole",
    "feed_agrees", "reconciled_at", "repository_updated_on", "heads_as_of", "later_heads",
    "later_from", "window_heads", "window_from",
)  # fmt: skip
"""What states did not always have."""


def without(state: Any, *names: str) -> Any:
    """Return a state without some of what newer versions wrote into it."""
    if isinstance(state, dict):
        return {name: without(one, *names) for name, one in state.items() if name not in names}
    if isinstance(state, list):
        return [without(one, *names) for one in state]
    return state


@pytest.mark.parametrize("names", [NEWER, *([one] for one in ("seen", "cut", "heads", "resume"))])
def test_states_of_older_versions(world: Second, names: tuple[str, ...]) -> None:
    """A state that lacks what came later is read: more is asked again, and nothing is lost."""
    gone = {"pipelines", "pipeline_steps"} if "unfinished" in names else set()
    for good, before in world.good[:3]:
        assert judge(world, world.go(without(good, *names)), before, *gone) is None


@pytest.mark.parametrize("stream", ["pull_requests", "pipelines", "commit_statuses"])
def test_a_bookmark_in_the_future(world: Second, stream: str) -> None:
    """One that leaves out what happens until then is refused, or told where a clock may differ."""
    good, _ = world.good[0]
    for days, told in ((2, "a bookmark of"), (1000, "far in the future"), (None, "far in the")):
        state = copy.deepcopy(good)
        late = "9999-12-31T23:59:59.999999+00:00"
        if days is not None:
            late = iso(datetime.now(timezone.utc) + timedelta(days=days))
        for partition in state["bookmarks"][stream]["partitions"]:
            partition["replication_key_value"] = late
        run = world.go(state)
        reason = says_why(run)
        assert (reason is None) == (days == 2)
        line = reason or next(one for one in run.log.splitlines() if "in the future" in one)
        assert f"'{stream}'" in line
        assert told in line
