"""A training from rows to models and what is known of them: split, search, fit, judge."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offline.backtest.figures import Figures, judge
from offline.backtest.labels import settled
from offline.backtest.report import NOT_EVERYBODY, day_text
from offline.backtest.rows import BoolArray, FloatArray
from offline.training import chances, spend
from offline.training.influence import Says, concept_shares, curves, features_that_matter, influence
from offline.training.metrics import Coefficient, Judged, Metrics, Side
from offline.training.recipes import RECIPES, Model, Settings
from offline.training.search import Budget, Found, Learned, Task, search
from offline.training.spend import TwoStage
from offline.training.splits import Split, blocks, gap_days, moving, nothing_known, refuse
from offline.training.table import Table
from offline.training.target import Target
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.scoring.linear import LinearModel
from stream.scoring.reference import mean_row
from stream.scoring.shapley import logit
from stream.scoring.trained import SpendLinear, SpendTrees, TrainedDocument, TrainedLinear, TrainedTrees
from stream.scoring.trees import TreeModel

CHANCE = Task(chances.fit, chances.says, chances.loss, chances.judged)
AMOUNT = Task(spend.fit, spend.says, spend.loss, spend.judged)
CHANGED = 1.25  # times what it was before: worth a note


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes:
        models: names in `RECIPES`.
        budget: for each of them.
        currency: of all money, such as "GBP".
        refit: whether the documents are of models fitted again, once judged, on all that is known by the end.
    """

    models: Sequence[str]
    budget: Budget
    currency: str
    refit: bool = False


@dataclass(frozen=True)
class Training:
    """What came of it.

    Attributes:
        metrics: for people.
        documents: model -> it as data.
        said: model -> what it says of the judged rows.
        value: what became of those.
    """

    metrics: Metrics
    documents: Mapping[str, TrainedDocument]
    said: Mapping[str, FloatArray]
    value: FloatArray


def train(table: Table, target: Target, split: Split | None, plan: Plan, told: Callable[[], None]) -> Training:
    """Fit models on what was known at a split, and judge them on what came later.

    Args:
        table: all rows.
        target: what they are about.
        split: in time; None where no row is known.
        plan: which models, and how long to search.
        told: hears of each step: a block judged, a model fitted, a model looked into.

    Raises:
        OfflineError: there is not enough to learn from, or to judge by.
    """
    if split is None:
        raise nothing_known(table, target)
    refuse(table, target, split)
    task = AMOUNT if target.is_amount else CHANCE
    learned, asked = _rows(table, split.learned), _rows(table, split.judged)
    parts = blocks(table.rows.take(split.learned), learned.value, target.outcome)
    found = {name: search(task, RECIPES[name], learned, parts, plan.budget, told) for name in plan.models}
    fitted = {name: _fitted(task, name, learned, each.settings, told) for name, each in found.items()}
    said = {name: task.says(model, asked.columns) for name, model in fitted.items()}
    metrics = Metrics(
        outcome=target.outcome.name,
        in_words=_in_words(target, plan.currency),
        is_amount=target.is_amount,
        currency=plan.currency,
        split=day_text(split.day * DAY_MS),
        gap_days=gap_days(table.rows, target.outcome),
        learned=_side(table, split.learned),
        judged=_side(table, split.judged),
        blocks=[day_text(block.day * DAY_MS) for block in parts],
        chosen=_chosen(found),
        models=_judged(
            found, fitted, said, task, asked, mean_row(learned.columns.astype(np.float64)), plan.currency, told
        ),
        floors=_floors(target, learned, asked),
        constant_columns=_still(table, split),
        notes=_notes(table, target, split, parts),
    )
    until_ms, written = split.day * DAY_MS, learned
    if plan.refit:
        until_ms, written = table.last_ms, Learned(table.rows.columns, table.value, table.rows.customer)
        fitted = {name: _fitted(task, name, written, each.settings, told) for name, each in found.items()}
    rows = len(written.value)
    documents = {name: _document(name, target, table, model, until_ms, rows) for name, model in fitted.items()}
    return Training(metrics, documents, said, asked.value)


def _fitted(task: Task, name: str, learned: Learned, settings: Settings, told: Callable[[], None]) -> Model | TwoStage:
    fitted: Model | TwoStage = task.fit(RECIPES[name], learned.columns, learned.value, learned.customer, settings)
    told()
    return fitted


def _rows(table: Table, which: BoolArray) -> Learned:
    return Learned(table.rows.columns[which], table.value[which], table.rows.customer[which])


def _in_words(target: Target, currency: str) -> str:
    outcome = target.outcome
    return f"spend within {outcome.horizon_days} days" if target.is_amount else outcome.in_words(currency)


def _chosen(found: Mapping[str, Found]) -> str:
    """The model with the least loss over the blocks of time; without those the first."""
    return min(found, key=lambda name: np.inf if (loss := found[name].loss) is None else loss)


