"""The report page of a training: what was asked, how good each model is, what it goes by, how it was found."""

from collections.abc import Iterator

from offline.report import plots
from offline.report.drawing import colours
from offline.report.page import heading, legend, note, page, table, text
from offline.report.page import plots as side_by_side
from offline.report.small_curves import Panel, small_curves
from offline.training import report_amounts as amounts
from offline.training import report_probabilities as probabilities
from offline.training.metrics import Judged, Metrics
from offline.training.report_parts import chosen_of
from offline.training.train import Training
from schemas.money import amount_format
from stream.features.model_columns import MAJOR

COEFFICIENTS, TRIES = 15, 10  # rows of tables


def html(training: Training) -> str:
    """The page."""
    metrics = training.metrics
    judged = metrics.judged
    what = (
        f"mean {judged.mean:{amount_format(metrics.currency)}} {metrics.currency}"
        if metrics.is_amount
        else f"true for {100 * judged.mean:.1f} %"
    )
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
        "rows of that gap are left out. Everything below is about the rows that came later. Intervals are those of "
        "95 % of 200 shops with as many customers, drawn with repetition."
    )
    yield from map(note, metrics.notes)
    yield heading("How good")
    yield amounts.figures(metrics) if metrics.is_amount else probabilities.figures(metrics)
    yield text(
        f"The chosen model is {metrics.models[metrics.chosen].title}, {metrics.how_chosen}. The judged rows had no "
        "part in that. Rules are what a model has to beat."
    )
    yield from amounts.plotted(training) if metrics.is_amount else probabilities.plotted(training)
    yield from _influences(metrics)
    yield from _searches(metrics)


def _influences(metrics: Metrics) -> Iterator[str]:
    loss, share = ("deviance", metrics.currency) if metrics.is_amount else ("log loss", "logits")
    yield heading("What the models go by")
    yield text(
        f"How much the {loss} grows when the rows exchange a concept, or a column, at random. Columns share what "
        "they know: one that another can stand in for looks small. Beside it, how much a concept adds or takes off on "
        f"average, in {share}: its Shapley share in what is said of a row, compared with the mean row learned from. "
        "What a model goes by is no cause."
    )
    for judged in metrics.models.values():
        title = f"{judged.title}: "
        yield side_by_side(
            plots.bars(judged.importance.by_concept, title=f"{title}concepts", x=f"growth of the {loss}"),
            plots.bars(judged.shares, title=f"{title}shares of concepts", x=f"mean size, {share}"),
            plots.bars(judged.importance.by_column, title=f"{title}columns", x=f"growth of the {loss}", most=12),
        )
    yield from _curves(metrics)
    for judged in metrics.models.values():
        if judged.coefficients:
            yield from _coefficients(judged, is_amount=metrics.is_amount)


def _curves(metrics: Metrics) -> Iterator[str]:
    yield heading("As one feature changes", 3)
    yield text(
        "The mean of what a model says when every row has this value of the feature, the others held as they are. A "
        "regression weighs features that say nearly the same against each other: alone each looks steeper than it is. "
        "All panels have the same axis, on which the chosen model can be read; where a curve leaves it, how low and "
        "how high it goes stands below the panel."
    )
    panels = [
        Panel(
            curve.feature,
            curve.unit,
            {j.title: (j.curves[place].values, j.curves[place].said) for j in metrics.models.values()},
        )
        for place, curve in enumerate(chosen_of(metrics).curves)
    ]
    if panels:
        y = f"mean prediction, {metrics.currency}" if metrics.is_amount else "mean probability"
        chosen = chosen_of(metrics).title
        yield legend(dict(zip(panels[0].curves, colours(), strict=False)))
        yield side_by_side(*small_curves(panels, chosen=chosen, y=y, amounts=metrics.is_amount))


def _coefficients(judged: Judged, *, is_amount: bool) -> Iterator[str]:
    what = "the logarithm of the amount" if is_amount else "the logit"
    shown = judged.coefficients[:COEFFICIENTS]
    yield heading(f"Coefficients of {judged.title}", 3)
    yield text(f"What one standard deviation more of a column adds to {what}; the largest of them.")
    yield table(
        ["column", "weight", "mean", "standard deviation"],
        [[c.column, f"{c.weight:+.3f}", f"{c.mean:.3f}", f"{c.deviation:.3f}"] for c in shown],
    )
    if any(each.column.endswith("_minor") for each in shown):
        yield text(
            "Columns of money, log_…_minor, are logarithms of 1 + the amount in minor units "
            f"/ {MAJOR:.0f}, whatever the currency."
        )


def _searches(metrics: Metrics) -> Iterator[str]:
    if not metrics.blocks:
        return
    yield heading("How they were found")
    yield text(
        f"Cross-validation by {len(metrics.blocks)} blocks of time, which begin on {', '.join(metrics.blocks)}: each "
        "is judged by a model of what was known when it began. The loss is the mean over their rows."
    )
    for judged in metrics.models.values():
        tries = sorted(judged.search.tries, key=lambda each: each.loss)
        names = list(judged.search.settings)
        yield heading(f"{judged.title}: {len(tries)} {'try' if len(tries) == 1 else 'tries'}", 3)
        yield table(
            [*names, *(f"block {n}" for n in range(1, len(metrics.blocks) + 1)), "loss"],
            [
                [*(f"{each.settings[n]:g}" for n in names), *(f"{x:.4f}" for x in (*each.losses, each.loss))]
                for each in tries[:TRIES]
            ],
        )
