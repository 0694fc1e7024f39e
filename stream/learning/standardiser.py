"""River's StandardScaler with its numbers in the open, for the learner of segments."""

import math
from collections.abc import Iterable

from river import preprocessing

from stream.learning.segment_state import ScalerState
from stream.scoring.linear import CLIP

Row = dict[str, float]
"""Column -> value."""

LEARNING_RATE = 0.03  # AdaGrad .03 measured best of the optimisers and rates tried (docs/architecture.md, "Learning")


class Standardiser:
    """River's StandardScaler, then a clip at ±6 standard deviations: one wild value must not move every weight."""

    def __init__(self, state: ScalerState | None = None) -> None:
        self._scaler = preprocessing.StandardScaler()
        if state is not None:
            self._scaler.counts.update(dict.fromkeys(state.means, state.rows))
            self._scaler.means.update(state.means)
            self._scaler.vars.update(state.variances)

    def learn(self, row: Row) -> None:
        """Let a row take part in means and variances."""
        self._scaler.learn_one(row)

    def transform(self, row: Row) -> Row:
        """The row in standard deviations, clipped. Zeros are left out: a column that never varied costs no time."""
        standardised: Row = self._scaler.transform_one(row)
        return {name: z if -CLIP < z < CLIP else math.copysign(CLIP, z) for name, z in standardised.items() if z}

    def moments(self, columns: Iterable[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and standard deviations of columns; 0 and 0 before the first row."""
        names = tuple(columns)
        means, variances = self._scaler.means, self._scaler.vars
        return tuple(means.get(c, 0.0) for c in names), tuple(variances.get(c, 0.0) ** 0.5 for c in names)

    def state(self) -> ScalerState:
        """Everything to go on from."""
        scaler = self._scaler
        rows = max(scaler.counts.values(), default=0)
        return ScalerState(rows=rows, means=dict(scaler.means), variances=dict(scaler.vars))
