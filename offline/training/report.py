"""The report page of a training: what was asked, how good each model is, what it goes by, how it was found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from offline.backtest.figures import Figures
from offline.backtest.report import short
from offline.backtest.rows import FloatArray
from offline.report import plots
from offline.report.page import heading, note, page, table, text
from offline.report.page import plots as side_by_side
from offline.training.chances import Bounds, Chances
from offline.training.spend import SpendFigures, Spending
from offline.training.train import Judged, Metrics, Training

Judgement = TypeVar("Judgement", Chances, Spending)
Points = tuple[Sequence[float], Sequence[float]]

RULES = {
    "base_rate": "rule: base rate",
    "since_last_purchase": "rule: days since last purchase",
    "count_90d": "rule: decayed 90-day count",
    "mean": "rule: the mean for everybody",
    "share_of_past_spend": "rule: a share of past spend",
}
COEFFICIENTS, TRIES = 15, 10  # rows of tables


def html(training: Training) -> str:
    """The page."""
    metrics = training.metrics
    judged = metrics.judged
    what = f"mean {judged.mean:,.2f}" if metrics.is_amount else f"true for {100 * judged.mean:.1f} %"
    lead = (
        f"{metrics.in_words} · judged on {judged.rows:,} rows of {judged.customers:,} customers, {judged.first} to "
        f"{judged.last}, {what}"
    )
    return page(f"Training of {metrics.outcome}", lead, _parts(training))


def _parts(training: Training) -> Iterator[str]:
    metrics = training.metrics
    learned, (least, most) = metrics.learned, metrics.gap_days
    gap = f"{least}" if least == most else f"{least} to {most}"
    yield text(
        f"Models learned from {learned.rows:,} rows of {learned.customers:,} customers, {learned.first} to "
        f"{learned.last}, whose outcome was known on {metrics.split}; a row is known {gap} days after its day, and "
        "rows "
        "of that gap are left out. Everything below is about the rows that came later. Intervals are those of 95 % of "
        "200 shops with as many customers, drawn with repetition."
    )
    yield from map(note, metrics.notes)
    yield heading("How good")
    yield _spending_table(metrics) if metrics.is_amount else _chances_table(metrics)
    yield text(
        f"The chosen model is {metrics.models[metrics.chosen].title}: the least loss in cross-validation, in which the "
        "judged rows had no part. Rules are what a model has to beat."
    )
    yield from _spending_plots(training) if metrics.is_amount else _chances_plots(training)
    yield from _influences(metrics)
    yield from _searches(metrics)


def _of(metrics: Metrics, kind: type[Judgement]) -> Iterator[tuple[str, Judgement]]:
    """Title and judgement of each model."""
    for judged in metrics.models.values():
        if isinstance(judged.judgement, kind):
            yield judged.title, judged.judgement


def _chosen(metrics: Metrics) -> Judged:
    return metrics.models[metrics.chosen]


def _bounded(figure: float, bounds: Bounds | None) -> str:
    return short(figure) + (f"\n{short(bounds.low)} to {short(bounds.high)}" if bounds else "\n ")


def _chances_table(metrics: Metrics) -> str:
    head = ["", "AUC", "PR AUC", "log loss", "Brier", "ECE", "accuracy", "precision", "recall", "F1"]
    rows = []
    for title, judgement in _of(metrics, Chances):
        figures = {name: getattr(judgement.figures, name) for name in Figures.__struct_fields__}
        decided = {name: getattr(judgement.decided, name) for name in ("accuracy", "precision", "recall", "f1")}
        both = figures | decided
        rows.append([title, *(_bounded(figure, judgement.intervals.get(name)) for name, figure in both.items())])
    for name, floor in metrics.floors.items():
        if isinstance(floor, Figures):
            cells = [short(getattr(floor, each)) for each in Figures.__struct_fields__]
            rows.append([RULES[name], *cells, "", "", "", ""])
    said = text(
        "Accuracy, precision, recall and F1 take a probability of .5 or more for a yes. ECE is the distance of "
        "probabilities from frequencies."
    )
    return table(head, rows, _chosen(metrics).title) + said


def _chances_plots(training: Training) -> Iterator[str]:
    metrics = training.metrics
    titles = {name: judged.title for name, judged in metrics.models.items()}
    each = dict(_of(metrics, Chances))
    calibrated = {
        title: ([b.probability for b in judged.reliability], [b.frequency for b in judged.reliability])
        for title, judged in each.items()
    }
    gains = {title: ([0, *(g.share for g in j.gain)], [0, *(g.gain for g in j.gain)]) for title, j in each.items()}
    roc = {titles[name]: _roc(said, training.value) for name, said in training.said.items()}
    precision = {titles[name]: _precision(said, training.value) for name, said in training.said.items()}
    chosen, base = training.said[metrics.chosen], metrics.judged.mean
    yield heading("Are the probabilities right?")
    yield side_by_side(
        plots.lines(
            calibrated, title="Reliability", x="mean probability of a tenth", y="came true", even=([0, 1], [0, 1]),
            dots=True,
        ),
        plots.histogram(
            {"came true": chosen[training.value > 0], "did not": chosen[training.value == 0]},
            title=f"What {_chosen(metrics).title} says", x="probability",
        ),
    )  # fmt: skip
    yield heading("Who is reached?")
    yield side_by_side(
        plots.lines(
            gains, title="Gain", x="share of the rows asked, most probable first", y="share of all that came true",
            even=([0, 1], [0, 1]),
        ),
        plots.lines(
            precision, title="Precision and recall", x="recall", y="precision", even=([0, 1], [base, base]),
        ),
        plots.lines(roc, title="ROC", x="false positive rate", y="true positive rate", even=([0, 1], [0, 1])),
    )  # fmt: skip
    yield heading(f"Lift and gain of {_chosen(metrics).title}", 3)
    judgement = _chosen(metrics).judgement
    if isinstance(judgement, Chances):
        yield table(
            ["asked", "probability from", "came true among them", "lift", "gain"],
            [
                [
                    f"{100 * g.share:.0f} %", short(g.from_probability), f"{100 * g.precision:.1f} %",
                    f"{g.lift:.2f}", f"{100 * g.gain:.1f} %",
                ]
                for g in judgement.gain
            ],
        )  # fmt: skip
        yield heading(f"Calibration of {_chosen(metrics).title}", 3)
        yield table(
            ["rows", "mean probability", "came true"],
            [[f"{b.rows:,}", short(b.probability), short(b.frequency)] for b in judgement.reliability],
        )


def _roc(said: FloatArray, value: FloatArray) -> Points:
    ones, zeros = _running(said, value)
    return plots.thinned(np.append(0, zeros / zeros[-1]), np.append(0, ones / ones[-1]))


def _precision(said: FloatArray, value: FloatArray) -> Points:
    ones, zeros = _running(said, value)
    some = ones >= min(20.0, ones[-1])  # before so many the curve is noise
    return plots.thinned((ones / ones[-1])[some], (ones / (ones + zeros))[some])


def _running(said: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How many ones and zeros have at least each probability."""
    levels, place = np.unique(-said, return_inverse=True)
    ones, rows = (np.cumsum(np.bincount(place, each, len(levels)) * 1.0) for each in (value, np.ones(len(value))))
    return ones, rows - ones


