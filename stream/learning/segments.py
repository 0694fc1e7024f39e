"""Learns where customers lie by silence, frequency, spend and tenure."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from schemas.messages import Label, ModelDecision
from stream.customers.segments import COLUMN_WEIGHTS, name_centres
from stream.features.columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.features.layout import LAYOUT
from stream.learning.clusters import Clusters, fresh, learn_rows
from stream.learning.label_rows import LabelRows
from stream.learning.recent_ids import RecentIds
from stream.learning.segment_contest import SegmentContest
from stream.learning.segment_state import ScalerState, SegmentState
from stream.learning.states import decode_state, refuse_other_layout
from stream.scoring.challengers import SegmentChallenger
from stream.scoring.documents import ONLINE, SegmentDocument

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


class SegmentLearner:
    """Online clustering of the sampled customers; a function of the labels it has been given, in their order.

    Args:
        sampled_outcome: each snapshot has a label per outcome; those of this one are the sample.
        columns: the columns that labels carry, in their order.
        layout: the layout that labels must have.

    Attributes:
        contest: its centres beside those published from outside.
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
        self._own: SegmentDocument | None = None
        self._changed = False
        self.contest = SegmentContest()

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
        """Judge by samples of this outcome and layout, at least one, none of which has been taken, and take them.

        Returns:
            How many there are.
        """
        places = self._read(labels.columns)
        self.contest.judge(places, labels.snapshot_ms, labels.matured_ms, self._own)
        learn_rows(self._learned, places, _WEIGHTS, FIRST_STEP, STEP)
        return len(labels)

    @property
    def _samples(self) -> int:
        return int(self._learned.rows[0])

    def decide(self, decision: ModelDecision, challenger: SegmentChallenger | None = None) -> str:
        """Do what a person has decided; why it was not done, "" if it was."""
        before = self.contest.championship.champion
        refused = self.contest.decide(decision, challenger)
        self._changed = self._changed or self.contest.championship.champion != before
        return refused

    def document(self, version: str, epoch_day: int) -> SegmentDocument | None:
        """The centres in force and their names, when there are new ones; None while those last given out stay.

        The first own ones are due after `SAMPLES_BEFORE_FIRST` samples, others every `REFRESH_DAYS` after the last;
        those of a challenger stay what they are until a person decides otherwise.
        """
        champion, is_due = self.contest.championship.champion, self._is_due(epoch_day)
        if is_due:
            self._published_day, self._own = epoch_day, self._own_document(version, epoch_day)
        changed, self._changed = self._changed, False
        if champion == ONLINE:
            return replace(self._own, version=version) if self._own and (is_due or changed) else None
        centres = self.contest.challengers[champion].model
        given = replace(centres, version=version, epoch_day=epoch_day, layout=self._layout, candidate=champion)
        return given if changed else None

    def _is_due(self, epoch_day: int) -> bool:
        if self._published_day == 0:
            return self._samples >= SAMPLES_BEFORE_FIRST
        is_lost = self._own is None and self._changed  # an older learner did not keep what it gave out
        return is_lost or epoch_day >= self._published_day + REFRESH_DAYS

    def _own_document(self, version: str, epoch_day: int) -> SegmentDocument:
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
            own=self._own,
            contest=self.contest.state(),
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
        learner._own, learner.contest = state.own, SegmentContest(state.contest)
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
    """How to read the `SEGMENT_COLUMNS` from rows of model columns, as `segments_of` computes them from features.

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
