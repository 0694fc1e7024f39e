"""The pasts of all partitions shared out anew among another number of them.

Each record keeps the stream time it had; where partitions meet, they are put in order by it. Nothing of a customer
depends on who else lives in its partition, so what becomes of it is what would have become of it there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ebb.history.past import AT_ONCE, IntArray, PartitionPast, Stretch
from schemas.topics import CLOCK
from stream.worker.homes import partitions_of
from stream.worker.log_records import TOPIC_NUMBERS, LogRecords, joined

SHARED_OUT_AT = 50_000  # records that are put in order at once

Versions = Mapping[str, str] | None


@dataclass
class _Pieces:
    """Records of one new partition, by the old one they come from: not applied yet."""

    of: dict[int, list[tuple[LogRecords, IntArray, IntArray]]] = field(default_factory=dict)

    def add(self, old: int, records: LogRecords, times: IntArray, under: IntArray) -> None:
        self.of.setdefault(old, []).append((records, times, under))


class SharingOut:
    """Goes through the pasts of old partitions at the same time, and says what each new one gets.

    Args:
        pasts: of the old partitions.
        partitions: how many there are to be.
    """

    def __init__(self, pasts: Sequence[PartitionPast], partitions: int) -> None:
        self._pasts, self._partitions = pasts, partitions
        self._pieces = [_Pieces() for _ in range(partitions)]
        self._versions: list[Versions] = []

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
            yield new, Stretch(joined([]), nothing, end_ms, self._versions[-1] if self._versions else None)

    def _share(self, old: int, stretch: Stretch) -> int:
        """Note where each record goes; how many go anywhere."""
        if not self._versions or self._versions[-1] != stretch.versions:
            self._versions.append(stretch.versions)
        homes = self._homes(old, stretch.records)
        for new in np.unique(homes[homes >= 0]).tolist():
            places = np.flatnonzero(homes == new)
            under = np.full(len(places), len(self._versions) - 1)
            self._pieces[new].add(old, stretch.records.take(places), stretch.times[places], under)
        return len(homes)

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
            homes[place] = partitions_of([key.decode(errors="replace")], self._partitions)[0] if known else old
        return homes

    def _before(self, time_ms: int) -> Iterator[tuple[int, Stretch]]:
        for new, pieces in enumerate(self._pieces):
            parts = [piece for _, found in sorted(pieces.of.items()) for piece in found]
            if not parts:
                continue
            records = joined([part[0] for part in parts])
            times, under = (np.concatenate([part[column] for part in parts]) for column in (1, 2))
            ready = np.flatnonzero(times < time_ms)
            ready = ready[np.argsort(times[ready], kind="stable")]
            self._keep(pieces, time_ms)
            for begin, end in _runs(under[ready]):
                some = ready[begin:end]
                of_now = times[some]
                yield new, Stretch(records.take(some), of_now, int(of_now[-1]), self._versions[int(under[some[0]])])

    @staticmethod
    def _keep(pieces: _Pieces, time_ms: int) -> None:
        """Leave what is not before a time."""
        for old, found in pieces.of.items():
            later = [(piece, np.flatnonzero(piece[1] >= time_ms)) for piece in found]
            pieces.of[old] = [
                (records.take(places), times[places], under[places])
                for (records, times, under), places in later
                if len(places)
            ]


def _runs(under: IntArray) -> Iterator[tuple[int, int]]:
    """(begin, end) of the records under the same models, at most `AT_ONCE` at once."""
    begins = np.flatnonzero(np.diff(under, prepend=-1)).tolist()
    for begin, end in zip(begins, [*begins[1:], len(under)], strict=True):
        for first in range(begin, end, AT_ONCE):
            yield first, min(first + AT_ONCE, end)