def _spending_table(metrics: Metrics) -> str:
    head = ["", "MAE", "RMSE", "deviance", "Gini", "bias", "decile error"]
    rows = []
    for title, judgement in _of(metrics, Spending):
        rows.append([title, *_spend_cells(judgement.figures, judgement.intervals)])
    for name, floor in metrics.floors.items():
        if isinstance(floor, SpendFigures):
            rows.append([RULES[name], *(cell.split("\n")[0] for cell in _spend_cells(floor, {}))])
    said = text(
        "MAE and RMSE are in units of the currency; Gini is 1 where the order of predictions is that of amounts; "
        "bias is "
        "by how much the sum of predictions is too high; the decile error is the distance of tenths of the rows from "
        "what "
        "they spent, as a share of it. Deviance is Tweedie's, of power 1.5."
    )
    return table(head, rows, _chosen(metrics).title) + said


def _spend_cells(figures: SpendFigures, intervals: Mapping[str, Bounds]) -> Iterator[str]:
    for name in SpendFigures.__struct_fields__:
        show = "{:,.2f}" if name in ("mae", "rmse", "deviance") else "{:.3f}"
        bounds = intervals.get(name)
        below = f"{show.format(bounds.low)} to {show.format(bounds.high)}" if bounds else " "
        yield f"{show.format(getattr(figures, name))}\n{below}"


