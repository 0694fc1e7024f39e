"""A commit in numbers: what the metrics are told when a chunk has been committed. Once a chunk, over whole lists."""

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.decode import Rejection
from stream.metrics import worker as metrics
from stream.ports import Commit
from stream.worker.assembly import Applied
from stream.worker.inbox import Batch
from stream.worker.sorting import Sorted

LEVELS = frozenset({"value_at_risk_minor"})  # totals that also fall: read from Redis, not counted


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
    metrics.COMMITS.labels(partition).inc()
    metrics.DEADLINES_FIRED.labels(partition).inc(len(due))
    now_ms = time.time() * 1000
    if batch.records:
        sent_ms = np.array([record.timestamp_ms for record in batch.records], np.float64)
        metrics.COMMIT_LATENCY.observe((now_ms - sent_ms) / 1000)
    if due and live:
        metrics.DEADLINE_LATENESS.observe((now_ms - np.array([due_ms for _, due_ms in due], np.float64)) / 1000)
    for (topic, kind, result), count in _outcomes(batch, found).items():
        metrics.RECORDS.labels(topic, _name_of(kind), result).inc(count)
    for reason, count in Counter(rejection.reason for rejection in applied.rejections).items():
        metrics.DEAD_LETTERS.labels(reason).inc(count)
    for message, count in Counter(cause.kind for cause in applied.causes).items():
        metrics.MESSAGES.labels(message).inc(count)
    _count_shop(applied.commit)


def _count_shop(commit: Commit) -> None:
    for name, count in commit.totals.items():
        if name not in LEVELS:
            metrics.TOTALS.labels(name).inc(count)
    for (left, entered), count in Counter((left, entered) for _, left, entered in commit.segment_moves).items():
        metrics.SEGMENT_MOVES.labels(left or "none", entered).inc(count)


def _outcomes(batch: Batch, found: Sorted) -> Counter[tuple[str, type, str]]:
    """How many records there are of each (topic, type of what was decoded, what became of it)."""
    others = dict.fromkeys(found.duplicates, "duplicate")
    for index, rejection in found.invalid:
        others[index] = "misrouted" if rejection.reason == "wrong_partition" else "invalid"
    kinds = [(record.topic, type(record.decoded)) for record in batch.records]
    counts = Counter({(*kind, "applied"): count for kind, count in Counter(kinds).items()})
    for index, result in others.items():
        counts[*kinds[index], "applied"] -= 1
        counts[*kinds[index], result] += 1
    return +counts


def _name_of(kind: type) -> str:
    """The name on the wire."""
    return "unknown" if kind is Rejection else str(kind.__struct_config__.tag)  # type: ignore[attr-defined]
