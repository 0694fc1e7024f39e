"""One archived topic-partition, read once, with what stands where an erasure has taken a record out."""

from operator import attrgetter
from pathlib import Path

from offline.archive.erased import erased_places
from offline.archive.files import files
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from schemas.rejection import reject
from stream.worker.log_records import LogRecords

SET_ASIDE = reject("bug", "set aside")
"""What stands for a record that a worker has set aside for a bug: nobody decodes it again."""


class Gone(ArchivedRecord, frozen=True, gc=False):
    """Stands where an erasure has taken a record out; its time is that of its place among the topics."""


class ArchivedLog:
    """One archived topic-partition, read once from its beginning."""

    def __init__(self, folder: Path, topic: str, partition: int) -> None:
        found = files(folder, topic, partition)
        self.position, self.end = 0, found[-1].end if found else 0
        self._erased = erased_places(folder, topic, partition)
        self._rows = records_of(read_batches(folder, topic, partition))
        self._next = next(self._rows, None)

    def until(self, end: int, at_most: int | None = None) -> list[ArchivedRecord]:
        """The next records before an offset."""
        found: list[ArchivedRecord] = []
        while self._next is not None and self._next.offset < end and (at_most is None or len(found) < at_most):
            found.append(self._next)
            self._next = next(self._rows, None)
        is_cut = at_most is not None and len(found) == at_most
        self.position = found[-1].offset + 1 if is_cut else max(self.position, min(end, self.end))
        return found

    @property
    def has_gone(self) -> bool:
        """Whether an erasure has taken records out of it."""
        return bool(self._erased)

    def applied(self, first: int, end: int) -> list[ArchivedRecord]:
        """The next records before an offset; of those from `first` on also what stands where one was taken out."""
        found = self.until(end)
        if not self._erased:
            return found
        kept = {record.offset for record in found}
        gone = [Gone(at, time_ms, None, None) for at, time_ms in self._erased if first <= at < end and at not in kept]
        return sorted([*found, *gone], key=attrgetter("offset"))

    def has_before(self, end: int) -> bool:
        """Whether there are records before an offset that were not read."""
        return self._next is not None and self._next.offset < end


def gone_places(records: LogRecords) -> list[int]:
    """The places of those that an erasure has taken out."""
    return [place for place, raw in enumerate(records.fetched) if isinstance(raw, Gone)]
