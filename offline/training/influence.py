"""What a model goes by: how much worse it is without a column, and what it says as one feature changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from offline.backtest.batch import Columns
from offline.backtest.rows import FloatArray
from offline.training.splits import moving
from schemas.money import exponent_of
from stream.features.columns import CONCEPTS, MODEL_COLUMNS, NATURAL_COLUMNS
from stream.features.model_columns import ENTRIES, Fresh, Hinge, Logged, Plain
from stream.scoring.explain import CONCEPT_NAMES
from stream.scoring.shapley import mixtures, shares

SEED = 20
REPEATS = 3
ROWS = 5_000  # that importance is measured on
SHARE_ROWS = 500  # each is asked of in 64 mixtures
CURVE_ROWS, CURVE_POINTS = 500, 20
CURVES = 6

Says = Callable[[Columns], FloatArray]
Loss = Callable[[FloatArray, FloatArray], float]


class Influence(msgspec.Struct, frozen=True, kw_only=True):
    """Permutation importance: how much the loss grows when the rows exchange the values of a column, or of all columns
    of a concept, at random. Columns share what they know, so a concept says more than its columns."""

    by_concept: dict[str, float]
    by_column: dict[str, float]


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Partial dependence: the mean of what the model says when every row has this value of a feature.

    All columns of the feature follow it (a hinge bends with its logarithm); those of other features stay as they are.
    """

    feature: str
    unit: str
    values: list[float]
    said: list[float]


def influence(says: Says, loss: Loss, columns: Columns, value: FloatArray) -> Influence:
    """Permutation importance on at most `ROWS` of these rows. Breiman, Random Forests, Machine Learning 45, 2001.

    Args:
        says: the model.
        loss: how wrong it is, of what it says and what became of rows.
        columns: shape (rows, len(MODEL_COLUMNS)).
        value: shape (rows,), what became of them.

    Returns:
        By how much the loss grows, the largest first; columns that never change are left out.
    """
    drawn = np.random.default_rng(SEED)
    some = drawn.permutation(len(value))[:ROWS]
    columns, value = columns[some], value[some]
    whole = loss(says(columns), value)

    def growth(places: Sequence[int]) -> float:
        return float(np.mean([loss(says(_exchanged(columns, places, drawn)), value) for _ in range(REPEATS)]) - whole)

    moves = set(moving(columns).tolist())
    concepts = dict.fromkeys(CONCEPTS[MODEL_COLUMNS[place]] for place in sorted(moves))
    of_concept = {each: [at for at in sorted(moves) if CONCEPTS[MODEL_COLUMNS[at]] == each] for each in concepts}
    by_column = {MODEL_COLUMNS[place]: growth([place]) for place in sorted(moves)}
    return Influence(
        by_concept=_largest_first({str(name): growth(places) for name, places in of_concept.items()}),
        by_column=_largest_first(by_column),
    )


def concept_shares(says: Says, columns: Columns, reference: FloatArray) -> dict[str, float]:
    """The mean size of each concept's share in what a model says of a row (`stream.scoring.shapley`).

    Args:
        says: the model, on the scale on which shares are wanted.
        columns: rows, shape (rows, len(MODEL_COLUMNS)), of which at most `SHARE_ROWS` are asked of.
        reference: columns of whom they are compared with.
    """
    some = columns[np.random.default_rng(SEED).permutation(len(columns))[:SHARE_ROWS]]
    worth = mixtures(lambda rows: says(rows.astype(columns.dtype)), some.astype(np.float64), reference)
    sizes = np.abs(shares(worth)).mean(axis=0)
    return _largest_first(dict(zip(CONCEPT_NAMES, sizes.tolist(), strict=True)))


def _exchanged(columns: Columns, places: Sequence[int], drawn: np.random.Generator) -> Columns:
    exchanged = columns.copy()
    exchanged[:, places] = columns[drawn.permutation(len(columns))][:, places]
    return exchanged


def _largest_first(figures: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(figures.items(), key=lambda item: -item[1]))


def features_that_matter(by_column: Mapping[str, float]) -> list[str]:
    """The `CURVES` features whose columns matter most, together; those that are not named do not move."""
    matters: dict[str, float] = {}
    for entry in ENTRIES:
        matters[entry.feature] = matters.get(entry.feature, 0.0) + by_column.get(entry.name, 0.0)
    ordered = _largest_first({name: figure for name, figure in matters.items() if figure > 0})
    return list(ordered)[:CURVES]


def curves(says: Says, columns: Columns, features: Sequence[str], currency: str) -> list[Curve]:
    """Partial dependence on features.

    Friedman, Greedy Function Approximation, Annals of Statistics 29, 2001.

    Args:
        says: the model.
        columns: rows that are held as they are but for the feature.
        features: read by model columns.
        currency: of money, such as "GBP".
    """
    some = columns[np.random.default_rng(SEED).permutation(len(columns))[:CURVE_ROWS]]
    return [_curve(says, some, columns, feature, currency) for feature in features]


def _curve(says: Says, some: Columns, columns: Columns, feature: str, currency: str) -> Curve:
    first = next(entry for entry in ENTRIES if entry.feature == feature and not isinstance(entry, Hinge))
    column = columns[:, MODEL_COLUMNS.index(first.name)].astype(np.float64)
    figures = np.unique(np.quantile(column, np.linspace(0.01, 0.99, CURVE_POINTS)))
    held = some.copy()
    said = []
    for figure in figures.tolist():
        for place, value in _columns_at(first, figure):
            held[:, place] = value
        said.append(float(says(held).mean()))
    read = _in_units(first, figures, currency)
    order = np.argsort(read.values)
    return Curve(
        feature=read.name,
        unit=read.unit,
        values=read.values[order].tolist(),
        said=np.array(said)[order].tolist(),
    )


def _columns_at(first: Logged | Fresh | Plain, figure: float) -> Iterator[tuple[int, float]]:
    """The columns that follow from one column of a feature, and their values."""
    yield MODEL_COLUMNS.index(first.name), figure
    for entry in ENTRIES:
        if isinstance(entry, Hinge) and entry.feature == first.feature:
            yield MODEL_COLUMNS.index(entry.name), max(figure - float(np.log1p(entry.knot)), 0.0)


class _Read(NamedTuple):
    name: str
    unit: str
    values: FloatArray


def _in_units(entry: Logged | Fresh | Plain, figures: FloatArray, currency: str) -> _Read:
    """Values of a column as those of its feature, in units that a person uses."""
    natural = NATURAL_COLUMNS[entry.feature]
    if isinstance(entry, Logged):
        values = np.expm1(figures) * entry.unit
        if natural.unit == "minor units":
            return _Read(entry.feature.removesuffix("_minor"), currency, values / 10.0 ** exponent_of(currency))
        return _Read(entry.feature, natural.unit, values)
    if isinstance(entry, Fresh):
        return _Read(entry.name, "1 now, 0 never", figures)
    return _Read(entry.feature, natural.unit, figures)
