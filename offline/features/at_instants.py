"""The columns of every active customer at each instant, folded by the code of the stream."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from offline.backtest.rows import active
from offline.columns.comers import Comers
from offline.features.batches import Batch
from offline.features.intervals import Intervals
from schemas.units import DAY_MS
from stream.features.columns import model_matrix
from stream.features.facts import EventFacts
from stream.features.fold import fold
from stream.features.layout import StateArray, empty

IntArray = NDArray[np.int64]

ROWS_AT_ONCE = 50_000  # 14 MB of columns
NO_EVENT = "The history holds no event of a customer. Check the files, and --columns if they are files."
MEMORY_BYTES = 512_000_000  # some three million events


@dataclass(frozen=True)
class Standing:
    """Some of the active customers of one instant, as they stand then.

    Attributes:
        at_ms: the instant, ms since 1970.
        place: shape (rows,), of each customer among all of a folding.
        states: shape (rows,).
        late: as of `Part`.
    """

    at_ms: int
    place: IntArray
    states: StateArray
    late: NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Some of the rows of one instant.

    Attributes:
        at_ms: the instant, ms since 1970.
        customers: ids.
        columns: f4, shape (rows, len(MODEL_COLUMNS)), as a snapshot of that instant has them.
        late: which of the rows rest on events that had not arrived then: online may have said otherwise.
    """

    at_ms: int
    customers: Sequence[str]
    columns: NDArray[np.float32]
    late: NDArray[np.bool_]


@dataclass
class Folding:
    """Takes events in, gives rows out.

    Args:
        instants_ms: ascending.
        folder: for what does not fit into memory.
        memory_bytes: for events that wait.
        hears: is told of the facts of each batch; their `row` is the customer's place.

    Attributes:
        events: how many have been added.
        late_events: how many of them came after one with which an instant had been passed that they are before.
        first_ms, last_ms: between when events were, ms since 1970.
    """

    instants_ms: IntArray
    folder: Path
    memory_bytes: int = MEMORY_BYTES
    hears: Callable[[EventFacts], None] | None = None
    events: int = 0
    late_events: int = 0
    first_ms: int = np.iinfo(np.int64).max
    last_ms: int = 0
    _comers: Comers | None = None
    _reached_ms: dict[str, int] = field(default_factory=dict)
    _late: list[IntArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing has been added."""
        self._intervals = Intervals(self.instants_ms, self.folder, self.memory_bytes)

    @property
    def customers(self) -> int:
        """How many have an event."""
        return len(self._comers) if self._comers else 0

    @property
    def names(self) -> list[str]:
        """Their ids, in the order of their first events, which is that of their places."""
        return self._comers.listed() if self._comers else []

    @property
    def in_order(self) -> IntArray:
        """The places of all by the bytes of their ids: the same order wherever a history is read from."""
        found: IntArray = pc.sort_indices(pa.array(self.names, pa.string())).to_numpy().astype(np.int64)
        return found

    def add(self, batch: Batch) -> None:
        """Take in the next events of a log.

        Raises:
            ValueError: its customers are not numbered as those of the batches before it.
        """
        if not len(batch.facts):
            return
        facts = replace(batch.facts, row=self._places_of(batch))
        self.events += len(facts)
        self.first_ms = min(self.first_ms, int(facts.time_ms.min()))
        self.last_ms = max(self.last_ms, int(facts.time_ms.max()))
        self._note_late(batch, facts)
        if self.hears:
            self.hears(facts)
        self._intervals.add(facts)

    def _places_of(self, batch: Batch) -> IntArray:
        self._comers = self._comers or Comers(batch.customers)
        if self._comers.names is not batch.customers:
            raise ValueError("batches of several readings cannot be folded together: their customers have other places")
        return self._comers.places_of(batch.facts.row)

    def _note_late(self, batch: Batch, facts: EventFacts) -> None:
        """An instant has passed when the history's clock says so, or in a log with its first event not before it."""
        reached_ms = np.maximum.accumulate(np.append(self._reached_ms.get(batch.log, 0), facts.time_ms))
        self._reached_ms[batch.log] = int(reached_ms[-1])
        first = np.searchsorted(self.instants_ms, facts.time_ms, "right")
        passed = np.searchsorted(self.instants_ms, np.maximum(reached_ms[:-1], batch.came_ms), "right")
        late = np.flatnonzero(first < passed)
        self.late_events += len(late)
        self._late.append(np.column_stack([first, passed, facts.row])[late])

    def standings(
        self, rows_at_once: int = ROWS_AT_ONCE, since_ms: int = 0, until_ms: int | None = None
    ) -> Iterator[Standing]:
        """The active customers of each instant from `since_ms` on, up to `until_ms`, once everything has been added.

        Those of an instant come by their ids, as `in_order` says.
        """
        states, begun, in_order = empty(self.customers), False, self.in_order
        late_until, lateness = np.zeros(len(states), np.int64), self._lateness()
        for interval, at_ms in enumerate(self.instants_ms.tolist()):
            if until_ms is not None and at_ms > until_ms:
                return
            for facts in self._intervals.until(interval):
                fold(states, facts)
                begun = True
            passed, row = lateness[interval]
            np.maximum.at(late_until, row, passed)
            if not begun or at_ms < since_ms:
                continue
            is_late = late_until > interval
            rows = in_order[active(states, at_ms)[in_order]]
            for begin in range(0, len(rows), rows_at_once):
                some = rows[begin : begin + rows_at_once]
                yield Standing(at_ms, some, states.take(some), is_late[some])

    def _lateness(self) -> list[IntArray]:
        """Of each instant the late events that miss it first: the first instant that has them, and whose they are."""
        late = np.concatenate([*self._late, np.zeros((0, 3), np.int64)])
        late = late[np.argsort(late[:, 0], kind="stable")]
        return [some[:, 1:].T for some in np.split(late, np.searchsorted(late[:, 0], range(1, len(self.instants_ms))))]

    def parts(self, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[Part]:
        """The rows of each instant, once everything has been added."""
        customers = np.array(self.names, object)
        for some in self.standings(rows_at_once):
            columns = model_matrix(some.states, some.at_ms).astype(np.float32)
            yield Part(some.at_ms, customers[some.place].tolist(), columns, some.late)


def midnights_ms(since_ms: int, until_ms: int, every_days: int, day: int) -> IntArray:
    """Midnights, one every so many days, so that `day` (days since 1970) would be among them.

    >>> (midnights_ms(0, 20 * DAY_MS, 7, 17) // DAY_MS).tolist()
    [3, 10, 17]
    """
    first = -(-since_ms // DAY_MS)
    first += (day - first) % every_days
    return np.array(range(first * DAY_MS, until_ms + 1, every_days * DAY_MS), np.int64)


def fold_all(batches: Iterable[Batch], folding: Folding, told: Callable[[int], None] | None = None) -> Folding:
    """Add every batch; `told` hears how many events have been added."""
    for batch in batches:
        folding.add(batch)
        if told:
            told(folding.events)
    return folding
