"""What is known of the customers of a chunk: from the lane's own memory, and from the store for the rest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stream.chunk import BoolArray
from stream.features.layout import ROW, StateArray, empty
from stream.features.stored import unpack
from stream.metrics import worker as metrics
from stream.outcomes.maturity import OPEN, OpenArray, closes_ms, unpack_open
from stream.ports import Commit, Head, PartitionStore
from stream.worker.resident import Met, Places, ResidentCustomers

_loaded = cache(metrics.CUSTOMERS_LOADED.labels)


@dataclass(frozen=True)
class Loaded:
    """What was known of the customers of a chunk before it, in the order of `customers`.

    Attributes:
        customers: their ids.
        states: shape (customers,); the step works on it.
        known: shape (customers,), who has a state.
        places: shape (customers,), where they are resident.
        accumulators: open accumulators as stored, empty where there are none.
        opened: all of them, unpacked; the step works on it.
        snapshots: (customer, day) -> snapshot, of every accumulator that closes in the chunk.
    """

    customers: list[str]
    states: StateArray
    known: BoolArray
    places: Places
    accumulators: list[bytes]
    opened: OpenArray
    snapshots: Mapping[tuple[str, int], bytes]

    def of(self, customers: Collection[str]) -> "Loaded":
        """A copy of what was known of some of them."""
        rows = [row for row, customer in enumerate(self.customers) if customer in customers]
        accumulators = [self.accumulators[row] for row in rows]
        names = [self.customers[row] for row in rows]
        states, known, places = self.states.take(rows), self.known[rows], self.places[rows]
        return Loaded(names, states, known, places, accumulators, unpack_open(accumulators), self.snapshots)


NOBODY = Loaded([], empty(0), np.zeros(0, np.bool_), np.zeros(0, np.intp), [], np.zeros(0, OPEN), {})


class Loading:
    """Reads the customers of one partition's chunks, and remembers what was committed of them."""

    def __init__(self, partition: int, store: PartitionStore, residents: ResidentCustomers) -> None:
        self._partition, self._store, self._residents = partition, store, residents
        self._told = -1  # how many are resident, by the metric

    def restart(self, head: Head) -> None:
        """The partition is not where we left it: what was remembered may not be what is stored."""
        self._residents.forget(stored_nobody=not head.positions)

    async def load(self, customers: list[str], end_ms: int) -> Loaded:
        """What is known of these customers, for a chunk that ends at `end_ms` of stream time.

        Raises:
            StoreUnavailableError: Redis is away.
        """
        if not customers:
            return NOBODY
        met = self._residents.meet(customers)
        known = met.resident
        missing = (~known).nonzero()[0]
        if len(missing) and not self._residents.complete:
            known[missing] = await self._read(customers, missing.tolist(), met)
        source = "new" if self._residents.complete else "store"
        _loaded("resident").inc(len(customers) - len(missing))
        if len(missing):
            _loaded(source).inc(len(missing))
        opened = unpack_open(met.accumulators)
        snapshots = await self._snapshots(customers, opened, end_ms)
        return Loaded(customers, met.states, known, met.places, met.accumulators, opened, snapshots)

    async def _read(self, customers: Sequence[str], missing: list[int], met: Met) -> list[bool]:
        """Add what the store has of the customers at these places; who of them has a state."""
        states, accumulators = await self._store.load([customers[at] for at in missing])
        met.states.view(ROW)[missing] = unpack(states).view(ROW)
        for at, packed in zip(missing, accumulators, strict=True):
            met.accumulators[at] = packed or b""
        return [packed is not None for packed in states]

    async def _snapshots(
        self, customers: Sequence[str], opened: OpenArray, end_ms: int
    ) -> Mapping[tuple[str, int], bytes]:
        """The snapshots of outcomes that close up to the chunk's end."""
        closes = closes_ms(opened) <= end_ms
        if not closes.any():
            return {}
        closing = opened[closes]
        rows, days = closing["row"].tolist(), closing["day"].tolist()
        wanted = sorted({(customers[row], day) for row, day in zip(rows, days, strict=True)})
        stored = await self._store.load_snapshots(wanted)
        return {key: packed for key, packed in zip(wanted, stored, strict=True) if packed is not None}

    def remember(self, loaded: Loaded, commit: Commit) -> None:
        """Keep what a commit, known to be done, has left of the customers that it touched."""
        touched = loaded if len(commit.states) == len(loaded.customers) else loaded.of(set(commit.states))
        customers, places, accumulators = touched.customers, touched.places, touched.accumulators
        if commit.removed:
            self._residents.drop(commit.removed)
            places = self._residents.meet(customers).places
        if commit.labels:
            accumulators = [*map(commit.labels.get, customers, accumulators)]
        self._residents.keep(customers, places, touched.states, accumulators)
        if len(self._residents) != self._told:
            self._told = len(self._residents)
            metrics.RESIDENT_CUSTOMERS.labels(self._partition).set(self._told)
