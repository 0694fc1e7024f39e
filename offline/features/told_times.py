"""When the records of an archive took effect in a replay, as its clock records tell.

A clock record says how far each topic of its partition goes before it (`schemas.clock`), so what lies behind it came
later, however early it happened. Where no clock record is, each event came when it happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.archive.files import partitions
from offline.archive.reading import read_batches
from offline.archive.records import records_of
from schemas.clock import ClockRecord
from schemas.decode import DecodeRules, decode
from schemas.topics import CLOCK, SOURCE_TOPICS

IntArray = NDArray[np.int64]
Log = tuple[str, int]
"""(topic, partition)."""

_NOTHING: IntArray = np.zeros(0, np.int64)


@dataclass(frozen=True)
class ToldTimes:
    """What the clock records of an archive tell.

    Attributes:
        times_ms: partition -> of its clock records, ascending.
        ends: log -> for each of these, the offset before which the log's records are that came before it.
    """

    times_ms: Mapping[int, IntArray] = field(default_factory=dict)
    ends: Mapping[Log, IntArray] = field(default_factory=dict)

    @property
    def last_ms(self) -> int:
        """The time of the last of all, in ms since 1970; 0 where there is none."""
        return max((int(times_ms[-1]) for times_ms in self.times_ms.values()), default=0)

    def came_ms(self, log: Log, offset: IntArray, event_ms: IntArray) -> IntArray:
        """When events of a log were there: at the clock record before them, or behind the last one at their own time.

        >>> told = ToldTimes({0: np.array([10, 20])}, {("events.purchases", 0): np.array([0, 2])})
        >>> told.came_ms(("events.purchases", 0), np.arange(4), np.array([11, 9, 8, 25])).tolist()
        [10, 10, 20, 25]
        """
        ends, times_ms = self.ends.get(log, _NOTHING), self.times_ms.get(log[1], _NOTHING)
        told = np.searchsorted(ends, offset, "right")
        before_ms = np.append(0, times_ms)[told]
        is_between = (told > 0) & (told < len(ends))
        came_ms: IntArray = np.where(is_between, before_ms, np.maximum(before_ms, event_ms))
        return came_ms


def told_times(folder: Path, rules: DecodeRules) -> ToldTimes:
    """Those of an archive.

    Raises:
        ArchiveError: it is damaged.
    """
    times_ms: dict[int, IntArray] = {}
    ends: dict[Log, IntArray] = {}
    for partition in partitions(folder, CLOCK):
        raw = records_of(read_batches(folder, CLOCK, partition))
        found = [decode(CLOCK, record.value, record.timestamp, rules) for record in raw]
        told = [record for record in found if isinstance(record, ClockRecord)]
        if told:  # time never falls, and what a record does not say has not changed
            times_ms[partition] = np.maximum.accumulate([record.time_ms for record in told])
            for topic in SOURCE_TOPICS:
                each = np.array([record.ends.get(topic, 0) for record in told], np.int64)
                ends[topic, partition] = np.maximum.accumulate(each)
    return ToldTimes(times_ms, ends)
