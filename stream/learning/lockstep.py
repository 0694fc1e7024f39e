"""Epochs of the labels log in lockstep: training is a function of the log's content, not of how partitions interleave.

Each lane writes its labels of a day and then "epoch passed". A day is complete when all partitions have passed it; its
labels are then in one fixed order. What a fast partition wrote of later days waits.
"""

from dataclasses import dataclass, field
from operator import attrgetter

from schemas.messages import EpochPassed, Label, LabelRecord, ModelDecision


@dataclass(frozen=True)
class Epoch:
    """A complete day.

    Attributes:
        day: days since 1970, UTC.
        labels: sorted by (matured_ms, customer_id, outcome); repeats of the log are still among them.
        resume_offset: where reading must start again once this epoch is saved; labels of later days may wait.
        decisions: of a person, that came into the log before the record which completed this day; in their order.
    """

    day: int
    labels: tuple[Label, ...]
    resume_offset: int
    decisions: tuple[ModelDecision, ...] = ()


@dataclass(frozen=True)
class _Day:
    """A day that its partition has passed: its labels, and the offset of its first record."""

    labels: tuple[Label, ...]
    first_offset: int


@dataclass
class _Partition:
    passed_day: int
    open: list[tuple[int, Label]] = field(default_factory=list)
    """(offset, label) after the last day passed."""
    closed: dict[int, _Day] = field(default_factory=dict)
    """Days that other partitions have not passed."""

    def close(self, offset: int, passed: EpochPassed) -> None:
        """Close the day. What a repeated or trained "epoch passed" has before it was given out: discard it."""
        before = [(at, label) for at, label in self.open if label.sequence < passed.sequence]
        self.open = [(at, label) for at, label in self.open if label.sequence > passed.sequence]
        if passed.day > self.passed_day:
            first_offset = min((at for at, _ in before), default=offset)
            self.closed[passed.day] = _Day(tuple(label for _, label in before), first_offset)
            self.passed_day = passed.day

    def waiting_offsets(self) -> list[int]:
        """Offsets from which what is not part of a given-out day would have to be read again."""
        return [at for at, _ in self.open] + [day.first_offset for day in self.closed.values()]


class Lockstep:
    """Collects the labels log and gives out the days that are complete.

    Args:
        partitions: how many partitions write to the log.
        trained_day: the last day already trained; what is read again of it is discarded. Before the first: 0.

    >>> log = Lockstep(partitions=2)
    >>> log.add(7, EpochPassed(message_id="a", partition=0, sequence=1, day=14610))
    []
    >>> log.add(8, EpochPassed(message_id="b", partition=1, sequence=1, day=14610))
    [Epoch(day=14610, labels=(), resume_offset=9, decisions=())]
    """

    def __init__(self, partitions: int, trained_day: int = 0) -> None:
        self._partitions = {number: _Partition(trained_day) for number in range(partitions)}
        self._decisions: list[ModelDecision] = []

    def add(self, offset: int, record: LabelRecord) -> list[Epoch]:
        """Take the log's next record.

        Args:
            offset: the record's offset.
            record: what it holds.

        Returns:
            The days that this record completes, in order; mostly none.

        Raises:
            KeyError: a record of a partition beyond the number of partitions.
        """
        if isinstance(record, ModelDecision):
            self._decisions.append(record)
            return []
        partition = self._partitions[record.partition]
        if isinstance(record, Label):
            partition.open.append((offset, record))
            return []
        partition.close(offset, record)
        return [self._epoch(day, offset + 1) for day in self._complete_days()]

    def _complete_days(self) -> list[int]:
        passed_by_all = min(partition.passed_day for partition in self._partitions.values())
        return sorted({day for p in self._partitions.values() for day in p.closed if day <= passed_by_all})

    def _epoch(self, day: int, next_offset: int) -> Epoch:
        closed = [p.closed.pop(day) for p in self._partitions.values() if day in p.closed]
        labels = [label for part in closed for label in part.labels]
        labels.sort(key=attrgetter("matured_ms", "customer_id", "outcome"))
        waiting = [offset for partition in self._partitions.values() for offset in partition.waiting_offsets()]
        decisions, self._decisions = tuple(self._decisions), []
        return Epoch(day, tuple(labels), min([next_offset, *waiting]), decisions)
