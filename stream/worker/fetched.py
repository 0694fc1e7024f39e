"""What one fetch brought of one topic-partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faust.types import TP


@dataclass(frozen=True)
class Fetched:
    """Records of one topic-partition, in offset order, as one fetch returned them.

    `previous_offset` is the consumer's position before them: offsets are not dense, so only it tells that nothing is
    missing.
    """

    tp: TP
    previous_offset: int
    records: Sequence[Any]

    @classmethod
    def of(cls, topic: str, partition: int, previous_offset: int, records: Sequence[Any]) -> "Fetched":
        """For who has no name for a topic-partition."""
        return cls(TP(topic, partition), previous_offset, records)

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return int(self.records[-1].offset) + 1

    def continuing(self, offset: int) -> Sequence[Any]:
        """The records that go on where a reader stands that has taken everything before `offset`.

        None, when some between are missing: what was asked for before a seek can leave a gap, or repeat. A gap closes
        by itself, because the consumer goes on at the seek.
        """
        if self.previous_offset > offset:
            return []
        if self.records and self.records[0].offset >= offset:
            return self.records
        return [record for record in self.records if record.offset >= offset]
