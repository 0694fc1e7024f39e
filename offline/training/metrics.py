"""What a training has found, as it is written: `metrics.json` has these fields under these names."""

from collections.abc import Mapping, Sequence

import msgspec

from offline.backtest.figures import Figures
from offline.training.chances import Chances
from offline.training.influence import Curve, Influence
from offline.training.search import Found
from offline.training.spend import SpendFigures, Spending

BY_CROSS_VALIDATION = "the one with the least loss in cross-validation"


class Coefficient(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a linear model: what one standard deviation more adds, and what the column is on average."""

    column: str
    weight: float
    mean: float
    deviation: float


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one model.

    Attributes:
        title: its kind, for a reader.
        search: its settings, and what was tried.
        judgement: on the rows from the split on.
        importance: permutation importance on some of those.
        shares: concept -> the mean size of its share in the logit, or the amount, of some of those, compared with the
            mean row learned from.
        curves: partial dependence.
        coefficients: of a linear model, the largest first; of an amount those of its logarithm.
    """

    title: str
    search: Found
    judgement: Chances | Spending
    importance: Influence
    shares: Mapping[str, float]
    curves: Sequence[Curve]
    coefficients: Sequence[Coefficient]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The rows on one side of the split: `mean` is the share for which an outcome came true, or the mean amount."""

    rows: int
    customers: int
    mean: float
    first: str
    last: str


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a training has found; `metrics.json`, and what `--json` prints.

    Attributes:
        outcome: what is predicted.
        in_words: the same for a reader.
        is_amount: whether amounts are predicted and not probabilities.
        currency: of all money, such as "GBP".
        split: rows from this day on are judged, YYYY-MM-DD.
        gap_days: how long after its midnight a row is known, at least and at most: those are not learned from that
            were not known at the split.
        learned, judged: the rows before and after it.
        blocks: the days on which blocks of cross-validation begin.
        chosen: the model with the least loss in cross-validation; without blocks the first.
        models: name -> what is known of it.
        floors: rule -> how it did on the same rows.
        constant_columns: those with one value in all learned rows.
        notes: sentences on what to keep in mind.
    """

    outcome: str
    in_words: str
    is_amount: bool
    currency: str
    split: str
    gap_days: tuple[int, int]
    learned: Side
    judged: Side
    blocks: Sequence[str]
    chosen: str
    models: Mapping[str, Judged]
    floors: Mapping[str, Figures | SpendFigures]
    constant_columns: Sequence[str]
    notes: Sequence[str]

    @property
    def how_chosen(self) -> str:
        """Why the chosen model is it."""
        if not self.blocks:
            return "the first one: there is too little time for cross-validation"
        return BY_CROSS_VALIDATION if len(self.models) > 1 else "the only one that was asked for"
