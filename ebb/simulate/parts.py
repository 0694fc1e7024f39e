"""Events of one kind and day as columns, on their way from behaviour to bytes; and those that are due later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebb.simulate.draws import IntArray

GUEST = -1
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Events of one kind.

    Attributes:
        kind: the tag of the event.
        customer: shape (events,), places in the population, `GUEST` for a guest.
        time_ms: shape (events,), when they happen, UTC.
        columns: name -> sequence of shape (events,): the fields that only this kind has.
    """

    kind: str
    customer: IntArray
    time_ms: IntArray
    columns: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        """How many events."""
        return len(self.customer)


class Agenda:
    """What will happen on later days because of what happened: a review, a refund, a call for help.

    >>> agenda = Agenda()
    >>> agenda.put("review", np.array([5, 3]), who=np.array([10, 11]))
    >>> agenda.take("review", 3)["who"]
    array([11])
    """

    def __init__(self) -> None:
        self._due: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def put(self, name: str, due_day: IntArray, **columns: NDArray[Any]) -> None:
        """Note rows for the days they are due; all columns have one shape."""
        for due in np.unique(due_day).tolist():
            chosen = due_day == due
            self._due.setdefault((name, due), []).append({key: values[chosen] for key, values in columns.items()})

    def take(self, name: str, day: int) -> dict[str, Any] | None:
        """The rows due on a day, in the order they were noted; None where there are none."""
        rows = self._due.pop((name, day), None)
        return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]} if rows else None
