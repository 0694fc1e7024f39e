"""A history day by day through the worker's engine and the learner, in one process: no Kafka, no Redis, no threads.

It is a lockstep replay of one partition (docs/architecture.md, "Learning"). How many partitions there are shows
nowhere: customers do not influence each other, and the learner sorts the labels of a day.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ebb.backtest.partition import Partition
from ebb.backtest.taught import label_rows
from offline.columns.comers import Comers
from offline.columns.of_events import Taken, taken_of
from offline.days import moments
from offline.history import History
from schemas.decode import DecodeRules
from schemas.events import Event
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
        events: how many of the history have come.
        models: in force.
        customers: all that have come, in the order in which they did.
        states: theirs, shape (customers,); they are changed after this moment.
        matured: what has become known since the moment before; None for nothing.
        outcomes: the declared ones.
    """

    time_ms: int
    events: int
    models: Models
    customers: Sequence[str]
    states: StateArray
    matured: Matured | None
    outcomes: DeclaredOutcomes

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
        events: of the history, all that took effect.
        noticed: what would be on `ebb.drift`.
    """

    models: Models
    events: Sequence[Event]
    noticed: Sequence[DriftNoticed]


def live_through(history: History, shop: Shop, look: Look) -> Lived:
    """Apply a whole history, and be shown each moment of its clock."""
    taken = taken_of(history.events, shop.decoding, shop.received_ms, shop.rules.vocabulary)
    past = _Past.of(history, taken)
    partition = Partition(past.customers, shop.rules)
    teacher = Teacher(MemoryModelStore(), KEYRING, shop.rules.outcomes.outcomes)
    models, before_ms, come = Models(), 0, 0
    outcomes, rank = shop.rules.outcomes, _ranks(past.customers)
    for time_ms, events, facts in past.days():
        matured = partition.apply(facts, before_ms, time_ms, models)
        come = max(come, int(facts.row.max(initial=-1)) + 1)
        look(Moment(time_ms, events, models, past.customers[:come], partition.states[:come], matured, outcomes))
        if time_ms // DAY_MS > before_ms // DAY_MS:  # an epoch has passed
            teacher.learn_rows(label_rows(matured, rank, outcomes.names) if matured else {}, time_ms // DAY_MS)
            models = _in_force(models, teacher.take_written())
        before_ms = time_ms
    return Lived(models, [history.events[at] for at in np.flatnonzero(taken.kept).tolist()], teacher.take_noticed())


@dataclass(frozen=True)
class _Past:
    """A history as columns.

    Attributes:
        customers: in the order in which they come.
        times_ms: the moments of its clock.
        come: shape (moments,), how many of its events have come by each.
        ends: shape (moments,), how many of `facts` have.
        facts: of the customers' events, moment by moment, in the order in which a worker takes a moment's.
    """

    customers: Sequence[str]
    times_ms: IntArray
    come: IntArray
    ends: IntArray
    facts: EventFacts

    @classmethod
    def of(cls, history: History, taken: Taken) -> "_Past":
        """That of a history, and what takes effect of it."""
        times_ms = np.array(moments(history.events), np.int64)
        facts = taken.told.facts
        named = np.flatnonzero(taken.kept & (facts.row >= 0))  # those of guests count in totals alone
        moment = _moment_of(facts.time_ms[named], times_ms)
        order = np.lexsort((taken.topic[named], moment))
        comers, facts = Comers(taken.told.customers), facts.take(named[order])
        facts = replace(facts, row=comers.places_of(facts.row))
        event_ms = np.array([event.event_time_ms for event in history.events], np.int64)
        return cls(
            customers=comers.listed(),
            times_ms=times_ms,
            come=np.searchsorted(_moment_of(event_ms, times_ms), np.arange(len(times_ms)), "right"),
            ends=np.searchsorted(moment[order], np.arange(len(times_ms)), "right"),
            facts=facts,
        )

    def days(self) -> Iterator[tuple[int, int, EventFacts]]:
        """Each moment, how many events have come by then, and those of customers since the moment before."""
        begin = 0
        for time_ms, come, end in zip(self.times_ms.tolist(), self.come.tolist(), self.ends.tolist(), strict=True):
            yield time_ms, come, self.facts.take(np.arange(begin, end))
            begin = end


def _ranks(customers: Sequence[str]) -> IntArray:
    """The place of each among all in alphabetical order."""
    rank = np.empty(len(customers), np.int64)
    rank[np.argsort(np.array(customers, np.object_))] = np.arange(len(customers))
    return rank


def _moment_of(event_ms: IntArray, times_ms: IntArray) -> IntArray:
    """The place of the moment by which each event has come; one at midnight belongs to the day that begins."""
    found: IntArray = np.minimum(np.searchsorted(times_ms, event_ms, "right"), len(times_ms) - 1)
    return found


def _in_force(models: Models, written: Sequence[OutcomeDocument | SegmentDocument]) -> Models:
    """The models that are in force once these are."""
    outcomes = {document.name: document for document in written if isinstance(document, OutcomeDocument)}
    segments = [document for document in written if isinstance(document, SegmentDocument)]
    return Models({**models.outcomes, **outcomes}, segments[-1] if segments else models.segments)
