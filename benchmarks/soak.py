"""Ten million events through two workers: does anything grow that should not?

    make soak
    python -m benchmarks.soak --events 2000000 --json

A producer keeps some ahead of the workers. At each million the workers' memory, descriptors and queues, Redis's keys
and what waits in the outbox are written down. Exit code 1 when something has grown that is not customers.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import redis

from benchmarks.contestants import RunningEbb, Stand, metric_total
from benchmarks.cpu import children
from benchmarks.kafka_log import PARTITIONS, fill
from benchmarks.loads import CUSTOMERS, EVENTS_PER_CUSTOMER_DAY, Record, written
from benchmarks.run import now_ms, stand
from schemas.topics import CLOCK, INPUT_TOPICS
from schemas.units import DAY_MS
from stream.customers.segments import SEGMENTS
from stream.redis_store.inspection import outbox_depths
from stream.settings.load import load_worker_settings

BATCH = 50_000
AHEAD = 10 * BATCH  # records in Kafka that are not applied yet, at most
MARK_EVERY = 1_000_000
LOOK_EVERY_S = 0.5
STALLED_S = 120.0
OF_CUSTOMERS = frozenset({"customer", "state", "snapshot"})
"""Families with keys of single customers; a snapshot goes when its outcomes are known."""

IN_EVERY_PARTITION = (
    dict.fromkeys(("partition", "shop", "due", "risk", "labels", "identity", "outbox", "journal"), PARTITIONS)
    | {"segment": PARTITIONS * len(SEGMENTS)}
    | {"seen": PARTITIONS * len(set(INPUT_TOPICS) - {CLOCK})}
)
"""Families of which a partition has one key, or one a segment or topic, once there is something to hold, and how many
that makes: some come late, as the labels do after the first midnight. There are never more."""

SETTLED = 0.6
"""Of the events, until memory must have settled: by then the windows of event ids that three quarters of the records go
through are full. Those of purchases fill on: their tables double once more, 6 MB each."""

MEMORY_GROWTH, DESCRIPTOR_GROWTH = 0.10, 8
OUTBOX_MAX = 20_000


@dataclass(frozen=True)
class Mark:
    """How things stood when so many events were applied.

    Attributes:
        resident_mb: of each worker.
        descriptors: open files and connections of each worker.
        queued_bytes: in all fetch queues of all workers, the most since the mark before.
        keys: of Redis, by family: what stands before the first colon.
        entries: in keys of partitions that hold many: journal entries and event ids.
        outbox: messages that wait, the most since the mark before.
    """

    events: int
    events_per_s: float
    resident_mb: list[float]
    descriptors: list[int]
    queued_bytes: int
    keys: Mapping[str, int]
    entries: Mapping[str, int]
    outbox: int


def growth(marks: Sequence[Mark], queue_bytes_max: int) -> list[str]:
    """What has grown that should not have, in words; nothing when all is well.

    Args:
        marks: in order, the last one at the end.
        queue_bytes_max: what all fetch queues may hold together.

    Raises:
        ValueError: there are too few marks to say.
    """
    settled = [mark for mark in marks if mark.events <= SETTLED * marks[-1].events] if marks else []
    if not settled:
        raise ValueError(f"{len(marks)} marks are too few: let more events through, or mark them oftener.")
    before, end = settled[-1], marks[-1]
    found = _worker_growth(marks[0], before, end)
    others = set(end.keys) - OF_CUSTOMERS
    found += [
        f"{before.keys.get(name, 0)} keys {name}:… after {before.events:,} events, {end.keys[name]} at the end"
        for name in sorted(others)
        if end.keys[name] > max(before.keys.get(name, 0), IN_EVERY_PARTITION.get(name, 0))
    ]
    if (most := max(mark.queued_bytes for mark in marks)) > queue_bytes_max:
        found.append(f"{most:,} bytes were queued, {queue_bytes_max:,} may be")
    if (waiting := max(mark.outbox for mark in marks)) > OUTBOX_MAX:
        found.append(f"{waiting:,} messages waited to be published, {OUTBOX_MAX:,} may")
    return found


def _worker_growth(first: Mark, before: Mark, end: Mark) -> list[str]:
    """Memory is compared with when it had settled, descriptors with the first mark."""
    found = []
    for number, (then, now) in enumerate(zip(before.resident_mb, end.resident_mb, strict=True)):
        if now > then * (1 + MEMORY_GROWTH):
            found.append(f"worker {number}: {then:.0f} MB after {before.events:,} events, {now:.0f} MB at the end")
    for number, (opened, still) in enumerate(zip(first.descriptors, end.descriptors, strict=True)):
        if still > opened + DESCRIPTOR_GROWTH:
            found.append(f"worker {number}: {opened} descriptors after {first.events:,} events, {still} at the end")
    return found


@dataclass
class Feeding:
    """A thread that keeps the workers busy, and never far ahead of them."""

    stand: Stand
    events: int
    seed: int
    applied: Callable[[], int]
    sent: int = 0
    failure: BaseException | None = None
    _closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Feeding":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            for records in log(self.events, self.seed, now_ms()):
                while self.sent - self.applied() > AHEAD and not self._closing.wait(LOOK_EVERY_S):
                    pass
                if self._closing.is_set():
                    return
                fill(self.stand.kafka.address, records, for_peers=False)
                self.sent += len(records)
        except Exception as failure:  # noqa: BLE001 - it is told where the run is waited for
            self.failure = failure


def log(events: int, seed: int, end_ms: int) -> Iterator[list[Record]]:
    """Batches of a uniform load whose event time ends at `end_ms`."""
    random = np.random.default_rng([seed, 11])
    event_ms = DAY_MS / (EVENTS_PER_CUSTOMER_DAY * CUSTOMERS)
    for first in range(0, events, BATCH):
        numbers = np.arange(first, min(first + BATCH, events))
        times = (end_ms - (events - numbers) * event_ms).astype(np.int64)
        yield written(random.integers(0, CUSTOMERS, len(numbers)), times, random)


def watch(ebb: RunningEbb, feeding: Feeding, every: int) -> Iterator[Mark]:
    """A mark at each `every` events until all are applied.

    Raises:
        RuntimeError: a worker ended, or nothing is applied any more.
    """
    queued = outbox = marked = applied = 0
    marked_s = moved_s = time.monotonic()
    while applied < feeding.events:
        time.sleep(LOOK_EVERY_S)
        before, applied = applied, ebb.done()
        moved_s = time.monotonic() if applied > before else moved_s
        _require_going(ebb, feeding, applied, time.monotonic() - moved_s)
        queued = max(queued, int(metric_total(ebb, "ebb_queued_bytes")))
        outbox = max(outbox, sum(outbox_depths(ebb.redis.address).values()))
        if applied // every > marked // every or applied >= feeding.events:
            now_s = time.monotonic()
            yield _mark(ebb, applied, (applied - marked) / (now_s - marked_s), queued, outbox)
            queued, outbox, marked, marked_s = 0, 0, applied, now_s


def _require_going(ebb: RunningEbb, feeding: Feeding, applied: int, still_s: float) -> None:
    if feeding.failure:
        raise feeding.failure
    for worker in ebb.processes:
        if worker.has_ended():
            raise RuntimeError(f"{worker.name} ended:\n{worker.log.read_text(errors='replace')[-3000:]}")
    if still_s > STALLED_S:
        raise RuntimeError(f"nothing was applied for {STALLED_S:.0f} s; {applied:,} of {feeding.sent:,} sent are")


def _mark(ebb: RunningEbb, applied: int, events_per_s: float, queued: int, outbox: int) -> Mark:
    pids = [worker.identity.pid for worker in ebb.processes]
    keys, entries = _held(ebb.redis.address)
    resident = [sum(map(_resident_mb, children(pid))) for pid in pids]
    descriptors = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids]
    return Mark(applied, round(events_per_s), resident, descriptors, queued, keys, entries, outbox)


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, 1)


def _held(redis_url: str) -> tuple[dict[str, int], dict[str, int]]:
    """Keys of Redis by family, and entries of those of a partition."""
    keys: dict[str, int] = {}
    entries = {"journal": 0, "seen": 0}
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(count=10_000):
            family = key.split(b":", 1)[0].decode()
            keys[family] = keys.get(family, 0) + 1
            if family == "journal":
                entries["journal"] += client.xlen(key)
            elif family == "seen":
                entries["seen"] += client.llen(key)
    return dict(sorted(keys.items())), entries


def main() -> None:
    """Run, print, judge."""
    given = _arguments()
    marks = []
    with stand() as place, place.ebb(given.workers) as ebb:
        queue_bytes = load_worker_settings(place.settings(ebb.redis.address)).queue_bytes
        with Feeding(place, given.events, given.seed, ebb.done) as feeding:
            for mark in watch(ebb, feeding, given.mark_every):
                marks.append(mark)
                print(_line(mark), file=sys.stderr, flush=True)
    grown = growth(marks, queue_bytes * len(INPUT_TOPICS) * PARTITIONS)
    if given.json:
        print(json.dumps({"marks": [asdict(mark) for mark in marks], "grown": grown}, indent=2))
    else:
        print("\n".join(grown) or f"{marks[-1].events:,} events: nothing has grown that is not customers")
    sys.exit(1 if grown else 0)


def _line(mark: Mark) -> str:
    resident = " + ".join(f"{size:.0f}" for size in mark.resident_mb)
    others = sum(count for name, count in mark.keys.items() if name not in OF_CUSTOMERS)
    return (
        f"{mark.events:>11,} events  {mark.events_per_s:>7,.0f}/s  {resident} MB  {mark.descriptors} descriptors  "
        f"queued {mark.queued_bytes / 1e6:.1f} MB  {mark.keys.get('state', 0):,} customers  "
        f"{others} other keys  {mark.entries['journal']:,} journal entries  "
        f"{mark.entries['seen']:,} blocks of event ids  outbox {mark.outbox:,}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mark-every", type=int, default=MARK_EVERY, help="events between two marks")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