def _judged(
    found: Mapping[str, Found],
    fitted: Mapping[str, Model | TwoStage],
    said: Mapping[str, FloatArray],
    task: Task,
    asked: Learned,
    reference: FloatArray,
    currency: str,
    told: Callable[[], None],
) -> dict[str, Judged]:
    """What is known of each model, on the rows asked; curves are of the features that matter to the chosen one."""
    says = {name: _saying(task, model) for name, model in fitted.items()}
    importance = {}
    for name in fitted:
        importance[name] = influence(says[name], task.loss, asked.columns, asked.value)
        told()
    features = features_that_matter(importance[_chosen(found)].by_column)
    return {
        name: Judged(
            title=RECIPES[name].title,
            search=found[name],
            judgement=task.judged(said[name], asked.value, asked.customer),
            importance=importance[name],
            shares=concept_shares(_scaled(task, says[name]), asked.columns, reference),
            curves=curves(says[name], asked.columns, features, currency),
            coefficients=_coefficients(model.log_amount if isinstance(model, TwoStage) else model),
        )
        for name, model in fitted.items()
    }


def _saying(task: Task, model: Model | TwoStage) -> Says:
    return lambda columns: task.says(model, columns)


def _scaled(task: Task, says: Says) -> Says:
    """Probabilities as logits, amounts as they are."""
    return says if task is AMOUNT else lambda columns: logit(says(columns))


def _coefficients(model: Model) -> list[Coefficient]:
    if not isinstance(model, LinearModel):
        return []
    numbers = zip(model.columns, model.weights, model.means, model.scales, strict=True)
    found = [Coefficient(column=c, weight=w, mean=m, deviation=d) for c, w, m, d in numbers if d > 0]
    return sorted(found, key=lambda each: -abs(each.weight))


def _side(table: Table, which: BoolArray) -> Side:
    day, customer = table.rows.day[which], table.rows.customer[which]
    return Side(
        rows=len(day),
        customers=len(np.unique(customer)),
        mean=float(table.value[which].mean()),
        first=day_text(int(day.min()) * DAY_MS),
        last=day_text(int(day.max()) * DAY_MS),
    )


def _floors(target: Target, learned: Learned, asked: Learned) -> dict[str, Figures | spend.SpendFigures]:
    if target.is_amount:
        amounts = spend.floors(learned.columns, learned.value, asked.columns)
        return {name: spend.figures(each, asked.value) for name, each in amounts.items()}
    said = chances.floors(learned.columns, learned.value, asked.columns)
    return {name: judge(each, asked.value) for name, each in said.items()}


def _notes(table: Table, target: Target, split: Split, parts: Sequence[Split]) -> list[str]:
    """What whoever reads the figures has to know."""
    return [*_of_learning(table, split, parts), *_of_rows(table, target, split), *_of_change(table, target, split)]


def _of_learning(table: Table, split: Split, parts: Sequence[Split]) -> Iterator[str]:
    still = _still(table, split)
    if still:
        listed = ", ".join(still[:4]) + (f" and {len(still) - 4} more" if len(still) > 4 else "")
        have = "has" if len(still) == 1 else "have"
        yield (
            f"{len(still)} of {len(MODEL_COLUMNS)} columns {have} one value in all learned rows ({listed}): the "
            "history has nothing of the kind, so models know nothing of it."
        )
    if not parts:
        yield (
            "The time before the split is too short for cross-validation: usual settings were taken, and the first "
            "model is the chosen one. Choose a later --from, or give a longer history."
        )


def _of_rows(table: Table, target: Target, split: Split) -> Iterator[str]:
    if not settled(table.rows, target.outcome, table.last_ms)[split.judged].all():
        yield NOT_EVERYBODY
    if table.one_in > 1:
        yield f"One customer in {table.one_in} was kept, as --rows asks; --rows takes more."
    if table.late_rows:
        rest = "row rests" if table.late_rows == 1 else "rows rest"
        yield f"{table.late_rows:,} {rest} on events that came later than their day: online would have known less."


def _of_change(table: Table, target: Target, split: Split) -> Iterator[str]:
    changed = table.value[split.judged].mean() / table.value[split.learned].mean()
    if not 1 / CHANGED < changed < CHANGED:
        yield (
            f"{target.outcome.name} is {changed:.2f} times as {'much' if target.is_amount else 'frequent'} after the "
            "split as before it: what was right before is off after it."
        )


def _still(table: Table, split: Split) -> list[str]:
    places = set(moving(table.rows.columns[split.learned]).tolist())
    return [name for place, name in enumerate(MODEL_COLUMNS) if place not in places]


def _document(
    name: str, target: Target, table: Table, model: Model | TwoStage, until_ms: int, rows: int
) -> TrainedDocument:
    known: dict[str, Any] = {
        "name": target.outcome.name,
        "version": f"{name}-{day_text(until_ms)}-{table.data_hash[:8]}",
        "layout": LAYOUT,
        "trained_until_ms": until_ms,
        "rows": rows,
        "data_hash": table.data_hash,
    }
    match model:
        case LinearModel():
            return TrainedLinear(**known, model=model)
        case TreeModel():
            return TrainedTrees(**known, model=model)
        case TwoStage(LinearModel() as reached, LinearModel() as log_amount, smearing):
            return SpendLinear(**known, reached=reached, log_amount=log_amount, smearing=smearing)
        case TwoStage(TreeModel() as reached, TreeModel() as log_amount, smearing):
            return SpendTrees(**known, reached=reached, log_amount=log_amount, smearing=smearing)
        case _:
            raise TypeError(f"{name} has stages of two kinds")
