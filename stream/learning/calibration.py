"""Platt's recalibration of a candidate: its logit stretched and moved, learned on the scores stored with labels.

Stored scores are a month older than the labels they are judged by, and a shop changes: what was said may be too sure,
or too high everywhere. Two numbers mend that, and cannot change who is before whom. Platt, Advances in Large Margin
Classifiers, 1999; here by recursive Newton steps, so that no score need be kept.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import making_arrays
from stream.learning.newton import newton_step
from stream.scoring.linear import LARGEST_LOGIT, LinearModel

FloatArray = NDArray[np.float64]

PRIOR_VARIANCE = 0.1  # of slope and shift before the first label: a slope from .4 to 1.6 is within two deviations


class CalibrationState(msgspec.Struct, frozen=True, kw_only=True):
    """Slope and shift, and how sure they are: the covariance row by row."""

    weights: tuple[float, float] = (1.0, 0.0)
    covariance: tuple[float, float, float, float] = (PRIOR_VARIANCE, 0.0, 0.0, PRIOR_VARIANCE)


class Calibration:
    """Learns slope and shift of a logit, from "as it is" on."""

    def __init__(self, state: CalibrationState | None = None) -> None:
        given = state or CalibrationState()
        self._weights = np.array(given.weights)
        self._covariance = np.array(given.covariance).reshape(2, 2)

    def learn(self, probabilities: FloatArray, happened: NDArray[np.bool_]) -> None:
        """Learn labels one after another.

        Args:
            probabilities: shape (labels,), as stored with the snapshots, strictly between 0 and 1.
            happened: shape (labels,).
        """
        _learn(self._weights, self._covariance, probabilities, happened)

    def applied(self, model: LinearModel) -> LinearModel:
        """The model with its logit recalibrated.

        >>> model = LinearModel(("x",), (0.0,), (1.0,), (2.0,), bias=0.5)
        >>> Calibration(CalibrationState(weights=(0.5, 0.25))).applied(model)
        LinearModel(columns=('x',), means=(0.0,), scales=(1.0,), weights=(1.0,), bias=0.5, clip=6.0)
        """
        slope, shift = self._weights.tolist()
        weights = tuple(slope * weight for weight in model.weights)
        return msgspec.structs.replace(model, weights=weights, bias=slope * model.bias + shift)

    def state(self) -> CalibrationState:
        """Everything to go on from."""
        slope, shift = self._weights.tolist()
        a, b, c, d = self._covariance.ravel().tolist()
        return CalibrationState(weights=(slope, shift), covariance=(a, b, c, d))


@making_arrays
def _learn(weights: FloatArray, covariance: FloatArray, probabilities: FloatArray, happened: NDArray[np.bool_]) -> None:
    z = np.empty(1)
    for i in range(len(probabilities)):
        logit = np.log(probabilities[i]) - np.log1p(-probabilities[i])
        z[0] = min(max(logit, -LARGEST_LOGIT), LARGEST_LOGIT)
        newton_step(weights, covariance, z, happened[i])
