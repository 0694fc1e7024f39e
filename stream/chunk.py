"""What one step of the engine is given: customers of a partition, records, their stream times, models and rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.actions.alerts import ChurnRule
from stream.features.facts import EventFacts
from stream.features.layout import StateArray
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.outcomes.declaration import Outcome, is_same_question
from stream.outcomes.declared import DeclaredOutcomes
from stream.outcomes.maturity import OpenArray
from stream.outcomes.snapshot import Taken
from stream.scoring.deadlines import SHORTEST_SEARCH_MS
from stream.scoring.documents import OutcomeDocument, SegmentDocument

IntArray = NDArray[np.int64]
RowArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class PartitionCustomers:
    """The customers a chunk touches, as stored: everybody with a record in it and everybody with a deadline in it.

    Attributes:
        partition: which partition they live in.
        customers: ids; a customer's position here is its row everywhere else.
        states: shape (customers,), the packed records.
        accumulators: open outcomes of these customers.
        snapshots: (customer, day) -> snapshot, stored or as it was taken, at least of every accumulator that closes in
            this chunk.
    """

    partition: int
    customers: Sequence[str]
    states: StateArray
    accumulators: OpenArray
    snapshots: Mapping[tuple[str, int], bytes | Taken] = field(default_factory=dict)


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

    def answering(self, outcome: Outcome) -> OutcomeDocument | None:
        """The document that answers what is asked now; in a past there may be one of what its name asked before.

        >>> Models().answering(Outcome(name="soon", horizon_days=7, true_when="any")) is None
        True
        """
        document = self.outcomes.get(outcome.name)
        return document if document and is_same_question(document.question, outcome.code) else None


@dataclass(frozen=True)
class Rules:
    """What does not change while a process runs.

    Attributes:
        currency: of all money in the history.
        exponent: its decimal places.
        vocabulary: the declared names of categories, regions, tiers and the like.
        outcomes: what is predicted.
        alert_outcome: the one whose probability alerts, value at risk and reasons go by.
        churn: when alerts open and close.
        decide_every_ms: one customer is decided at most this often.
        stale_after_ms: how long a decision may stand unasked: a new model makes deadlines stale.
    """

    currency: str = "GBP"
    exponent: int = 2
    vocabulary: Vocabulary = NOTHING_DECLARED
    outcomes: DeclaredOutcomes = field(default_factory=DeclaredOutcomes)
    alert_outcome: str = "lapsed"
    churn: ChurnRule = field(default_factory=ChurnRule)
    decide_every_ms: int = 1_000
    stale_after_ms: int = 7 * DAY_MS

    def __post_init__(self) -> None:
        """Refuse deadlines that would not lie after the decision that sets them: they would fire for ever."""
        if self.alert_outcome not in self.outcomes.names:
            raise ValueError(f"alerts go by {self.alert_outcome!r}, which is none of {', '.join(self.outcomes.names)}")
        if self.stale_after_ms < SHORTEST_SEARCH_MS or self.decide_every_ms < 0:
            raise ValueError(
                f"stale_after_ms={self.stale_after_ms} must be at least {SHORTEST_SEARCH_MS}, "
                f"decide_every_ms={self.decide_every_ms} at least 0"
            )
