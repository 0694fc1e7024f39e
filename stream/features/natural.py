"""Features in natural units at a time, each computed when it is first asked for.

A column is a function with a unit; `natural_columns` holds them, `scored` those that decisions go by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.features.fields import StateArray
from stream.features.model_columns import FURTHER, SCORED_ROW
from stream.features.scored import SCORED
from stream.features.scored_formulas import fill

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


def _scored(name: str) -> Formula:
    kind = np.int64 if SCORED[name].whole else np.float64
    return lambda n: n.filled[name].astype(kind)


for _name, _feature in SCORED.items():
    add_column(_name, _feature.unit, _feature.doc, _scored(_name), _feature.moves)


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

    def __init__(self, states: StateArray, now_ms: NDArray[np.int64] | int) -> None:
        self._states, self._columns = states, dict[str, Column]()
        self.now_ms: NDArray[np.int64] = np.maximum(states["features"]["last_event_ms"], now_ms)

    def __len__(self) -> int:
        """How many customers."""
        return len(self.now_ms)

    def __getitem__(self, name: str) -> Column:
        """The feature of this name, one of `NATURAL_COLUMNS`."""
        if name not in self._columns:
            self._columns[name] = NATURAL_COLUMNS[name].formula(self)
        return self._columns[name]

    @property
    def scored(self) -> NDArray[np.void]:
        """What decisions go by, all computed at once: shape (customers,), dtype `SCORED_ROW`."""
        return self.once("scored", lambda n: n._with_further())

    def _with_further(self) -> NDArray[np.void]:
        rows = self.filled
        for name in FURTHER:
            rows[name] = self[name]
        return rows

    @property
    def filled(self) -> NDArray[np.void]:
        """`scored` without what no scored feature declares, which may read the others."""
        return self.once("filled", lambda n: n._filled())

    def _filled(self) -> NDArray[np.void]:
        rows = np.empty(len(self), SCORED_ROW)
        fill(rows, np.ascontiguousarray(self._states), self.now_ms)
        return rows

    def stored(self, block: str, field: str) -> Column:
        """A stored field as contiguous numbers, signed and 8 bytes wide; its slots, if it has any, come first."""
        return self.once(f"{block}.{field}", lambda n: n._read(block, field))

    def _read(self, block: str, field: str) -> Column:
        values = self._states[block][field].T
        return np.array(values, values.dtype if values.dtype.itemsize == 8 else np.int64, order="C")

    def once(self, key: str, compute: Formula) -> Column:
        """What `compute` gives, shape (..., customers), remembered under this key."""
        if key not in self._columns:
            self._columns[key] = compute(self)
        return self._columns[key]


def figures_of(scored: NDArray[np.void]) -> NDArray[np.float64]:
    """`SCORED_ROW` records as plain numbers, shape (customers, fields), the same memory."""
    return scored.view(np.float64).reshape(len(scored), SCORED_ROW.itemsize // 8)
