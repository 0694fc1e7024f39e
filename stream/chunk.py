"""What one step of the engine is given: the partition's customers, the records, their stream times, models and rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.actions.alerts import ChurnRule
from stream.features.facts import EventFacts
from stream.features.layout import StateArray
from stream.outcomes.maturity import OpenArray
from stream.scoring.documents import OutcomeDocument, SegmentDocument

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class PartitionCustomers:
    """The customers a chunk touches, as stored: everybody with a record in it and everybody with a deadline in it.

    Attributes:
        partition: which partition they live in.
        customers: ids; a customer's position here is its row everywhere else.
        states: shape (customers,), the packed records.
        accumulators: open outcomes of these customers.
        snapshots: (customer, day) -> stored snapshot, at least of every accumulator that closes in this chunk.
    """

    partition: int
    customers: Sequence[str]
    states: StateArray
    accumulators: OpenArray
    snapshots: Mapping[tuple[str, int], bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Records:
    """The chunk's events of known customers. `index[i]` is the place of event i among all records of the chunk."""

    facts: EventFacts
    index: IntArray


@dataclass(frozen=True)
class StreamTimes:
    """Stream time of every record of the chunk, whatever it held, and of the chunk's end, in ms; never falling."""

    of_record: IntArray
    end_ms: int


@dataclass(frozen=True)
class Models:
    """The documents in force during a step."""

    outcomes: Mapping[str, OutcomeDocument] = field(default_factory=dict)
    segments: SegmentDocument | None = None

    @property
    def versions(self) -> dict[str, str]:
        """Name -> version, for the journal."""
        named = {name: document.version for name, document in self.outcomes.items()}
        return named | ({"segments": self.segments.version} if self.segments else {})


@dataclass(frozen=True)
class Rules:
    """What does not change while a process runs.

    `decide_every_ms` bounds how often one customer is decided; `stale_after_ms` how long a decision may stand unasked: a
    new model makes deadlines stale.
    """

    currency: str = "GBP"
    exponent: int = 2
    categories: tuple[str, ...] = ()
    churn: ChurnRule = ChurnRule()
    decide_every_ms: int = 1_000
    stale_after_ms: int = 7 * 86_400_000