def _spending_plots(training: Training) -> Iterator[str]:
    metrics = training.metrics
    titles = {name: judged.title for name, judged in metrics.models.items()}
    deciles = {
        title: ([d.predicted for d in judged.deciles], [d.spent for d in judged.deciles])
        for title, judged in _of(metrics, Spending)
    }
    reached = {titles[name]: _concentration(said, training.value) for name, said in training.said.items()}
    reached["the best order"] = _concentration(training.value, training.value)
    yield heading("Are the amounts right, and in the right order?")
    yield side_by_side(
        plots.pairs(deciles, title="Tenths of the rows", x="mean prediction", y="mean amount"),
        plots.lines(
            reached, title="Who spends", x="share of the rows, highest prediction first", y="share of all spend",
            even=([0, 1], [0, 1]),
        ),
    )  # fmt: skip
    judgement = _chosen(metrics).judgement
    if isinstance(judgement, Spending):
        yield heading(f"Tenths by {_chosen(metrics).title}", 3)
        yield table(
            ["rows", "mean prediction", "mean amount"],
            [[f"{d.rows:,}", f"{d.predicted:,.2f}", f"{d.spent:,.2f}"] for d in judgement.deciles],
        )


def _concentration(said: FloatArray, value: FloatArray) -> Points:
    order = np.argsort(-said, kind="stable")
    taken = np.arange(len(said) + 1) / len(said)
    return plots.thinned(taken, np.append(0, np.cumsum(value[order]) / value.sum()))


def _influences(metrics: Metrics) -> Iterator[str]:
    loss = "deviance" if metrics.is_amount else "log loss"
    yield heading("What the models go by")
    yield text(
        f"How much the {loss} grows when the rows exchange a concept, or a column, at random. Columns share what "
        "they know: "
        "one that another can stand in for looks small. What a model goes by is no cause."
    )
    for judged in metrics.models.values():
        title = f"{judged.title}: "
        yield side_by_side(
            plots.bars(judged.importance.by_concept, title=f"{title}concepts", x=f"growth of the {loss}"),
            plots.bars(judged.importance.by_column, title=f"{title}columns", x=f"growth of the {loss}", most=12),
        )
    yield heading("As one feature changes", 3)
    yield text(
        "The mean of what a model says when every row has this value of the feature, the others held as they are. A "
        "regression weighs features that say nearly the same against each other: alone each looks steeper than it is."
    )
    shown = [
        (
            curve.feature,
            curve.unit,
            {j.title: (j.curves[place].values, j.curves[place].said) for j in metrics.models.values()},
        )
        for place, curve in enumerate(_chosen(metrics).curves)
    ]
    if shown:
        y = "mean prediction" if metrics.is_amount else "mean probability"
        yield side_by_side(plots.small_curves(shown, y=y))
    for judged in metrics.models.values():
        if judged.coefficients:
            what = "the logarithm of the amount" if metrics.is_amount else "the logit"
            yield heading(f"Coefficients of {judged.title}", 3)
            yield text(f"What one standard deviation more of a column adds to {what}; the largest of them.")
            yield table(
                ["column", "weight", "mean", "standard deviation"],
                [
                    [c.column, f"{c.weight:+.3f}", f"{c.mean:.3f}", f"{c.deviation:.3f}"]
                    for c in judged.coefficients[:COEFFICIENTS]
                ],
            )


def _searches(metrics: Metrics) -> Iterator[str]:
    yield heading("How they were found")
    if not metrics.blocks:
        return
    yield text(
        f"Cross-validation by {len(metrics.blocks)} blocks of time, which begin on {', '.join(metrics.blocks)}: each "
        "is "
        "judged by a model of what was known when it began. The loss is the mean over their rows."
    )
    for judged in metrics.models.values():
        tries = sorted(judged.search.tries, key=lambda each: each.loss)
        names = list(judged.search.settings)
        yield heading(f"{judged.title}: {len(tries)} settings", 3)
        yield table(
            [*names, *(f"block {n}" for n in range(1, len(metrics.blocks) + 1)), "loss"],
            [
                [*(f"{each.settings[n]:g}" for n in names), *(f"{x:.4f}" for x in (*each.losses, each.loss))]
                for each in tries[:TRIES]
            ],
        )
