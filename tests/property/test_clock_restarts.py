"""Who is stopped within an old log goes on as if nothing had happened: what was heard of the topics is stored."""

from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.drafts import unpack_outgoing
from stream.memory_store import StoredPartition
from stream.ports import Commit
from stream.worker.journal_entry import decode_entry
from stream.worker.timing import EVENT_TOPICS
from tests.live_lane import LIMITS, LiveLane, Logs, ids, logs_of, run
from tests.property.chunk_histories import kept
from tests.property.test_clock_alignment import SOON_MS, STORED, histories
from tests.world import BEGIN_MS, purchase

LATER_MS = SOON_MS + 1_000  # so that there is one more tick


@dataclass
class Remembered(StoredPartition):
    """Keeps what was stored after one of the commits."""

    commits: int = 0
    remember: int = 0
    then: StoredPartition | None = None

    def apply(self, changes: Commit) -> None:
        super().apply(changes)
        self.commits += 1
        if self.commits == self.remember:
            self.then = deepcopy(self)


class LaneOfAnyStore(LiveLane):
    """May be sent back: what is fetched next is what its queues want next."""

    async def seek_to(self, _tp: object, _offset: int) -> None:
        return


async def lived(logs: Logs, stored: StoredPartition, chunk: int, due_at_once: int) -> LiveLane:
    """A worker that finds these logs long after they were written, and this store."""
    limits = replace(LIMITS, chunk_records=chunk)
    lane = LaneOfAnyStore(logs, limits, due_at_once, wall_ms=SOON_MS, stored=stored)
    return await (await lane.claim()).finish(LATER_MS)


async def sent_back(logs: Logs, stored: Remembered, chunk: int, due_at_once: int) -> LiveLane:
    """The same; when it has read everything, the store comes back as it was after one of the commits."""
    limits = replace(LIMITS, chunk_records=chunk)
    lane = await LaneOfAnyStore(logs, limits, due_at_once, wall_ms=SOON_MS, stored=stored).claim()
    for topic in EVENT_TOPICS:
        await lane.fetch(topic)
    while stored.then is None and await lane.lane.step():
        pass
    await lane.lane.step()
    if stored.then is not None:
        for name, value in vars(deepcopy(stored.then)).items():
            setattr(stored, name, value)
    await lane.lane._idle()
    return await lane.finish(LATER_MS)


def stream_times(stored: StoredPartition) -> list[int]:
    """Of each record, in the order they took effect."""
    times: list[int] = []
    for entry in map(decode_entry, stored.journal):
        count = sum(end - first for first, end in entry.offsets.values())
        runs = [*entry.stream_time_runs, (count, 0)]
        times += [at for (first, at), (end, _) in pairwise(runs) for _ in range(first, end)]
    return times


def assert_same(found: LiveLane, expected: LiveLane) -> None:
    assert stream_times(found.stored) == stream_times(expected.stored)
    for name in STORED:
        assert kept(found.stored, name) == kept(expected.stored, name), name
    assert found.stored.head.heard == expected.stored.head.heard
    found_ids, expected_ids = (ids(map(unpack_outgoing, lane.stored.outbox.values())) for lane in (found, expected))
    assert found_ids == expected_ids


CHUNKS, DUE_AT_ONCE, COMMITS = st.sampled_from([1, 2, 5, 100]), st.sampled_from([2, 5_000]), st.integers(1, 40)


@settings(max_examples=20, deadline=None)
@given(histories(), CHUNKS, DUE_AT_ONCE, COMMITS)
def test_a_worker_that_is_killed_after_any_commit_leaves_its_successor_all_it_has_heard(
    history: list[tuple[str, bytes | None, int]], chunk: int, due_at_once: int, commits: int
) -> None:
    logs, stored = logs_of(history), Remembered(remember=commits)
    undisturbed = run(lived(logs, stored, chunk, due_at_once))
    if stored.then is not None:
        assert_same(run(lived(logs, stored.then, 100, due_at_once)), undisturbed)


@settings(max_examples=10, deadline=None)
@given(histories(), CHUNKS, DUE_AT_ONCE, COMMITS)
def test_a_worker_whose_store_comes_back_older_has_heard_what_that_store_says(
    history: list[tuple[str, bytes | None, int]], chunk: int, due_at_once: int, commits: int
) -> None:
    logs = logs_of(history)
    undisturbed = run(lived(logs, StoredPartition(), chunk, due_at_once))
    assert_same(run(sent_back(logs, Remembered(remember=commits), chunk, due_at_once)), undisturbed)


def test_an_alert_that_opens_and_closes_in_a_sparse_old_log_is_not_missed_across_a_restart() -> None:
    days = [("ada", 0.0), ("bob", 1.0), ("cy", 2.0), ("ada", 10.0), ("bob", 11.0), ("cy", 12.0)]
    days += [("bob", 70.0), ("cy", 71.0)]
    events = [purchase(customer, day, event_id=f"{customer}-{day}") for customer, day in [*days, ("ada", 72.0)]]
    logs = logs_of((PURCHASES, msgspec.json.encode(event), BEGIN_MS + 100 * DAY_MS) for event in events)
    wall_ms = BEGIN_MS + 72 * DAY_MS

    async def restarted() -> LiveLane:
        before = await LiveLane(logs, wall_ms=wall_ms).claim()
        await before.fetch(PURCHASES, len(days))
        await before.work()
        after = await LiveLane(logs, wall_ms=wall_ms, stored=before.stored).claim()
        return await after.finish(wall_ms)

    found = [msgspec.json.decode(message.value or b"") for message in run(restarted()).outgoing()]
    of_ada = [
        message["type"] for message in found if message.get("customer_id") == "ada" and "alert" in message["type"]
    ]
    assert of_ada == ["churn-alert.opened", "churn-alert.closed"]
