"""Learns where customers lie by silence, frequency, spend and tenure."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.messages import Label
from stream.customers.segments import COLUMN_WEIGHTS, name_centres
from stream.features.columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.features.layout import LAYOUT
from stream.learning.clusters import Clusters, fresh, learn_rows
from stream.learning.label_rows import LabelRows
from stream.learning.recent_ids import RecentIds
from stream.learning.states import decode_state, refuse_other_layout
from stream.scoring.documents import SegmentDocument

CLUSTERS = 8  # of 6 to 12 the fewest that fill all six names; more change segments oftener
STEP = 0.005  # of the way to each new member: a centre remembers some 200 members, weeks of a small shop
FIRST_STEP = 0.1
SPREAD = 0.5  # standard deviations between the first centres and the average customer
SEED = 7
SAMPLES_BEFORE_FIRST = 500
REFRESH_DAYS = 28  # each new document moves customers who did nothing; four weeks measured as current enough

_WEIGHTS = np.array(COLUMN_WEIGHTS)

FloatArray = NDArray[np.float64]
Reader = Callable[[FloatArray], FloatArray]
"""Rows of model columns -> rows of `SEGMENT_COLUMNS`."""


class ScalerState(msgspec.Struct, frozen=True, kw_only=True):
    """Moments of the columns, which have all seen `rows` rows."""

    rows: int
    means: dict[str, float]
    variances: dict[str, float]


class SegmentState(msgspec.Struct, frozen=True, kw_only=True):
    """A learner of segments as numbers and names."""

    layout: str
    columns: tuple[str, ...]
    samples: int
    published_day: int
    scaler: ScalerState
    centres: list[list[float]]
    recent: bytes


class SegmentLearner:
    """Online clustering of the sampled customers; a function of the labels it has been given, in their order.

    Args:
        sampled_outcome: each snapshot has a label per outcome; those of this one are the sample.
        columns: the columns that labels carry, in their order.
        layout: the layout that labels must have.
    """

    def __init__(
        self, sampled_outcome: str = "purchase_7d", columns: tuple[str, ...] = MODEL_COLUMNS, layout: str = LAYOUT
    ) -> None:
        self._sampled_outcome = sampled_outcome
        self._columns = columns
        self._layout = layout
        self._read = segment_reader(columns)
        self._published_day = 0
        self._learned = fresh(CLUSTERS, len(SEGMENT_COLUMNS), SPREAD, SEED)
        self._recent = RecentIds()

    def learn(self, labels: Sequence[Label]) -> int:
        """Take samples in their order.

        Passed over: labels of other outcomes than the sampled one, repeats, and labels of another layout.

        Returns:
            How many samples were new.
        """
        ours = [label for label in labels if label.outcome == self._sampled_outcome and label.layout == self._layout]
        new = [label for label in ours if self._recent.add(label.message_id)]
        return self.learn_rows(LabelRows.of(new)) if new else 0

    def learn_rows(self, labels: LabelRows) -> int:
        """Take samples of this outcome and layout, at least one, none of which has been taken.

        Returns:
            How many there are.
        """
        learn_rows(self._learned, self._read(labels.columns), _WEIGHTS, FIRST_STEP, STEP)
        return len(labels)

    @property
    def _samples(self) -> int:
        return int(self._learned.rows[0])

    def document(self, version: str, epoch_day: int) -> SegmentDocument | None:
        """The centres and their names, when it is time for new ones; None while those last given out stay in force.

        The first is due after `SAMPLES_BEFORE_FIRST` samples, then one every `REFRESH_DAYS` after the last given out.
        """
        first = self._published_day == 0
        due = self._samples >= SAMPLES_BEFORE_FIRST if first else epoch_day >= self._published_day + REFRESH_DAYS
        if not due:
            return None
        self._published_day = epoch_day
        means, deviations = self._learned.means.tolist(), np.sqrt(self._learned.variances).tolist()
        scales = tuple(d / weight if d else 1.0 for d, weight in zip(deviations, COLUMN_WEIGHTS, strict=True))
        centres = tuple(map(tuple, self._learned.centres.tolist()))
        return SegmentDocument(
            version=version,
            epoch_day=epoch_day,
            layout=self._layout,
            means=tuple(means),
            scales=scales,
            centres=centres,
            names=tuple(name_centres(centres, means, scales)),
            samples=self._samples,
        )

    def to_bytes(self) -> bytes:
        """Everything to go on from, exactly: a learner restored from it continues bit for bit."""
        state = SegmentState(
            layout=self._layout,
            columns=self._columns,
            samples=self._samples,
            published_day=self._published_day,
            scaler=self._moments(),
            centres=self._learned.centres.tolist(),
            recent=self._recent.to_bytes(),
        )
        return msgspec.msgpack.encode(state)

    def restored(self, packed: bytes) -> "SegmentLearner":
        """One of the same kind that goes on where a packed one was.

        Raises:
            LayoutError: it learned other columns, or is not a learner's state.
        """
        state = decode_state(packed, SegmentState)
        refuse_other_layout("segments", (state.layout, state.columns), (self._layout, self._columns))
        learner = SegmentLearner(self._sampled_outcome, self._columns, self._layout)
        learner._published_day = state.published_day
        learner._learned = _restored(state)
        learner._recent = RecentIds.from_bytes(state.recent)
        return learner

    def _moments(self) -> ScalerState:
        means, variances = (
            dict(zip(SEGMENT_COLUMNS, each.tolist(), strict=True))
            for each in (self._learned.means, self._learned.variances)
        )
        return ScalerState(rows=self._samples, means=means, variances=variances)


def _restored(state: SegmentState) -> Clusters:
    means, variances = (
        np.array([each.get(column, 0.0) for column in SEGMENT_COLUMNS])
        for each in (state.scaler.means, state.scaler.variances)
    )
    return Clusters(np.array([float(state.samples)]), means, variances, np.array(state.centres))


def segment_reader(columns: tuple[str, ...]) -> Reader:
    """How to read the `SEGMENT_COLUMNS` from rows of model columns, as `segment_matrix` computes them from states.

    Net spend is the one that is not a model column itself: it is the difference of two that are.

    >>> names = ("log_since_last_purchase_days", "log_purchase_days", "log_since_first_purchase_days",
    ...          "log_decayed_spend_365d_minor", "log_decayed_refund_365d_minor")
    >>> np.expm1(segment_reader(names)(np.log1p([[3, 5, 40, 700, 200]]))).round().tolist()
    [[3.0, 5.0, 500.0, 40.0]]
    """
    silence, frequency, tenure, spent, refunded = (
        columns.index(f"log_{feature}")
        for feature in (
            "since_last_purchase_days",
            "purchase_days",
            "since_first_purchase_days",
            "decayed_spend_365d_minor",
            "decayed_refund_365d_minor",
        )
    )

    def read(rows: FloatArray) -> FloatArray:
        net = np.maximum(np.expm1(rows[:, spent]) - np.expm1(rows[:, refunded]), 0.0)
        return np.stack([rows[:, silence], rows[:, frequency], np.log1p(net), rows[:, tenure]], axis=1)

    return read
