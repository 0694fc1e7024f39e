"""Stretches of a partition's past: what took effect at once or under the same models, and how they join to steps."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from stream.worker.log_records import LogRecords, joined
from stream.worker.noted_rules import NotedRules

AT_ONCE = 5_000  # records of a step
NO_LIMIT = 1 << 40  # more records, bytes, ms or messages than there are

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Records that follow each other, under the same models.

    Attributes:
        records: in the order they took effect.
        times: i8, stream time of each, ms.
        end_ms: stream time after them.
        versions: model -> version in force; None where nobody has noted it.
        renewed: customers that a sweep decided anew; then there are no records.
        postponed: customers whose decisions were put off for a bug, and until when, ms; then there are no records.
        clock_ms: the time of the clock record it ends with, if it does.
        fired: how many deadlines fired before the records, where more were due; 0 for all that were.
        swept: what everybody is decided under after it, where it ended a sweep.
        timeline: of the messages that it has sent from customer to customer; empty where there are none.
        rules: by which it was decided; None where no entry up to it has noted them.
        fires: among how many partitions, and in which of them, they are at home whose deadlines fire; None for all.
        first: topic -> offset at which it goes on, where no journal entry speaks of the records.
    """

    records: LogRecords
    times: IntArray
    end_ms: int
    versions: Mapping[str, str] | None = None
    renewed: Sequence[str] = ()
    clock_ms: int | None = None
    postponed: Mapping[str, int] = field(default_factory=dict)
    fired: int = 0
    swept: str = ""
    timeline: str = ""
    rules: NotedRules | None = None
    fires: tuple[int, Collection[int]] | None = None
    first: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_of_sweep(self) -> bool:
        """Whether a sweep did it."""
        return bool(self.renewed or self.swept)

    @property
    def is_alone(self) -> bool:
        """Whether it goes in no step with others."""
        return self.is_of_sweep or bool(self.postponed or self.fired)


def coalesced(stretches: Iterator[Stretch], at_most: int = AT_ONCE) -> Iterator[Stretch]:
    """The same in fewer steps: chunks do not show (docs/architecture.md, "Per record, executed in chunks").

    A tick before records is left to them, since their times are not before it. What a sweep did, what was put off,
    other models, a commit that had not room for all deadlines and the end of a day in a replay each begin a step.
    """
    waiting: list[Stretch] = []
    for each in stretches:
        fits = sum(len(stretch.records) for stretch in waiting) + len(each.records) <= at_most
        if waiting and (each.is_alone or not fits or _differ(waiting, each)):
            yield _one(waiting)
            waiting = []
        waiting.append(each)
        if each.is_alone or each.clock_ms is not None:
            yield _one(waiting)
            waiting = []
    if waiting:
        yield _one(waiting)


def _differ(waiting: Sequence[Stretch], each: Stretch) -> bool:
    """Whether it has other models or rules, or has sent in another timeline."""
    sent_in = {stretch.timeline for stretch in (*waiting, each)} - {""}
    last = waiting[-1]
    return last.versions != each.versions or last.rules != each.rules or len(sent_in) > 1


def _one(stretches: Sequence[Stretch]) -> Stretch:
    records = [stretch.records for stretch in stretches if len(stretch.records)]
    times = np.concatenate([stretch.times for stretch in stretches])
    first = {topic: offset for stretch in reversed(stretches) for topic, offset in stretch.first.items()}
    end_ms = max(stretch.end_ms for stretch in stretches)
    timeline = max(stretch.timeline for stretch in stretches)  # all that have one have the same
    return replace(stretches[-1], records=joined(records), times=times, end_ms=end_ms, first=first, timeline=timeline)
