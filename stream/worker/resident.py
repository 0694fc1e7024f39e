"""Customers kept in the lane between chunks, so that a chunk asks the store only for those it has not met lately.

What is kept is what the lane has committed, so it holds while the partition is at the version and with the owner that
the lane left it at: whoever else writes raises the version. A lane that finds another head forgets everybody.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.features.layout import ROW, STATE, StateArray, empty

RESIDENT_BYTES = 64_000_000  # of a partition: 80,000 customers

BYTES_A_CUSTOMER = STATE.itemsize + 240  # besides the state: id, its entries in two tables, open accumulators

NOBODY = ""  # no id: the one of a place whose customer was dropped
NOWHERE = -1  # the place of whoever is not resident: the last one, which stays empty


Places = NDArray[np.intp]


class Met(NamedTuple):
    """What is known of some customers without asking the store, in the order they were asked for.

    Attributes:
        states: shape (customers,), a copy; zero where nothing is known.
        accumulators: open accumulators as stored, empty where there are none.
        places: shape (customers,), where they are kept; `NOWHERE` is nowhere.
    """

    states: StateArray
    accumulators: list[bytes]
    places: Places

    @property
    def resident(self) -> NDArray[np.bool_]:
        """Shape (customers,), who was."""
        resident: NDArray[np.bool_] = self.places != NOWHERE
        return resident


class ResidentCustomers:
    """States and open accumulators of at most `most_bytes`; whoever came first makes room for who comes.

    Attributes:
        complete: whether every customer that the store has is resident, so that any other is new.

    >>> residents = ResidentCustomers(RESIDENT_BYTES)
    >>> residents.forget(stored_nobody=True)
    >>> residents.keep(["ada"], residents.meet(["ada"]).places, empty(1), [b"open"])
    >>> met = residents.meet(["ada", "bob"])
    >>> met.resident.tolist(), met.accumulators, residents.complete
    ([True, False], [b'open', b''], True)
    """

    def __init__(self, most_bytes: int) -> None:
        self._room = most_bytes // BYTES_A_CUSTOMER
        self.forget(stored_nobody=False)

    def __len__(self) -> int:
        """How many are resident."""
        return len(self._places)

    def forget(self, *, stored_nobody: bool) -> None:
        """Begin with nobody. `stored_nobody` says that the store has nobody either."""
        self.complete = stored_nobody and self._room > 0
        self._places: dict[str, int] = {}
        self._ids: list[str] = []  # by place
        self._oldest = 0  # the place that is given away next, once all are taken
        self._rows = empty(self._room + 1).view(ROW)  # memory is taken where it is written
        self._accumulators = np.full(self._room + 1, b"", object)

    def meet(self, customers: Sequence[str]) -> Met:
        """What is known of these customers."""
        places = self._places_of(customers)
        states: StateArray = self._rows[places].view(STATE)
        return Met(states, self._accumulators[places].tolist(), places)

    def keep(self, customers: Sequence[str], places: Places, states: StateArray, accumulators: Sequence[bytes]) -> None:
        """Keep what has been committed.

        Args:
            customers: none twice.
            places: shape (customers,), where they were met; nobody else was kept or dropped since.
            states: shape (customers,).
            accumulators: as stored, empty where nothing is open.
        """
        if not self._room:
            return
        strangers = (places == NOWHERE).nonzero()[0].tolist()
        if strangers:
            crowded = len(self._ids) + len(strangers) > self._room
            places = places.copy()
            places[strangers] = [self._admit(customers[at]) for at in strangers]
            if crowded:  # who came first has made room, and may be one of these
                places = self._places_of(customers)
        rows, opened = states.view(ROW), np.array(accumulators, object)
        if strangers:  # some may have made room for others at once
            kept = (places != NOWHERE).nonzero()[0]
            places, rows, opened = places[kept], rows[kept], opened[kept]
        self._rows[places], self._accumulators[places] = rows, opened

    def drop(self, customers: Sequence[str]) -> None:
        """Forget these. Their places stay empty until they are given away in turn."""
        for customer in customers:
            place = self._places.pop(customer, NOWHERE)
            if place != NOWHERE:
                self._ids[place] = NOBODY

    def _places_of(self, customers: Sequence[str]) -> Places:
        return np.fromiter(map(self._places.get, customers, repeat(NOWHERE)), np.intp, len(customers))

    def _admit(self, customer: str) -> int:
        """Give a customer a place: an empty one, or that of whoever came first."""
        if len(self._ids) < self._room:
            self._places[customer] = len(self._ids)
            self._ids.append(customer)
            return self._places[customer]
        self._places.pop(self._ids[self._oldest], None)
        self._places[customer], self._ids[self._oldest] = self._oldest, customer
        self._oldest = (self._oldest + 1) % self._room
        self.complete = False
        return self._places[customer]
