"""What one fetch brought of one topic-partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faust.types import TP


@dataclass(frozen=True)
class Fetched:
    """Records of one topic-partition, in offset order, as one fetch returned them.

    `previous_offset` is the consumer's position before them: offsets are not dense, so only it tells that nothing is missing.
    """

    tp: TP
    previous_offset: int
    records: Sequence[Any]

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return int(self.records[-1].offset) + 1
