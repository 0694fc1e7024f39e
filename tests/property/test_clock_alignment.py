"""Whatever is fetched first: a run with a topic held back equals the aligned one, and the journal says the rest."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import CHURN_ALERTS, ENGAGEMENT, LABELS, PROFILES, PURCHASES
from schemas.units import DAY_MS
from stream.memory_store import StoredPartition
from stream.ports import Commit
from stream.worker.timing import EVENT_TOPICS
from tests.live_lane import LIMITS, LiveLane, Logs, event_topic, ids, logs_of, recomputed, run
from tests.property.chunk_histories import kept
from tests.world import BEGIN_MS, engagement, purchase, refund

CUSTOMERS = ("ada", "bob", "cy", "dan", "eve", None)
KINDS = ("purchase", "purchase", "purchase", "refund", "page_view", "page_view", "page_view", "profile")
STORED = ("states", "views", "deadlines", "labels", "snapshots", "segments", "risks", "totals")
END_MS = BEGIN_MS + 300 * DAY_MS
SOON_MS = BEGIN_MS + 150 * DAY_MS  # what is drawn ends by then: alerts have opened and labels matured several times
LAST_DAY = 100.0  # the silence after it is longer than any alert or label waits


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, bytes | None, int]]:
    """(topic, value, Kafka timestamp) as time goes by: late events, early ones, garbage; written then, or all today."""
    backfilled, day = draw(st.booleans()), 0.0
    records = []
    for number in range(draw(st.integers(1, 40))):
        day = min(day + draw(st.sampled_from([0.0, 0.000_001, 0.001, 0.4, 1.1, 9.0])), LAST_DAY)
        kind, customer = draw(st.sampled_from(KINDS)), draw(st.sampled_from(CUSTOMERS))
        at = max(day + draw(st.sampled_from([0.0] * 8 + [-0.3, -5.0, 0.9])), 0.0)
        value = msgspec.json.encode(event(kind, customer or ("cy" if kind == "profile" else None), at, number))
        value = draw(st.sampled_from([value] * 12 + [b"{"]))
        records.append((event_topic(kind), value, SOON_MS if backfilled else BEGIN_MS + round(day * DAY_MS)))
    return records


def event(kind: str, customer: str | None, day: float, number: int) -> dict[str, Any]:
    if kind in ("purchase", "refund"):
        return (purchase if kind == "purchase" else refund)(customer, day, event_id=f"e{number}")
    return engagement(kind, customer, day, event_id=f"e{number}", **({"age": 40} if kind == "profile" else {}))


FETCHES = st.lists(st.tuples(st.sampled_from(EVENT_TOPICS), st.integers(1, 12)), max_size=25)
"""(topic, at most so many records), one after another; what is left comes in the end."""


async def lived(
    logs: Logs, fetches: list[tuple[str, int]], chunk: int, due_at_once: int, wall_ms: int = SOON_MS
) -> LiveLane:
    """A worker that finds these logs, long after they were written."""
    limits = replace(LIMITS, chunk_records=chunk, queue_bytes=4_000)
    lane = await LiveLane(logs, limits, due_at_once, wall_ms=wall_ms).claim()
    for topic, at_most in fetches:
        await lane.fetch(topic, at_most)
        await lane.work()
    return await lane.finish(wall_ms)


@settings(max_examples=15, deadline=None)
@given(histories(), FETCHES, st.sampled_from([1, 3, 100]), st.sampled_from([2, 5_000]))
def test_what_is_fetched_first_shows_in_nothing(
    history: list[tuple[str, bytes | None, int]], fetches: list[tuple[str, int]], chunk: int, due_at_once: int
) -> None:
    logs = logs_of(history)
    aligned = run(lived(logs, [(topic, 10**6) for topic in EVENT_TOPICS], 100, 5_000))
    other = run(lived(logs, fetches, chunk, due_at_once))
    for name in STORED:
        assert kept(other.stored, name) == kept(aligned.stored, name), name
    assert ids(other.outgoing()) == ids(aligned.outgoing())


def year() -> Iterator[tuple[str, bytes | None, int]]:
    """Five customers who buy, look around, and stop; engagement goes on where purchases have ended."""
    for day in range(0, 280):
        for number, customer in enumerate(name for name in CUSTOMERS if name):
            at = day + 0.1 * number
            if day % (3 + number) == 0 and day < 60 + 40 * number:
                yield PURCHASES, msgspec.json.encode(purchase(customer, at, event_id=f"p{day}-{number}")), 0
            if day % 2:
                view = engagement("page_view", customer, at + 0.05, event_id=f"v{day}-{number}")
                yield ENGAGEMENT, msgspec.json.encode(view), 0
        if day % 50 == 0:
            yield PROFILES, msgspec.json.encode(engagement("profile", "ada", day, event_id=f"a{day}", age=day)), 0


def test_labels_and_alerts_of_a_run_with_one_topic_held_back_equal_those_of_the_aligned_run() -> None:
    logs = logs_of((topic, value, END_MS) for topic, value, _ in year())
    aligned = run(lived(logs, [(topic, 10) for _ in range(200) for topic in EVENT_TOPICS], 50, 5_000, END_MS))
    for held_back in EVENT_TOPICS:
        others = [topic for topic in EVENT_TOPICS if topic != held_back]
        fetches = [(topic, 10**6) for topic in others] + [(held_back, 7)] * 150
        late = run(lived(logs, fetches, 7, 2, END_MS))
        assert [m for m in late.outgoing() if m.topic in (LABELS, CHURN_ALERTS)] == [
            m for m in aligned.outgoing() if m.topic in (LABELS, CHURN_ALERTS)
        ]
        assert late.stored.states == aligned.stored.states
    kinds = [msgspec.json.decode(m.value)["type"] for m in aligned.outgoing() if m.value]
    assert kinds.count("label") > 20
    assert kinds.count("churn-alert.opened") >= 4


@dataclass
class Watched(StoredPartition):
    """Notes how much earlier than the last deadlines that fired a worker would go on that was killed then."""

    earlier_ms: list[int] = field(default_factory=list)

    def apply(self, changes: Commit) -> None:
        super().apply(changes)
        self.earlier_ms.append(msgspec.json.decode(changes.journal)["stream_time_ms"] - self.head.stream_time_ms)


def test_a_worker_that_is_killed_while_many_deadlines_fire_has_left_the_time_they_had() -> None:
    logs = logs_of((topic, value, END_MS) for topic, value, _ in year())

    async def live() -> Watched:
        stored = Watched()
        lane = await LiveLane(logs, due_at_once=1, wall_ms=END_MS, stored=stored).claim()
        await lane.finish(END_MS)
        return stored

    earlier_ms = run(live()).earlier_ms
    assert len(earlier_ms) > 200
    assert not any(earlier_ms)


@settings(max_examples=15, deadline=None)
@given(histories(), FETCHES, st.lists(st.sampled_from([0, 300, 1, 40 * DAY_MS]), max_size=25), st.sampled_from([2, 40]))
def test_outputs_equal_the_recomputation_from_logs_and_journal(
    history: list[tuple[str, bytes | None, int]], fetches: list[tuple[str, int]], pauses: list[int], due_at_once: int
) -> None:
    """A shop that is live: logs grow while the wall goes on, ticks come between, time lags behind a silence."""
    whole = logs_of(history)

    async def live() -> LiveLane:
        grown: dict[str, list[Any]] = {topic: [] for topic in EVENT_TOPICS}
        lane = await LiveLane(grown, replace(LIMITS, chunk_records=3), due_at_once, wall_ms=BEGIN_MS).claim()
        for (topic, count), pause_ms in zip(fetches, [*pauses, *[500] * len(fetches)], strict=False):
            grown[topic] += whole[topic][len(grown[topic]) : len(grown[topic]) + count]
            lane.wall_ms += pause_ms if lane.wall_ms < SOON_MS else min(pause_ms, 500)
            await lane.fetch(topic, count)
            await lane.lane.step()
        for topic, log in whole.items():
            grown[topic] += log[len(grown[topic]) :]
        return await lane.finish(max(lane.wall_ms, SOON_MS))

    lived_through = run(live())
    again = run(recomputed(lived_through.stored.journal, whole, due_at_once=due_at_once))
    for name in STORED:
        assert kept(again.stored, name) == kept(lived_through.stored, name), name
    assert ids(again.outgoing()) == ids(lived_through.outgoing())
