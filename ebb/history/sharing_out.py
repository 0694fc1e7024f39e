"""The pasts of all partitions shared out anew among another number of them.

Each record keeps the stream time it had; where partitions meet, they are put in order by it. Nothing of a customer
depends on who else lives in its partition, so what becomes of it is what would have become of it there. Time itself is
shared out too: what it reached in an old partition, by a tick or by others' records, is reached wherever its customers
go, so that their deadlines fire under the models of then. Partitions take up a model one after another: while they
differ only the deadlines of those fire whose partition decided so.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebb.history.past import PartitionPast
from ebb.history.stretches import AT_ONCE, IntArray, Stretch
from schemas.topics import CLOCK
from stream.worker.assembly import NOBODY_POSTPONED
from stream.worker.homes import partitions_of
from stream.worker.log_records import NO_RECORDS, TOPIC_NUMBERS, LogRecords, joined
from stream.worker.noted_rules import NotedRules

SHARED_OUT_AT = 50_000  # records that are put in order at once


class _Under(NamedTuple):
    """What somebody was decided under: versions of models, and rules, as far as they are noted."""

    versions: Mapping[str, str] | None = None
    rules: NotedRules | None = None


class _Piece(NamedTuple):
    """Records with the time of each; or one time alone, and who was decided anew or put off then, if anybody.

    All are under the same models.
    """

    records: LogRecords
    times: IntArray
    under: int
    renewed: Sequence[str] = ()
    postponed: Mapping[str, int] = NOBODY_POSTPONED

    @property
    def is_alone(self) -> bool:
        """Whether it holds no records, and is a step of its own."""
        return not len(self.records)

    def at(self, places: IntArray) -> "_Piece":
        """Some of it."""
        return self._replace(
            records=self.records if self.is_alone else self.records.take(places), times=self.times[places]
        )


@dataclass
class _Pieces:
    """What becomes of one new partition, by the old one it comes from: not applied yet."""

    of: dict[int, list[_Piece]] = field(default_factory=dict)

    def add(self, old: int, piece: _Piece) -> None:
        self.of.setdefault(old, []).append(piece)


class SharingOut:
    """Goes through the pasts of old partitions at the same time, and says what each new one gets.

    Args:
        pasts: of the old partitions.
        partitions: how many there are to be.
    """

    def __init__(self, pasts: Sequence[PartitionPast], partitions: int) -> None:
        self._pasts, self._partitions = pasts, partitions
        self._pieces = [_Pieces() for _ in range(partitions)]
        self._unders: list[_Under] = []
        self._last_under = dict.fromkeys(range(len(pasts)), 0)

    def stretches(self, journals: Sequence[Iterator[Stretch]]) -> Iterator[tuple[int, Stretch]]:
        """(new partition, its next stretch), until everything is shared out.

        Args:
            journals: what is to be shared out of each of the pasts.
        """
        reached = dict.fromkeys(range(len(journals)), -1)
        waiting = 0
        while reached:
            old = min(reached, key=lambda number: reached[number])
            stretch = next(journals[old], None)
            if stretch is None:
                del reached[old]
                continue
            reached[old] = max(reached[old], stretch.end_ms)
            waiting += self._share(old, stretch)
            if waiting >= SHARED_OUT_AT:
                yield from self._before(min(reached.values()))
                waiting = 0
        end_ms = max((past.stream_time_ms for past in self._pasts), default=0)
        yield from self._before(end_ms + 1)
        for new in range(self._partitions):
            nothing = np.zeros(0, np.int64)
            yield new, Stretch(NO_RECORDS, nothing, end_ms, fires=(1, ()))  # the next worker fires what nobody has

    def _share(self, old: int, stretch: Stretch) -> int:
        """Note where each record goes; how many go anywhere."""
        homes, under = self._homes(old, stretch.records), self._number_of(old, _Under(stretch.versions, stretch.rules))
        at_ms = np.array([stretch.end_ms])
        is_told = not stretch.is_of_sweep and not stretch.postponed  # before these all that was due has fired
        for new in range(self._partitions):
            places = np.flatnonzero(homes == new)
            times = stretch.times[places]
            if len(places):
                self._pieces[new].add(old, _Piece(stretch.records.take(places), times, under))
            if is_told and stretch.end_ms > times.max(initial=-1):
                self._pieces[new].add(old, _Piece(NO_RECORDS, at_ms, under))
        for new, renewed in self._by_home(stretch.renewed).items():
            self._pieces[new].add(old, _Piece(NO_RECORDS, at_ms, under, renewed))
        for new, customers in self._by_home(list(stretch.postponed)).items():
            postponed = {customer: stretch.postponed[customer] for customer in customers}
            self._pieces[new].add(old, _Piece(NO_RECORDS, at_ms, under, postponed=postponed))
        return len(homes) + len(stretch.renewed) + len(stretch.postponed)

    def _number_of(self, old: int, under: _Under) -> int:
        """A number for what an old partition has decided under: that of before, of the latest of any, or a new one."""
        if not self._unders or self._unders[self._last_under[old]] != under:
            if not self._unders or self._unders[-1] != under:
                self._unders.append(under)
            self._last_under[old] = len(self._unders) - 1
        return self._last_under[old]

    def _by_home(self, customers: Sequence[str]) -> dict[int, list[str]]:
        """New partition -> those of the customers who will live there."""
        found: dict[int, list[str]] = {}
        for customer, new in zip(customers, partitions_of(customers, self._partitions), strict=True):
            found.setdefault(new, []).append(customer)
        return found

    def _homes(self, old: int, records: LogRecords) -> IntArray:
        """The new partition of each record; -1 for clock records, and for who was on a wrong partition.

        What has no customer goes by its key, as its producer would have sent it.
        """
        homes = np.full(len(records), -1)
        of_customers = np.flatnonzero(records.has_customer)
        names = records.customer[of_customers].tolist()
        at_home = np.array(partitions_of(names, len(self._pasts)), np.int64) == self._pasts[old].partition
        homes[of_customers] = np.where(at_home, np.array(partitions_of(names, self._partitions), np.int64), -1)
        for place in np.flatnonzero(~records.has_customer & (records.topic != TOPIC_NUMBERS[CLOCK])).tolist():
            key = records.fetched[place].key
            known = key is not None and records.is_event[place]
            kept = old % self._partitions
            homes[place] = partitions_of([key.decode(errors="replace")], self._partitions)[0] if known else kept
        return homes

    def _before(self, time_ms: int) -> Iterator[tuple[int, Stretch]]:
        for new, pieces in enumerate(self._pieces):
            parts = [(old, piece) for old, found in sorted(pieces.of.items()) for piece in found]
            if not parts:
                continue
            self._keep(pieces, time_ms)
            for stretch in self._in_order(parts, time_ms):
                yield new, stretch

    def _in_order(self, parts: Sequence[tuple[int, _Piece]], time_ms: int) -> Iterator[Stretch]:
        """What is before a time, by time; what comes from one old partition at the same time stays in its order."""
        records, times = joined([part.records for _, part in parts]), np.concatenate([part.times for _, part in parts])
        part_of = np.repeat(np.arange(len(parts)), [len(part.times) for _, part in parts])
        is_alone = np.array([part.is_alone for _, part in parts])[part_of]
        old, under = (np.array(each)[part_of] for each in zip(*((old, part.under) for old, part in parts), strict=True))
        place_of = np.cumsum(~is_alone) - 1
        ready = np.flatnonzero(times < time_ms)
        ready = ready[np.argsort(times[ready], kind="stable")]
        firing = _Firing(old, under, [past.partition for past in self._pasts])
        for begin, end in _runs(under[ready], is_alone[ready], firing.is_last[ready]):
            some = ready[begin:end]
            last, decided = int(some[-1]), self._unders[int(under[some[0]])]._asdict()
            decided["fires"] = firing.after(some)
            part, last_ms = parts[part_of[last]][1], int(times[last])
            if part.postponed:  # the deadlines before then came first, one at that time may be what failed
                yield Stretch(NO_RECORDS, times[:0], last_ms - 1, **decided)
            if part.is_alone:
                whom = {"renewed": part.renewed, "postponed": part.postponed}
                yield Stretch(NO_RECORDS, times[:0], last_ms, **whom, **decided)
            else:
                yield Stretch(records.take(place_of[some]), times[some], int(times[last]), **decided)

    @staticmethod
    def _keep(pieces: _Pieces, time_ms: int) -> None:
        """Leave what is not before a time."""
        for old, found in pieces.of.items():
            later = [(piece, np.flatnonzero(piece.times >= time_ms)) for piece in found]
            pieces.of[old] = [piece.at(places) for piece, places in later if len(places)]


class _Firing:
    """Whose deadlines fire with a step: those of customers whose old partition decides under the same models then.

    A deadline has fired with the first that its own partition did from then on. What comes after the end of that is
    left to the next worker.

    Attributes:
        is_last: of each record, whether its old partition decides under others after it, or no more. A step ends there.

    Args:
        old: shape (records,), the old partition of each, one after another.
        under: shape (records,), under what it was decided.
        numbers: of the old partitions.
    """

    def __init__(self, old: IntArray, under: IntArray, numbers: Sequence[int]) -> None:
        self._old, self._under, self._numbers = old, under, numbers
        self.is_last = np.append((old[1:] != old[:-1]) | (under[1:] != under[:-1]), True)
        self._next = {each: int(np.searchsorted(old, each)) for each in np.unique(old).tolist()}

    def after(self, step: IntArray) -> tuple[int, Collection[int]] | None:
        """Among how many old partitions, and in which of them, deadlines fire with a step; None for all.

        Args:
            step: places of the next records, by time.
        """
        olds, from_end = np.unique(self._old[step[::-1]], return_index=True)
        self._next |= dict(zip(olds.tolist(), (step[::-1][from_end] + 1).tolist(), strict=True))
        last = int(step[-1])
        among = {self._numbers[old] for old, place in self._next.items() if self._goes_on(old, place, last)}
        return (len(self._numbers), among) if len(among) < len(self._numbers) else None

    def _goes_on(self, old: int, place: int, last: int) -> bool:
        """Whether an old partition whose next record has a place decides as the last record of a step was decided."""
        is_there = place < len(self._old) and self._old[place] == old
        return bool(old == self._old[last] or (is_there and self._under[place] == self._under[last]))


def _runs(under: IntArray, is_alone: NDArray[np.bool_], is_last: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """(begin, end) of each step: records under the same models, at most `AT_ONCE`, or what goes alone.

    After what is the last of its old partition under its models a step ends.
    """
    begins_anew = np.append(False, is_alone | is_last)[:-1]
    changes = (np.diff(under, prepend=-1) != 0) | is_alone | begins_anew
    begins = np.flatnonzero(changes).tolist()
    for begin, end in zip(begins, [*begins[1:], len(under)], strict=True):
        for first in range(begin, end, AT_ONCE):
            yield first, min(first + AT_ONCE, end)
