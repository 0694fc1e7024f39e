"""Learns one outcome from the labels log: the model, and the floors it has to beat."""

import math
from collections.abc import Sequence

import msgspec

from schemas.messages import Label
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learning.champion import serving
from stream.learning.judge import Judge, JudgeState
from stream.learning.logistic import Logistic, RegressionState, Row, ScalerState, Standardiser, constant
from stream.learning.recent_ids import RecentIds
from stream.learning.states import decode_state, refuse_other_layout
from stream.scoring.documents import CANDIDATES, FLOORS, RIVER_LOGISTIC, Judged, OutcomeDocument
from stream.scoring.linear import LinearModel

SILENCE_COLUMN = "log_since_last_purchase_days"
COUNT_90D_COLUMN = "log_decayed_count_90d"


class OutcomeState(msgspec.Struct, frozen=True, kw_only=True):
    """A learner as numbers and names: what is in Redis beside the offset of the labels log."""

    name: str
    layout: str
    columns: tuple[str, ...]
    labels: int
    positives: int
    trained_until_ms: int
    progressive_loss: dict[str, float]
    scaler: ScalerState
    regressions: dict[str, RegressionState]
    judges: dict[str, JudgeState]
    recent: bytes


class OutcomeLearner:
    """Online learning of one outcome; a function of the labels it has been given, in their order.

    Candidates: "river_logistic" on all columns; the floors "base_rate" (the share of labels of value 1 so far),
    "since_last_purchase" and "count_90d" (the same logistic regression on one column).

    Args:
        name: the outcome, such as "churn_30d".
        columns: the columns that labels carry, in their order.
        layout: the layout that labels must have.
    """

    def __init__(self, name: str, columns: tuple[str, ...] = MODEL_COLUMNS, layout: str = LAYOUT) -> None:
        fresh = OutcomeState(
            name=name,
            layout=layout,
            columns=columns,
            labels=0,
            positives=0,
            trained_until_ms=0,
            progressive_loss=dict.fromkeys(FLOORS, 0.0),
            scaler=Standardiser().state(),
            regressions={},
            judges={},
            recent=b"",
        )
        self._restore(fresh)

    def learn(self, labels: Sequence[Label]) -> int:
        """Judge and learn labels in their order.

        Passed over: labels of other outcomes, repeats, and labels of another layout, whose columns mean something else.

        Returns:
            How many labels were new.
        """
        new = 0
        for label in labels:
            if label.outcome == self.name and label.layout == self._layout and self._recent.add(label.message_id):
                self._learn_one(label)
                new += 1
        return new

    def document(self, version: str, epoch_day: int) -> OutcomeDocument:
        """The model as data: what workers score with from this epoch on.

        Args:
            version: names the document; chosen by the caller.
            epoch_day: days since 1970, UTC.
        """
        metrics = self._metrics()
        serves = serving(self._labels, self._positives, self._progressive_means(), metrics)
        return OutcomeDocument(
            name=self.name,
            version=version,
            epoch_day=epoch_day,
            layout=self._layout,
            trained_until_ms=self._trained_until_ms,
            labels=self._labels,
            positives=self._positives,
            candidates={} if serves is None else self._candidates(),
            serving=serves,
            metrics=metrics,
        )

    def to_bytes(self) -> bytes:
        """Everything to go on from as numbers and names: a learner restored from it continues bit for bit."""
        state = OutcomeState(
            name=self.name,
            layout=self._layout,
            columns=self._columns,
            labels=self._labels,
            positives=self._positives,
            trained_until_ms=self._trained_until_ms,
            progressive_loss=self._progressive_loss,
            scaler=self._standardiser.state(),
            regressions={name: regression.state() for name, regression in self._regressions.items()},
            judges={name: judge.state() for name, judge in self._judges.items()},
            recent=self._recent.to_bytes(),
        )
        return msgspec.msgpack.encode(state)

    @classmethod
    def from_bytes(
        cls, packed: bytes, columns: tuple[str, ...] = MODEL_COLUMNS, layout: str = LAYOUT
    ) -> "OutcomeLearner":
        """The learner that `to_bytes` packed.

        Raises:
            LayoutError: it learned other columns, or is not a learner's state.
        """
        state = decode_state(packed, OutcomeState)
        refuse_other_layout(state.name, (state.layout, state.columns), (layout, columns))
        learner = cls(state.name, columns, layout)
        learner._restore(state)
        return learner

    def _restore(self, state: OutcomeState) -> None:
        self.name = state.name
        self._layout = state.layout
        self._columns = state.columns
        self._labels = state.labels
        self._positives = state.positives
        self._trained_until_ms = state.trained_until_ms
        self._progressive_loss = dict(state.progressive_loss)
        self._standardiser = Standardiser(state.scaler)
        reads = {
            RIVER_LOGISTIC: state.columns,
            "since_last_purchase": (SILENCE_COLUMN,),
            "count_90d": (COUNT_90D_COLUMN,),
        }
        self._regressions = {name: Logistic(read, state.regressions.get(name)) for name, read in reads.items()}
        self._judges = {name: Judge(state.judges.get(name)) for name in CANDIDATES}
        self._recent = RecentIds.from_bytes(state.recent)

    def _learn_one(self, label: Label) -> None:
        row = dict(zip(self._columns, label.columns, strict=True))
        happened = label.value >= 0.5
        self._judge(label.scores, happened)
        self._predict_before_learning(row, happened)
        self._standardiser.learn(row)
        standardised = self._standardiser.transform(row)
        for regression in self._regressions.values():
            regression.learn(_only(regression.columns, standardised), happened)
        self._labels += 1
        self._positives += happened
        self._trained_until_ms = max(self._trained_until_ms, label.matured_ms)

    def _judge(self, scores: dict[str, float], happened: bool) -> None:
        """Judge stored scores, never scored again; all candidates on the same labels, those the model has scored."""
        if RIVER_LOGISTIC in scores:
            for name, judge in self._judges.items():
                judge.add(scores[name], happened)

    def _predict_before_learning(self, row: Row, happened: bool) -> None:
        standardised = self._standardiser.transform({name: row[name] for name in (SILENCE_COLUMN, COUNT_90D_COLUMN)})
        for floor in FLOORS:
            if floor == "base_rate":
                probability = self._base_rate()
            else:
                regression = self._regressions[floor]
                probability = regression.probability(_only(regression.columns, standardised))
            self._progressive_loss[floor] -= math.log(probability if happened else 1.0 - probability)

    def _base_rate(self) -> float:
        """Share of labels of value 1, half a label of each class added (Krichevsky and Trofimov): never 0 or 1."""
        return (self._positives + 0.5) / (self._labels + 1.0)

    def _candidates(self) -> dict[str, LinearModel]:
        exported = {name: regression.exported(self._standardiser) for name, regression in self._regressions.items()}
        return {name: exported.get(name) or constant(self._base_rate()) for name in CANDIDATES}

    def _progressive_means(self) -> dict[str, float]:
        return {floor: loss / max(self._labels, 1) for floor, loss in self._progressive_loss.items()}

    def _metrics(self) -> dict[str, Judged]:
        judged = {name: judge.judged() for name, judge in self._judges.items()}
        return {name: judgement for name, judgement in judged.items() if judgement is not None}


def _only(columns: tuple[str, ...], standardised: Row) -> Row:
    if len(columns) > 1:
        return standardised
    return {name: standardised[name] for name in columns if name in standardised}
