"""How fast the offline side folds: `stream.features.fold` on arrays, one core."""

import time

from benchmarks.in_process import DECODING
from benchmarks.loads import CUSTOMERS, records
from schemas.decode import decode
from stream.features.facts import EventFacts
from stream.features.facts_of_events import facts_of
from stream.features.fold import fold
from stream.features.layout import empty

REPEATS, BATCH = 3, 250_000
END_MS = 1_600_000_000_000


def batches(events: int, seed: int) -> list[EventFacts]:
    """The uniform load as columns, batch by batch, as an offline reader has them."""
    log = records("uniform", events, seed, END_MS)
    found = []
    for start in range(0, events, BATCH):
        part = log[start : start + BATCH]
        decoded = [decode(record.topic, record.value, END_MS, DECODING) for record in part]
        rows = [int(record.key.removeprefix(b"c-")) for record in part]
        found.append(facts_of(decoded, rows))  # type: ignore[arg-type]  # the loads' tests see that all are events
    return found


def events_per_s(events: int, seed: int) -> int:
    """The best of a few folds of all events into empty states, by CPU time."""
    given, spent_s = batches(events, seed), []
    for _ in range(REPEATS):
        states = empty(CUSTOMERS)
        began_s = time.process_time()
        for facts in given:
            fold(states, facts)
        spent_s.append(time.process_time() - began_s)
    return round(events / min(spent_s))
