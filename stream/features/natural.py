"""Features in natural units at a time, each computed when it is first asked for.

A column is a function with a unit; `natural_columns` holds them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.features.decayed import weight_at
from stream.features.fields import StateArray

Column = NDArray[Any]
"""Shape (customers,), contiguous: int64 for counts, days and stored amounts, else float64; nan is unknown."""


Formula = Callable[["Natural"], Column]


@dataclass(frozen=True)
class NaturalColumn:
    """One feature: its unit, whether it changes with time alone, its meaning and how it is computed."""

    name: str
    unit: str
    moves: bool
    doc: str
    formula: Formula


NATURAL_COLUMNS: dict[str, NaturalColumn] = {}
"""Every feature by name, in the order of `natural_columns`."""


def add_column(name: str, unit: str, doc: str, formula: Formula, moves: bool = False) -> None:
    """Register a feature.

    Raises:
        ValueError: the name is taken.
    """
    if name in NATURAL_COLUMNS:
        raise ValueError(f"There are two features named {name!r}; give one of them another name")
    NATURAL_COLUMNS[name] = NaturalColumn(name, unit, moves, doc, formula)


def column(unit: str, moves: bool = False) -> Callable[[Formula], Formula]:
    """Register the decorated function as the feature of its name. `moves`: it reads `now_ms`."""

    def register(formula: Formula) -> Formula:
        add_column(formula.__name__, unit, formula.__doc__ or "", formula, moves)
        return formula

    return register


class Natural:
    """The features of some customers at `now_ms`, by name: `natural(states, now_ms)["since_last_purchase_days"]`.

    A column is read from the states when first asked for: do not fold into them in between. Now is never before a
    customer's last event, so nothing lies in the future.
    """

    def __init__(self, states: StateArray, now_ms: NDArray[np.int64] | int, chosen: "Chosen | None" = None) -> None:
        self._states, self._chosen = states, chosen
        self._standing: dict[str, Column] = {}
        self._moving: dict[str, Column] = {}
        self._weights: dict[int, NDArray[np.float64]] = {}
        self.now_ms: NDArray[np.int64] = np.maximum(self.stored("features", "last_event_ms"), now_ms)

    def __len__(self) -> int:
        """How many customers."""
        return len(self.now_ms)

    def __getitem__(self, name: str) -> Column:
        """The feature of this name, one of `NATURAL_COLUMNS`."""
        entry = NATURAL_COLUMNS[name]
        if not entry.moves:
            return self.once(name, entry.formula)
        if name not in self._moving:
            self._moving[name] = entry.formula(self)
        return self._moving[name]

    def later(self, now_ms: NDArray[np.int64] | int, rows: NDArray[np.intp] | None = None) -> "Natural":
        """The same customers, or those at `rows`, at another time; what stands still is not computed again.

        A row may come many times: of the states nothing is copied but the columns that are asked for.
        """
        return Natural(self._states, now_ms, Chosen(self, rows))

    def stored(self, block: str, field: str) -> Column:
        """A stored field as contiguous numbers, signed and 8 bytes wide; its slots, if it has any, come first."""
        return self.once(f"{block}.{field}", lambda n: n._read(block, field))

    def _read(self, block: str, field: str) -> Column:
        values = self._states[block][field].T
        return np.array(values, values.dtype if values.dtype.itemsize == 8 else np.int64, order="C")

    def once(self, key: str, compute: Formula) -> Column:
        """What `compute` gives, shape (..., customers); it must not move with time."""
        if key not in self._standing:
            self._standing[key] = compute(self) if self._chosen is None else self._chosen.column(key, compute)
        return self._standing[key]

    def decayed(self, name: str, slot: int) -> NDArray[np.float64]:
        """The sum `name` of `decayed.SUMS` for one half-life, at now."""
        if slot not in self._weights:
            self._weights[slot] = weight_at(self.stored("features", "decayed_reference")[slot], self.now_ms, slot)
        worth: NDArray[np.float64] = self.stored("features", name)[slot] * self._weights[slot]
        return worth


class Chosen(NamedTuple):
    """Customers that were looked at before: those at `rows` of `of`, or all of them."""

    of: Natural
    rows: NDArray[np.intp] | None

    def column(self, key: str, compute: Formula) -> Column:
        """`of.once` for these customers."""
        values = self.of.once(key, compute)
        return values if self.rows is None else values.take(self.rows, axis=-1)
