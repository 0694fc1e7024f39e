"""What goes into a map and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.rejection import Rejection

Headers = Sequence[tuple[str, bytes]]


class SourceRecord(NamedTuple):
    """A record of a source topic as Kafka has it; `timestamp_ms` is -1 where it has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class MappedEvent(NamedTuple):
    """An event on its way to one of Ebb's topics, and the place of the record it comes from."""

    place: int
    kind: str
    topic: str
    partition: int
    key: bytes
    value: bytes


class Refused(NamedTuple):
    """Why a record, or an event of it, is none; `more` are other faults of the same record."""

    place: int
    rejection: Rejection
    more: int


@dataclass
class Mapped:
    """What becomes of a batch of records: places are positions in it.

    Attributes:
        events: in the order of their records.
        refused: at most one for each record.
        ignored: places of records that no event table applies to, where the map says to ignore those.
    """

    events: list[MappedEvent] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
