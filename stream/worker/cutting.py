"""What of a batch goes into the next commit: what is left of it, up to an identity record or to deadlines that wait."""

import numpy as np

from stream.chunk import StreamTimes
from stream.ports import Head
from stream.worker.inbox import Batch
from stream.worker.log_records import IDENTITY_KINDS


def left(head: Head, batch: Batch, times: StreamTimes) -> tuple[Batch, StreamTimes]:
    """What Redis has not applied yet of the batch, with its stream times."""
    applied = {topic: position.next_offset for topic, position in head.positions.items()}
    if all(applied.get(topic, 0) <= first for topic, first in batch.previous.items()):
        return batch, times
    kept = batch.left(applied)
    return batch.after(applied), StreamTimes(times.of_record[kept], times.end_ms)


def before_identity(
    batch: Batch, times: StreamTimes, due: list[tuple[str, int]]
) -> tuple[Batch, StreamTimes, list[tuple[str, int]]]:
    """What goes next: a record about who a customer is goes alone, after all records and deadlines before it.

    The batch itself, if it holds none or is one.
    """
    if not batch.records.has_kind(*IDENTITY_KINDS):
        return batch, times, due
    count = int(batch.records.is_identity.argmax())
    until_ms = int(times.of_record[max(count - 1, 0)])
    due = [entry for entry in due if entry[1] <= until_ms]
    if not count and due:
        return Batch(), StreamTimes(times.of_record[:0], until_ms), due
    count = max(count, 1)
    if count == len(batch.records) and until_ms == times.end_ms:
        return batch, times, due
    return batch.first(count), StreamTimes(times.of_record[:count], until_ms), due


def at_most(times: StreamTimes, until_ms: int) -> StreamTimes:
    """The same times, none later than one."""
    return StreamTimes(np.minimum(times.of_record, until_ms), min(times.end_ms, until_ms))


def portion(
    batch: Batch, times: StreamTimes, due: list[tuple[str, int]]
) -> tuple[Batch, StreamTimes, list[tuple[str, int]]]:
    """As much of a batch as can be applied with the deadlines read, when more of them wait: those before its records
    alone, else the records before the last of them."""
    last_ms = due[-1][1]
    first = int(np.searchsorted(times.of_record, last_ms, side="left"))
    if not first:
        return Batch(), StreamTimes(np.zeros(0, np.int64), last_ms), due
    until_ms = int(times.of_record[first - 1])
    return (
        batch.first(first),
        StreamTimes(times.of_record[:first], until_ms),
        [entry for entry in due if entry[1] <= until_ms],
    )
