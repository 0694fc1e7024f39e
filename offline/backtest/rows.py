"""What an evaluation rests on: one row per customer and week, with the columns and the online scores of that midnight.

Models learn from one customer-day in 28, as always. They are judged on every seventh midnight of every customer, which
is more rows than any model has learned from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS
from stream.chunk import Models
from stream.features.columns import MODEL_COLUMNS, Natural, matrix_of, natural
from stream.features.layout import StateArray
from stream.outcomes.declaration import ACTIVE_WITHIN_DAYS
from stream.outcomes.declared import Asked, DeclaredOutcomes
from stream.scoring.kinds import probabilities
from stream.scoring.serving import serving_model

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Kind = TypeVar("Kind", bound=np.generic)

WEEK_DAYS = 7


@dataclass(frozen=True)
class Rows:
    """n customer-weeks, in the order of their days.

    Attributes:
        customers: ids of all customers that have a row.
        customer: shape (n,), places in `customers`.
        day: shape (n,), days since 1970; a row is of the midnight that begins its day.
        columns: f4, shape (n, len(MODEL_COLUMNS)).
        windows_days: outcome -> how long each row is waited for, shape (n,); 0 where the customer is not asked.
        online: outcome -> the probability that served at that moment, shape (n,); nan where none did.
        frozen: outcome -> what the models in force at the split say, shape (n,); nan before the split. Both are empty
            where no online model was asked.
    """

    customers: Sequence[str]
    customer: IntArray
    day: IntArray
    columns: NDArray[np.float32]
    windows_days: Mapping[str, IntArray]
    online: Mapping[str, FloatArray] = field(default_factory=dict)
    frozen: Mapping[str, FloatArray] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many rows."""
        return len(self.day)

    def take(self, which: BoolArray) -> "Rows":
        """Some of the rows, in their order."""
        return Rows(
            self.customers,
            self.customer[which],
            self.day[which],
            self.columns[which],
            {name: windows_days[which] for name, windows_days in self.windows_days.items()},
            {name: scores[which] for name, scores in self.online.items()},
            {name: scores[which] for name, scores in self.frozen.items()},
        )


@dataclass
class _Week:
    customer: IntArray
    day: int
    columns: NDArray[np.float32]
    windows_days: dict[str, IntArray]
    online: dict[str, FloatArray]
    frozen: dict[str, FloatArray]


@dataclass
class RowsInTheMaking:
    """Collects rows midnight by midnight.

    Args:
        outcomes: those whose scores are kept.
        split_day: days since 1970; one of the weekly midnights, and when `frozen` is frozen.
    """

    outcomes: DeclaredOutcomes
    split_day: int
    _places: dict[str, int] = field(default_factory=dict)
    _weeks: list[_Week] = field(default_factory=list)
    _frozen: Models | None = None

    def wants(self, time_ms: int) -> bool:
        """Whether this moment is a weekly midnight."""
        day, past_midnight = divmod(time_ms, DAY_MS)
        is_new = not self._weeks or day > self._weeks[-1].day  # the end of a history may be a midnight that was told
        return is_new and past_midnight == 0 and (day - self.split_day) % WEEK_DAYS == 0

    def take(self, time_ms: int, customers: Sequence[str], states: StateArray, models: Models) -> None:
        """Add the rows of a weekly midnight.

        Args:
            time_ms: the midnight.
            customers: everybody who is known.
            states: shape (customers,), as they were then.
            models: in force then.
        """
        day, chosen = time_ms // DAY_MS, np.flatnonzero(active(states, time_ms))
        if day == self.split_day:
            self._frozen = models
        states_then = states.take(chosen)
        features = natural(states_then, time_ms)
        matrix, asked = matrix_of(features), asked_of(states_then, features)
        who = [self._places.setdefault(customers[at], len(self._places)) for at in chosen.tolist()]
        self._weeks.append(
            _Week(
                customer=np.array(who, np.int64),
                day=day,
                columns=matrix.astype(np.float32),
                windows_days=dict(zip(self.outcomes.names, self.outcomes.windows_days(asked), strict=True)),
                online=self._scores(models, matrix),
                frozen=self._scores(self._frozen or Models(), matrix),
            )
        )

    def _scores(self, models: Models, matrix: FloatArray) -> dict[str, FloatArray]:
        """What serves of each outcome."""
        names = self.outcomes.names
        serving = [serving_model(models.outcomes.get(name)) for name in names]
        said = iter(probabilities(tuple(model for model in serving if model), matrix))
        return {
            name: next(said) if model else np.full(len(matrix), np.nan)
            for name, model in zip(names, serving, strict=True)
        }

    def rows(self) -> Rows:
        """All rows so far."""
        weeks, names = self._weeks, self.outcomes.names
        return Rows(
            customers=list(self._places),
            customer=_joined([week.customer for week in weeks], np.int64),
            day=np.repeat([week.day for week in weeks], [len(week.customer) for week in weeks]).astype(np.int64),
            columns=np.concatenate([week.columns for week in weeks] or [np.zeros((0, len(MODEL_COLUMNS)), np.float32)]),
            windows_days={name: _joined([week.windows_days[name] for week in weeks], np.int64) for name in names},
            online={name: _joined([week.online[name] for week in weeks], np.float64) for name in names},
            frozen={name: _joined([week.frozen[name] for week in weeks], np.float64) for name in names},
        )


def active(states: StateArray, now_ms: int) -> BoolArray:
    """Whom snapshots ask about: who has bought within 180 days, and of whom nothing later than `now_ms` has arrived."""
    features = states["features"]
    bought_ms, last_ms = features["last_purchase_ms"], features["last_event_ms"]
    found: BoolArray = (bought_ms > 0) & (now_ms - bought_ms <= ACTIVE_WITHIN_DAYS * DAY_MS) & (last_ms <= now_ms)
    return found


def asked_of(states: StateArray, features: Natural) -> Asked:
    """What decides which outcomes active customers are asked about."""
    since_purchase_ms = features.now_ms - states["features"]["last_purchase_ms"]
    return Asked(since_purchase_ms, features["purchase_days"], features["mean_gap_days"])


def _joined(parts: Sequence[NDArray[Kind]], kind: type[Kind]) -> NDArray[Kind]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)
