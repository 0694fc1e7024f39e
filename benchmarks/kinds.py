"""What a score by each kind of model costs, beside what `stream.scoring.costs` says it may.

    python -m benchmarks.kinds

Trees are fitted to made-up customers, so that they have the shapes that scikit-learn gives them. "one" is a customer
after another, each by the whole model, as decisions are made; "together" are 1,000 at once, as snapshots are scored.
"why" is what the reasons of a view cost besides, of the model that alerts go by.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.backtest import batch
from offline.scikit_learn import RandomForestClassifier, require_scikit_learn
from offline.training import as_data
from stream.compiled import compiled
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.scoring.budget import SCORE_BUDGET_US
from stream.scoring.clusters import assign
from stream.scoring.costs import score_us
from stream.scoring.documents import SegmentDocument
from stream.scoring.explain import by_concept
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit, Model, Scorers, alone, explained, probability, scorers, workspace
from stream.scoring.linear import LinearModel

FloatArray = NDArray[np.float64]
TIMES, ROWS, TOGETHER, LEARNED = 7, 2_000, 1_000, 20_000
BOOSTINGS = ((50, 15), (150, 15), (400, 15), (400, 32))
FORESTS = ((50, 128), (100, 128), (100, 256))


def models(random: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """Name and model of each kind."""
    columns, value = _customers(random)
    width = len(MODEL_COLUMNS)
    weights = tuple(random.normal(0, 0.3, width).tolist())
    linear = LinearModel(MODEL_COLUMNS, (1.0,) * width, (1.0,) * width, weights, bias=0.0)
    yield "logistic regression", linear
    yield from ((f"hazard, {days} days", HazardModel(linear, days)) for days in (30, 90, 180))
    yield "mean of both, 30 days", MeanLogit(linear, HazardModel(linear, 30))
    for trees, leaves in BOOSTINGS:
        learned = columns.astype(np.float32)
        fitted = batch.gradient_boosting(learned, value, max_iter=trees, max_leaf_nodes=leaves)
        yield f"boosting, {trees} x {leaves}", as_data.boosted(fitted, MODEL_COLUMNS, columns.mean(axis=0))
    for trees, leaves in FORESTS:
        forest = RandomForestClassifier(
            n_estimators=trees, max_leaf_nodes=leaves, min_samples_leaf=20, random_state=0
        ).fit(columns, value)
        yield f"forest, {trees} x {leaves}", as_data.forest(forest, MODEL_COLUMNS, columns.mean(axis=0))


def _customers(random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    columns = np.abs(random.normal(1, 1, (LEARNED, len(MODEL_COLUMNS))))
    logit = 2 * columns[:, 0] - 1.5 * columns[:, 5] + 0.5 * columns[:, 3] * columns[:, 7] - 1
    return columns, (random.random(LEARNED) < 1 / (1 + np.exp(-logit))).astype(float)


def us_a_row(work: Callable[[], Any], rows: int) -> float:
    """CPU us a row, of the quickest time."""
    work()
    best = np.inf
    for _ in range(TIMES):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best / rows * 1e6


def one_by_one(model: Model, rows: FloatArray) -> Callable[[], Any]:
    """Ask compiled code for one customer after another; a lone call from Python would cost more than the score."""
    said, prepared, space = np.empty(len(rows)), scorers((model,)), workspace(1)
    return lambda: _score_each(said, rows, prepared, *space)


@compiled
def _score_each(
    said: FloatArray, rows: FloatArray, prepared: Scorers, hazards: FloatArray, scratch: FloatArray
) -> None:
    for i in range(len(rows)):
        said[i] = alone(prepared.models[0], prepared.nodes, rows[i], hazards, scratch)


def main() -> None:
    """Measure, and print."""
    require_scikit_learn()
    random = np.random.default_rng(0)
    rows = np.abs(random.normal(1, 1, (ROWS, len(MODEL_COLUMNS))))
    print(f"us of CPU a score; EBB_SCORE_BUDGET_US is {SCORE_BUDGET_US:g} by default")
    print(f"{'':<24}{'nodes':>8}{'one':>8}{'together':>10}{'estimate':>10}{'why':>8}")
    for name, model in models(random):
        nodes = len(getattr(model, "reads", ()))
        one = us_a_row(one_by_one(model, rows), ROWS)
        together = us_a_row(lambda model=model: probability(model, rows[:TOGETHER]), TOGETHER)  # type: ignore[misc]
        why = us_a_row(lambda model=model: by_concept(explained(model), rows[:300]), 300)  # type: ignore[misc]
        print(f"{name:<24}{nodes or '':>8}{one:>8.2f}{together:>10.2f}{score_us(model):>10.2f}{why:>8.1f}")
    print(f"{'8 centres':<24}{'':>8}{'':>8}{us_a_row(_centres(random), ROWS):>10.2f}")


def _centres(random: np.random.Generator) -> Callable[[], Any]:
    width = len(SEGMENT_COLUMNS)
    document = SegmentDocument(
        version="", epoch_day=0, layout="", means=(3.0,) * width, scales=(1.0,) * width, samples=0,
        centres=tuple(map(tuple, random.normal(0, 1, (8, width)).tolist())), names=("Champions", "At Risk") * 4,
    )  # fmt: skip
    places = np.abs(random.normal(3, 1, (ROWS, width)))
    return lambda: assign(document, places, np.zeros(ROWS, np.uint8))


if __name__ == "__main__":
    main()
