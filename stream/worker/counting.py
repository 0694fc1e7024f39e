"""A commit in numbers: what its step took, and what the metrics are told when it is done; over whole lists."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from prometheus_client import Counter as MetricCounter

from schemas.topics import INPUT_TOPICS
from stream.compiled import compiled
from stream.metrics import worker as metrics
from stream.ports import Commit
from stream.worker.assembly import Applied
from stream.worker.inbox import Batch
from stream.worker.log_records import KIND_NAMES, LOST_KIND, LogRecords
from stream.worker.sorting import Sorted

RESULTS = ("applied", "duplicate", "invalid", "misrouted", "erased", "redirected", "lost")
LEVELS = frozenset({"value_at_risk_minor"})  # totals that also fall: read from Redis, not counted
_SHAPE = len(RESULTS), len(INPUT_TOPICS), len(KIND_NAMES)

# labels -> what counts; a commit names some twenty, and the client's own look-up takes a lock and makes texts of them
_commits, _deadlines_fired = cache(metrics.COMMITS.labels), cache(metrics.DEADLINES_FIRED.labels)
_totals, _moves = cache(metrics.TOTALS.labels), cache(metrics.SEGMENT_MOVES.labels)


@cache
def _records(outcome: int) -> MetricCounter:
    """What counts records of one of `outcomes`."""
    became, topic, kind = np.unravel_index(outcome, _SHAPE)
    return metrics.RECORDS.labels(INPUT_TOPICS[topic], KIND_NAMES[kind], RESULTS[became])


def timed(step: Callable[[], Applied], *, cpu: bool) -> tuple[Applied, float]:
    """What a step gives, and how many ms of CPU it took: 0 without `cpu`, since the kernel's answer takes 5 us and may
    cost the core."""
    with metrics.STAGES["step"].time():
        began_s = time.thread_time() if cpu else 0.0
        applied = step()
        return applied, (time.thread_time() - began_s) * 1000 if cpu else 0.0


def count_commit(
    partition: int, batch: Batch, found: Sorted, applied: Applied, due: Sequence[tuple[str, int]], *, live: bool
) -> None:
    """Count one commit.

    Args:
        partition: of the lane.
        batch: the records it applied.
        found: what they were.
        applied: what came of them.
        due: (customer, deadline in ms) of the deadlines that fired.
        live: whether deadlines are times of the wall; in a replay no one can say how late they were.
    """
    _commits(partition).inc()
    if due:
        _deadlines_fired(partition).inc(len(due))
    now_ms = time.time() * 1000
    if batch.records:
        metrics.COMMIT_LATENCY.observe((now_ms - batch.records.timestamp_ms) / 1000)
    if due and live:
        metrics.DEADLINE_LATENESS.observe((now_ms - np.array([due_ms for _, due_ms in due], np.float64)) / 1000)
    for outcome, count in outcomes(batch.records, found).items():
        _records(outcome).inc(count)
    if applied.rejections or applied.causes:
        _count_said(applied)
    _count_shop(applied.commit)


def _count_said(applied: Applied) -> None:
    for reason, count in Counter(rejection.reason for rejection in applied.rejections).items():
        metrics.DEAD_LETTERS.labels(reason).inc(count)
    for message, count in Counter(cause.kind for cause in applied.causes).items():
        metrics.MESSAGES.labels(message).inc(count)


def _count_shop(commit: Commit) -> None:
    for name, count in commit.totals.items():
        if name not in LEVELS:
            _totals(name).inc(count)
    for (left, entered), count in Counter((left, entered) for _, left, entered in commit.segment_moves).items():
        _moves(left or "none", entered).inc(count)


def outcomes(records: LogRecords, found: Sorted) -> dict[int, int]:
    """How many records there are of each (what became of it, topic, kind), which are one number."""
    became = np.zeros(len(records), np.intp)
    for result, places in (
        ("duplicate", found.duplicates),
        ("invalid", [place for place, _ in found.invalid]),
        ("misrouted", [place for place, _ in found.misrouted]),
        ("erased", found.erased),
        ("redirected", [each.place for each in found.redirected]),
        ("lost", (records.kind == LOST_KIND).nonzero()[0] if records.has_kind(LOST_KIND) else ()),
    ):
        if len(places):
            became[places] = RESULTS.index(result)
    different, counts = np.empty((2, len(records)), np.intp)
    many = _tally(different, counts, became, records.topic, records.kind)
    return dict(zip(different[:many].tolist(), counts[:many].tolist(), strict=True))


@compiled
def _tally(outcomes: Any, counts: Any, became: Any, topic: Any, kind: Any) -> int:
    """Fill in the outcomes there are and how many records each has; how many outcomes. They are few: each is looked
    for among those before it."""
    different = 0
    for record in range(len(became)):
        outcome = (became[record] * _SHAPE[1] + topic[record]) * _SHAPE[2] + kind[record]
        at = 0
        while at < different and outcomes[at] != outcome:
            at += 1
        if at == different:
            outcomes[at], counts[at] = outcome, 0
            different += 1
        counts[at] += 1
    return different
