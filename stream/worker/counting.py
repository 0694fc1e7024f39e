"""A commit in numbers: what the metrics are told when a chunk has been committed. Once a chunk, over whole lists."""

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from schemas.topics import INPUT_TOPICS
from stream.metrics import worker as metrics
from stream.ports import Commit
from stream.worker.assembly import Applied
from stream.worker.inbox import Batch
from stream.worker.log_records import KIND_NAMES, LOST_KIND, LogRecords
from stream.worker.sorting import Sorted

RESULTS = ("applied", "duplicate", "invalid", "misrouted", "erased", "redirected", "lost")
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
        metrics.COMMIT_LATENCY.observe((now_ms - batch.records.timestamp_ms) / 1000)
    if due and live:
        metrics.DEADLINE_LATENESS.observe((now_ms - np.array([due_ms for _, due_ms in due], np.float64)) / 1000)
    for (topic, kind, result), count in _outcomes(batch.records, found).items():
        metrics.RECORDS.labels(topic, kind, result).inc(count)
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


def _outcomes(records: LogRecords, found: Sorted) -> dict[tuple[str, str, str], int]:
    """How many records there are of each (topic, kind, what became of it)."""
    result = np.full(len(records), RESULTS.index("applied"))
    result[found.duplicates] = RESULTS.index("duplicate")
    result[[place for place, _ in found.invalid]] = RESULTS.index("invalid")
    result[[place for place, _ in found.misrouted]] = RESULTS.index("misrouted")
    result[found.erased] = RESULTS.index("erased")
    result[[each.place for each in found.redirected]] = RESULTS.index("redirected")
    result[records.kind == LOST_KIND] = RESULTS.index("lost")
    shape = len(INPUT_TOPICS), len(KIND_NAMES), len(RESULTS)
    codes, counts = np.unique(np.ravel_multi_index((records.topic, records.kind, result), shape), return_counts=True)
    named = zip(*(axis.tolist() for axis in np.unravel_index(codes, shape)), counts.tolist(), strict=True)
    return {(INPUT_TOPICS[topic], KIND_NAMES[kind], RESULTS[became]): count for topic, kind, became, count in named}
