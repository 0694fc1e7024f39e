"""Logistic regressions learned one label after another, compiled: all of an outcome's share one scaler.

Two ways to the same kind of model. Gradient descent with AdaGrad is River's `StandardScaler | LogisticRegression` but
for the order of additions (a test holds them together), many times as fast. The recursive Newton step is a Kalman
filter on the logit: it also keeps how sure it is of the weights, and of how they hang together, so it learns as much
from few labels as a batch regression does.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
from stream.learning.newton import SETTLED_LABELS, grow_unsure, move_means, newton_logit, newton_step, prior
from stream.outcomes.declaration import SAMPLE_ONE_IN_DAYS
from stream.scoring.linear import CLIP, LinearModel, sigmoid

FloatArray = NDArray[np.float64]

LEARNING_RATE = 0.03  # AdaGrad .03 measured best of the optimisers and rates tried (docs/architecture.md, "Learning")
INTERCEPT_RATE = 0.01  # River's own
EPSILON = 1e-8  # River's own
SURE_LOGIT = 18.0  # River's log loss is flat beyond it


class Regressions(NamedTuple):
    """Everything learned, as arrays that are changed in place; k columns, m regressions by gradient descent.

    Attributes:
        rows: shape (1,), labels learned.
        counts: shape (k,), of how many labels each column has been learned.
        day: shape (1,), the latest day on which one of them matured, since 1970; 0 before the first.
        means, variances: shape (k,), of the columns so far (Welford).
        reads: shape (m, k), which columns each regression has.
        weights, squared_gradients: shape (m, k).
        intercepts: shape (m,).
        newton: shape (k + 1,), weights and intercept of the recursive Newton regression on all columns.
        covariance: shape (k + 1, k + 1), of these.
    """

    rows: FloatArray
    counts: FloatArray
    day: FloatArray
    means: FloatArray
    variances: FloatArray
    reads: NDArray[np.bool_]
    weights: FloatArray
    squared_gradients: FloatArray
    intercepts: FloatArray
    newton: FloatArray
    covariance: FloatArray


class RegressionsState(msgspec.Struct, frozen=True, kw_only=True):
    """`Regressions` as numbers: little-endian float64, row by row.

    Without `counts` each column that was learned has been learned from every label.
    """

    rows: int
    counts: bytes = b""
    day: int = 0
    means: bytes
    variances: bytes
    weights: bytes
    squared_gradients: bytes
    intercepts: bytes
    newton: bytes
    covariance: bytes


def fresh(reads: NDArray[np.bool_]) -> Regressions:
    """Nothing learned yet.

    Args:
        reads: shape (m, k).
    """
    m, k = reads.shape
    return Regressions(
        rows=np.zeros(1),
        counts=np.zeros(k),
        day=np.zeros(1),
        means=np.zeros(k),
        variances=np.zeros(k),
        reads=reads,
        weights=np.zeros((m, k)),
        squared_gradients=np.zeros((m, k)),
        intercepts=np.zeros(m),
        newton=np.zeros(k + 1),
        covariance=prior(k),
    )


def state_of(learned: Regressions) -> RegressionsState:
    """Everything to go on from."""
    arrays = {name: array.astype("<f8").tobytes() for name, array in learned._asdict().items()}
    del arrays["reads"], arrays["rows"], arrays["day"]
    return RegressionsState(rows=int(learned.rows[0]), day=int(learned.day[0]), **arrays)


def restored(state: RegressionsState, reads: NDArray[np.bool_]) -> Regressions:
    """What `state_of` has packed; columns at the end that it does not know are as in `fresh`.

    Raises:
        ValueError: it is of more columns, or of another number of regressions.
    """
    found, m = fresh(reads), len(reads)
    k = len(state.means) // 8
    shapes = {"weights": (m, k), "squared_gradients": (m, k), "intercepts": (m,)}
    shapes |= {"means": (k,), "variances": (k,), "newton": (k + 1,), "covariance": (k + 1, k + 1)}
    arrays = {name: np.frombuffer(getattr(state, name), "<f8").reshape(shape) for name, shape in shapes.items()}
    found.rows[:], found.day[:], found.intercepts[:] = state.rows, state.day, arrays["intercepts"]
    found.counts[:k] = np.frombuffer(state.counts, "<f8") if state.counts else float(state.rows)
    for name in ("means", "variances"):
        getattr(found, name)[:k] = arrays[name]
    for name in ("weights", "squared_gradients"):
        getattr(found, name)[:, :k] = arrays[name]
    known = np.array([*range(k), -1])  # the intercept is the last
    found.newton[known] = arrays["newton"]
    found.covariance[np.ix_(known, known)] = arrays["covariance"]
    return found


def of_which(learned: Regressions, share: float) -> Regressions:
    """The mean logit's two regressions apart, for which each label so far counts as a share of one.

    What they say stays the same. The next labels move it as they would have moved it after a share of the labels: the
    prior, the inverse of whose variance is not information of labels, counts wholly.

    Args:
        learned: is left as it is; its first regression by gradient descent is taken along.
        share: above 0, up to 1.
    """
    before = np.linalg.inv(prior(len(learned.means)))
    covariance = np.linalg.inv(before + share * (np.linalg.inv(learned.covariance) - before))
    first = {name: getattr(learned, name)[:1].copy() for name in ("reads", "weights", "intercepts")}
    alike = {name: getattr(learned, name).copy() for name in ("rows", "counts", "day", "means", "variances", "newton")}
    squared = learned.squared_gradients[:1] * share
    return Regressions(**first, **alike, squared_gradients=squared, covariance=(covariance + covariance.T) / 2)


@making_arrays
def learn_rows(
    learned: Regressions, matrix: FloatArray, happened: NDArray[np.bool_], day: NDArray[np.int64], before: FloatArray
) -> None:
    """Learn labels one after another.

    Args:
        learned: is changed.
        matrix: shape (labels, k).
        happened: shape (labels,).
        day: shape (labels,), on which each matured, since 1970.
        before: shape (labels, m + 1), to be filled: what each regression said just before it learned, Newton's last.
    """
    z, shifts = np.empty(matrix.shape[1]), np.empty(matrix.shape[1])
    for i in range(len(matrix)):
        _pass_days(learned, day[i])
        _standardise(learned, matrix[i], z)
        for m in range(len(learned.intercepts)):
            before[i, m] = sigmoid(_logit(learned, m, z))
        before[i, len(learned.intercepts)] = sigmoid(newton_logit(learned.newton, z))
        _learn_moments(learned, matrix[i], shifts)
        if learned.rows[0] > SETTLED_LABELS:
            move_means(learned.newton, learned.covariance, shifts)
        _standardise(learned, matrix[i], z)
        for m in range(len(learned.intercepts)):
            _descend(learned, m, z, happened[i])
        newton_step(learned.newton, learned.covariance, z, happened[i])


@compiled
def _standardise(learned: Any, row: Any, z: Any) -> None:
    for k in range(len(z)):
        deviation = np.sqrt(learned.variances[k])
        z[k] = min(max((row[k] - learned.means[k]) / deviation, -CLIP), CLIP) if deviation > 0.0 else 0.0


@compiled
def _pass_days(learned: Any, day: Any) -> None:
    if learned.day[0] > 0.0:
        grow_unsure(learned.covariance, max(day - learned.day[0], 0.0))
    learned.day[0] = max(day, learned.day[0])


@compiled
def _learn_moments(learned: Any, row: Any, shifts: Any) -> None:
    """Let a row take part in means and variances.

    `shifts` is to be filled: by how many deviations the mean of each column moves that is settled.
    """
    learned.rows[0] += 1.0
    for k in range(len(row)):
        learned.counts[k] += 1.0
        old, deviation = learned.means[k], np.sqrt(learned.variances[k])
        learned.means[k] += (row[k] - old) / learned.counts[k]
        is_settled = learned.counts[k] > SETTLED_LABELS and deviation > 0.0
        shifts[k] = (learned.means[k] - old) / deviation if is_settled else 0.0
        spread = (row[k] - old) * (row[k] - learned.means[k])
        learned.variances[k] += (spread - learned.variances[k]) / learned.counts[k]


@compiled
def _logit(learned: Any, m: int, z: Any) -> Any:
    logit = learned.intercepts[m]
    for k in range(len(z)):
        if learned.reads[m, k]:
            logit += learned.weights[m, k] * z[k]
    return logit


@compiled
def _descend(learned: Any, m: int, z: Any, happened: bool) -> None:
    """A step of gradient descent on the log loss, AdaGrad: Duchi, Hazan and Singer, JMLR 12, 2011."""
    sign = 1.0 if happened else -1.0
    agreeing = _logit(learned, m, z) * sign
    gradient = -sign
    if agreeing > SURE_LOGIT:
        gradient *= np.exp(-agreeing)
    elif agreeing >= -SURE_LOGIT:
        gradient /= np.exp(agreeing) + 1.0
    learned.intercepts[m] -= INTERCEPT_RATE * gradient
    for k in range(len(z)):
        if learned.reads[m, k] and z[k] != 0.0:
            slope = gradient * z[k]
            learned.squared_gradients[m, k] += slope * slope
            learned.weights[m, k] -= LEARNING_RATE / np.sqrt(learned.squared_gradients[m, k] + EPSILON) * slope


def exported(learned: Regressions, m: int, columns: tuple[str, ...]) -> LinearModel:
    """The m-th regression by gradient descent as data, of the columns that it reads."""
    places = np.flatnonzero(learned.reads[m])
    return _model(learned, places, learned.weights[m], float(learned.intercepts[m]), columns)


def exported_newton(learned: Regressions, columns: tuple[str, ...]) -> LinearModel:
    """The recursive Newton regression as data."""
    return _model(learned, np.arange(len(columns)), learned.newton[:-1], float(learned.newton[-1]), columns)


def newton_share(horizon_days: int) -> float:
    """What the recursive Newton regression counts for in the mean logit of the two.

    It believes that labels know nothing of each other. So it is where the window of one is over before the customer is
    asked again; where windows overlap it is too sure of itself, and gradient descent, which is slow, counts as much.

    >>> newton_share(horizon_days=7), newton_share(horizon_days=90)
    (0.75, 0.5)
    """
    return 0.75 if horizon_days <= SAMPLE_ONE_IN_DAYS else 0.5


def mean_logit(one: LinearModel, other: LinearModel, share: float = 0.5) -> LinearModel:
    """The model whose logit is the mean of two that standardise alike.

    Args:
        one: counts what is left; it reads the other's first columns, or all of them.
        other: counts a share.
        share: from 0 to 1.

    >>> half = LinearModel(("x",), (0.0,), (1.0,), (1.0,), bias=0.5)
    >>> mean_logit(half, LinearModel(("x", "y"), (0.0, 3.0), (1.0, 1.0), (0.0, 2.0), bias=0.0)).weights
    (0.5, 1.0)
    """
    beside = (*one.weights, *[0.0] * (len(other.columns) - len(one.columns)))
    weights = tuple((1 - share) * a + share * b for a, b in zip(beside, other.weights, strict=True))
    return msgspec.structs.replace(other, weights=weights, bias=(1 - share) * one.bias + share * other.bias)


def _model(
    learned: Regressions, places: NDArray[np.intp], weights: FloatArray, bias: float, columns: tuple[str, ...]
) -> LinearModel:
    scales = np.sqrt(learned.variances)
    return LinearModel(
        columns=tuple(columns[place] for place in places.tolist()),
        means=tuple(learned.means[places].tolist()),
        scales=tuple(scales[places].tolist()),
        weights=tuple(weights[places].tolist()),
        bias=bias,
    )
