"""Labels as arrays: what was said of sampled customers at a midnight, and what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from schemas.messages import Label
from schemas.units import DAY_MS
from stream.customers.silence import (
    AT_LEAST_DAYS,
    AT_MOST_DAYS,
    GAP_MULTIPLE,
    PURCHASE_DAYS_AT_LEAST,
    long_silence_days,
)
from stream.features.layout import LAYOUT
from stream.features.model_columns import MAJOR, MODEL_COLUMNS
from stream.outcomes.declaration import GRACE_MS, Outcome, is_same_question

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_EPISODE_GRAIN_MS = DAY_MS // 8  # columns are float32: the last purchase is known to minutes only


@dataclass(frozen=True)
class Snapshots:
    """A uniform sample of customer-days, one in `SAMPLE_ONE_IN_DAYS`; shape (snapshots,) each.

    Attributes:
        day: days since 1970, UTC.
        episode: a number of the silence it lies in, equal for all snapshots of one silence of one customer.
        probability: of leaving, as it was stored with the snapshot.
        long_silence: whether the silence was long for this very customer.
        left: whether the outcome came true.
        spend_minor: decayed net spend of a year.
    """

    day: IntArray
    episode: IntArray
    probability: FloatArray
    long_silence: BoolArray
    left: BoolArray
    spend_minor: FloatArray

    def __len__(self) -> int:
        """How many snapshots."""
        return len(self.day)

    def take(self, chosen: BoolArray) -> Self:
        """Those that are chosen, shape (snapshots,)."""
        return type(self)(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


def snapshots_of(labels: Iterable[Label], outcome: Outcome, model: str) -> Snapshots:
    """The snapshots of which everything is known: nobody is missing who was asked on their days.

    Windows differ where they are a customer's own. Of the last days only short windows have matured, which would show a
    shop of frequent customers. Of days before the first label that is there, in a topic that keeps some weeks, only
    long windows have matured since, which would show a shop of infrequent ones.

    Args:
        labels: of any outcomes, in any order, all from a time on; repeats are dropped by their id.
        outcome: the one that alerts go by.
        model: whose stored probability counts. Labels without it, of another layout, or of what the
            outcome meant before it was declared anew, are passed over.
    """
    heard = {label.message_id: label for label in labels}.values()
    ours = [label for label in heard if _counts(label, outcome, model)]
    first_ms = min((label.matured_ms for label in heard), default=0) - GRACE_MS - outcome.shortest_days * DAY_MS
    last_ms = max((label.matured_ms for label in ours), default=0) - GRACE_MS - outcome.horizon_days * DAY_MS
    chosen = sorted(
        (label for label in ours if first_ms <= label.snapshot_ms <= last_ms),
        key=lambda label: (label.snapshot_ms, label.customer_id),
    )
    columns = np.array([label.columns for label in chosen], np.float64).reshape(len(chosen), len(MODEL_COLUMNS))
    snapshot_ms = np.array([label.snapshot_ms for label in chosen], np.int64)
    silence_days = _unlogged(columns, "log_since_last_purchase_days")
    purchase_ms = snapshot_ms - np.rint(silence_days * DAY_MS).astype(np.int64)
    return Snapshots(
        day=snapshot_ms // DAY_MS,
        episode=_numbered([label.customer_id for label in chosen], purchase_ms),
        probability=np.array([label.scores[model] for label in chosen], np.float64),
        long_silence=silence_days >= _long_silence_days(columns),
        left=np.array([label.value >= 0.5 for label in chosen], np.bool_),
        spend_minor=np.maximum(_spent_minor(columns), 0.0),
    )


def _counts(label: Label, outcome: Outcome, model: str) -> bool:
    return (
        label.outcome == outcome.name
        and is_same_question(label.question, outcome.code)
        and label.layout == LAYOUT
        and label.scores.get(model) is not None
        and len(label.columns) == len(MODEL_COLUMNS)
    )


def _unlogged(columns: FloatArray, name: str) -> FloatArray:
    return np.asarray(np.expm1(columns[:, MODEL_COLUMNS.index(name)]))


def _long_silence_days(columns: FloatArray) -> FloatArray:
    regular = np.rint(_unlogged(columns, "log_purchase_days")) >= PURCHASE_DAYS_AT_LEAST  # else the gap's column is 0
    gaps = np.where(regular, _unlogged(columns, "log_mean_gap_days"), np.nan)
    bounds = GAP_MULTIPLE, AT_LEAST_DAYS, AT_MOST_DAYS
    return np.array([long_silence_days(gap, *bounds) for gap in gaps.tolist()], np.float64)


def _spent_minor(columns: FloatArray) -> FloatArray:
    spend, refund = (_unlogged(columns, f"log_decayed_{what}_365d_minor") for what in ("spend", "refund"))
    return np.asarray((spend - refund) * MAJOR)


def _numbered(customers: list[str], last_ms: IntArray) -> IntArray:
    """A number for each silence: of a customer, since a last purchase."""
    numbers: dict[tuple[str, int], int] = {}
    grains = np.rint(last_ms / _EPISODE_GRAIN_MS).astype(np.int64).tolist()
    silences = zip(customers, grains, strict=True)
    return np.array([numbers.setdefault(silence, len(numbers)) for silence in silences], np.int64)
