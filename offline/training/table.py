"""What is learned from: a row per instant and customer whose outcome is known, with the columns of that instant."""

import hashlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from offline.backtest.labels import Happened, known
from offline.backtest.rows import BoolArray, FloatArray, IntArray, Rows, asked_of
from offline.features.at_instants import NO_EVENT, Folding, Standing, fold_all
from offline.features.batches import Batch
from offline.training.target import Target
from schemas.units import DAY_MS
from stream.chunk import Rules
from stream.errors import OfflineError
from stream.features.columns import MODEL_COLUMNS, matrix_of, natural
from stream.features.layout import LAYOUT
from stream.outcomes.declared import DeclaredOutcomes

ROWS_AT_MOST = 1_000_000  # 170 MB, and some copies while models are fitted


@dataclass(frozen=True)
class Table:
    """Rows and what became of them.

    Attributes:
        rows: whose outcome is known by the end of the history.
        value: shape (rows,), 0 or 1; of a numeric target the amount in major units.
        first_ms, last_ms: of the events.
        one_in: of so many customers one was kept, as `rows_at_most` asked for.
        late_rows: how many rows rest on events that came later than their instant.
        asked: how many customers of all instants are asked, whether the outcome is known or not.
    """

    rows: Rows
    value: FloatArray
    first_ms: int
    last_ms: int
    one_in: int
    late_rows: int
    asked: int

    @property
    def data_hash(self) -> str:
        """SHA-256 of layout, customers, days, columns and values: equal for equal rows, wherever they came from."""
        ids = "\n".join(self.rows.customers[place] for place in self.rows.customer.tolist())
        hashed = hashlib.sha256(f"{LAYOUT}\n{ids}\n".encode())
        for column in (self.rows.day.astype("<i8"), self.rows.columns.astype("<f4"), self.value.astype("<f8")):
            hashed.update(np.ascontiguousarray(column).tobytes())
        return hashed.hexdigest()


@dataclass(frozen=True)
class Asking:
    """What rows are made for.

    Attributes:
        target: what is asked.
        rules: of the deployment.
        instants_ms: when it is asked, ascending midnights.
        memory_bytes: for events that wait.
        rows_at_most: when there are more, every second customer is left out, and again.
    """

    target: Target
    rules: Rules
    instants_ms: IntArray
    memory_bytes: int
    rows_at_most: int = ROWS_AT_MOST


def table_of(batches: Iterable[Batch], asking: Asking, folder: Path, told: Callable[[int], None] | None) -> Table:
    """Fold a history, and keep what is known of it at every instant.

    Args:
        batches: of its events.
        asking: what for.
        folder: for what does not fit into memory.
        told: hears how many events have been read.

    Raises:
        OfflineError: there is no event.
    """
    outcome = asking.target.outcome
    rules = replace(asking.rules, outcomes=DeclaredOutcomes([outcome]), alert_outcome=outcome.name)
    happened = Happened(outcome, rules)
    folding = Folding(asking.instants_ms, folder, asking.memory_bytes, hears=happened.add)
    fold_all(batches, folding, told)
    if not folding.events:
        raise OfflineError(NO_EVENT)
    making = _Making(folding.names, rules.outcomes, folding.last_ms, asking.rows_at_most)
    for standing in folding.standings(until_ms=folding.last_ms):
        making.add(standing)
    rows = making.rows()
    value = _amounts(happened, rows, rules.exponent) if asking.target.is_amount else happened.values(rows)
    rows = _numbered(rows, folding.in_order)
    return Table(rows, value, folding.first_ms, folding.last_ms, making.one_in, making.late_rows, making.asked)


def _numbered(rows: Rows, in_order: IntArray) -> Rows:
    """The same rows with their customers numbered in this order."""
    place = np.empty(len(in_order), np.int64)
    place[in_order] = np.arange(len(in_order))
    return replace(rows, customers=[rows.customers[at] for at in in_order.tolist()], customer=place[rows.customer])


def _amounts(happened: Happened, rows: Rows, exponent: int) -> FloatArray:
    amounts: FloatArray = happened.counted(rows)[1] / 10.0**exponent
    return amounts


@dataclass
class _Making:
    """Collects the rows whose outcome is known, of as many customers as there is room for."""

    customers: list[str]
    outcomes: DeclaredOutcomes
    last_ms: int
    rows_at_most: int
    one_in: int = 1
    asked: int = 0
    _parts: list[tuple[Rows, BoolArray]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        """Draw a lot for each customer."""
        self._lots = np.array([zlib.crc32(name.encode()) for name in self.customers], np.int64)

    def add(self, standing: Standing) -> None:
        """Take in customers of an instant."""
        (outcome,) = self.outcomes.outcomes
        features = natural(standing.states, standing.at_ms)
        rows = Rows(
            customers=self.customers,
            customer=standing.place.astype(np.int64),
            day=np.full(len(standing.place), standing.at_ms // DAY_MS, np.int64),
            columns=matrix_of(features).astype(np.float32),
            windows_days={outcome.name: self.outcomes.windows_days(asked_of(standing.states, features))[0]},
        )
        self.asked += int((rows.windows_days[outcome.name] > 0).sum())
        is_known = known(rows, outcome, self.last_ms)
        self._keep(rows.take(is_known), standing.late[is_known])
        while self._count > self.rows_at_most:
            self.one_in *= 2
            parts, self._parts, self._count = self._parts, [], 0
            for part in parts:
                self._keep(*part)

    def _keep(self, rows: Rows, late: BoolArray) -> None:
        drawn = self._lots[rows.customer] % self.one_in == 0
        if drawn.any():
            self._parts.append((rows.take(drawn), late[drawn]))
            self._count += int(drawn.sum())

    @property
    def late_rows(self) -> int:
        """How many rows rest on events that came later than their instant."""
        return sum(int(late.sum()) for _, late in self._parts)

    def rows(self) -> Rows:
        """All rows so far."""
        (name,) = self.outcomes.names
        parts = [rows for rows, _ in self._parts]
        return Rows(
            customers=self.customers,
            customer=np.concatenate([np.zeros(0, np.int64), *(part.customer for part in parts)]),
            day=np.concatenate([np.zeros(0, np.int64), *(part.day for part in parts)]),
            columns=np.concatenate([np.zeros((0, len(MODEL_COLUMNS)), np.float32), *(part.columns for part in parts)]),
            windows_days={name: np.concatenate([np.zeros(0, np.int64), *(part.windows_days[name] for part in parts)])},
        )
