"""A history day by day through the worker's engine and the learner, in one process: no Kafka, no Redis, no threads.

It is a lockstep replay of one partition (docs/architecture.md, "Learning"). How many partitions there are shows
nowhere: customers do not influence each other, and the learner sorts the labels of a day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebb.backtest.labels_of_a_day import label_rows
from ebb.backtest.partition import Partition
from ebb.backtest.past import Past
from offline.columns.of_events import taken_of
from offline.features.batches import batch_of
from offline.history import History
from schemas.decode import DecodeRules
from schemas.messages import DriftNoticed, Label
from schemas.units import DAY_MS
from stream.chunk import IntArray, Models, Rules
from stream.features.facts import EventFacts
from stream.features.layout import StateArray
from stream.learner.teaching import Teacher
from stream.memory_store import MemoryModelStore
from stream.outcomes.declared import DeclaredOutcomes
from stream.outcomes.matured import Matured
from stream.scoring.documents import OutcomeDocument, SegmentDocument
from stream.signing import Keyring

KEYRING = Keyring.from_text("process:" + "00" * 32)  # nothing is signed: nothing leaves the process
NO_LIMIT = 1 << 62  # a history of objects lies in memory anyway


@dataclass(frozen=True)
class Shop:
    """What of a deployment decides what its events come to.

    Attributes:
        rules: of the engine.
        decoding: which records are events.
        received_ms: Kafka timestamp that all records count as having, in ms since 1970.
    """

    rules: Rules
    decoding: DecodeRules
    received_ms: int


@dataclass(frozen=True)
class Moment:
    """A moment of the clock: everything up to it has taken effect, and labels of the day before are not learned yet.

    What `models` say of `states` is what a snapshot of this moment says.

    Attributes:
        time_ms: a midnight UTC, or at the end the time of the last event.
        events: how many of the history have come, but for those of guests.
        models: in force.
        customers: all that have come, by the day on which they did, and of one day in alphabetical order.
        states: theirs, shape (customers,); they are changed after this moment.
        matured: what has become known since the moment before; None for nothing.
        outcomes: the declared ones.
        facts: of the events since the moment before, as a worker takes them; a row is a place among `customers`.
    """

    time_ms: int
    events: int
    models: Models
    customers: Sequence[str]
    states: StateArray
    matured: Matured | None
    outcomes: DeclaredOutcomes
    facts: EventFacts

    @property
    def labels(self) -> list[Label]:
        """What has become known, as a worker tells it; sequence numbers, which mean nothing here, are 0."""
        fields = self.matured.fields(self.customers, self.outcomes) if self.matured else ()
        return [Label(partition=0, sequence=0, **of) for of in fields]


Look = Callable[[Moment], None]


@dataclass(frozen=True)
class Lived:
    """What a run through a history ends with.

    Attributes:
        models: in force.
        noticed: what would be on `ebb.drift`.
    """

    models: Models
    noticed: Sequence[DriftNoticed]


def live_through(history: History, shop: Shop, look: Look) -> Lived:
    """Apply a whole history of events, and be shown each moment of its clock."""
    taken = taken_of(history.events, shop.decoding, shop.received_ms, shop.rules.vocabulary)
    past = Past(Path(), memory_bytes=NO_LIMIT)
    past.add(batch_of("history", taken.told, taken.kept))
    return live(past, shop.rules, look)


def live(past: Past, rules: Rules, look: Look) -> Lived:
    """The same of a history that has been read."""
    customers = past.customers
    partition = Partition(customers, rules)
    teacher = Teacher(MemoryModelStore(), KEYRING, rules.outcomes.outcomes)
    models, before_ms, events, come = Models(), 0, 0, 0
    outcomes, rank = rules.outcomes, _ranks(customers)
    for time_ms, facts in past.days():
        matured = partition.apply(facts, before_ms, time_ms, models)
        events, come = events + len(facts), max(come, int(facts.row.max(initial=-1)) + 1)
        look(Moment(time_ms, events, models, customers[:come], partition.states[:come], matured, outcomes, facts))
        if time_ms // DAY_MS > before_ms // DAY_MS:  # an epoch has passed
            teacher.learn_rows(label_rows(matured, rank, outcomes.names) if matured else {}, time_ms // DAY_MS)
            models = _in_force(models, teacher.take_written())
        before_ms = time_ms
    return Lived(models, teacher.take_noticed())


def _ranks(customers: Sequence[str]) -> IntArray:
    """The place of each among all in alphabetical order."""
    rank = np.empty(len(customers), np.int64)
    rank[np.argsort(np.array(customers, np.object_))] = np.arange(len(customers))
    return rank


def _in_force(models: Models, written: Sequence[OutcomeDocument | SegmentDocument]) -> Models:
    """The models that are in force once these are."""
    outcomes = {document.name: document for document in written if isinstance(document, OutcomeDocument)}
    segments = [document for document in written if isinstance(document, SegmentDocument)]
    return Models({**models.outcomes, **outcomes}, segments[-1] if segments else models.segments)
