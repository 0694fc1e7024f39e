"""The part of a report page about amounts: how good, how right, in what order."""

from collections.abc import Iterator, Mapping

from offline.backtest.rows import FloatArray
from offline.report import plots
from offline.report.page import heading, table, text
from offline.report.page import plots as side_by_side
from offline.training.chances import Bounds
from offline.training.metrics import Metrics
from offline.training.ranking import reached
from offline.training.report_parts import RULES, Points, chosen_of, judgements
from offline.training.spend import SpendFigures, Spending
from offline.training.train import Training
from schemas.money import amount_format

_SHOWN = {"deviance": ",.2f", "gini": "z.3f", "bias": "+.1%", "decile_error": ".1%"}  # what is no amount


def figures(metrics: Metrics) -> str:
    """The table of all models and rules, and what its columns mean."""
    head = ["", "MAE", "RMSE", "deviance", "Gini", "bias", "decile error"]
    rows = []
    for title, judgement in judgements(metrics, Spending):
        rows.append([title, *_spend_cells(judgement.figures, judgement.intervals, metrics.currency)])
    for name, floor in metrics.floors.items():
        if isinstance(floor, SpendFigures):
            rows.append([RULES[name], *(cell.split("\n")[0] for cell in _spend_cells(floor, {}, metrics.currency))])
    said = text(
        f"MAE and RMSE are in {metrics.currency}; Gini is 1 where the order of predictions is that of amounts; "
        "bias is by how much the sum of predictions is too high; the decile error is the distance of tenths of the "
        "rows from what they spent, as a share of it. Deviance is Tweedie's, of power 1.5."
    )
    return table(head, rows, chosen_of(metrics).title) + said


def _spend_cells(figures: SpendFigures, intervals: Mapping[str, Bounds], currency: str) -> Iterator[str]:
    for name in SpendFigures.__struct_fields__:
        form = _SHOWN.get(name, amount_format(currency))
        bounds = intervals.get(name)
        below = f"{bounds.low:{form}} to {bounds.high:{form}}" if bounds else " "
        yield f"{getattr(figures, name):{form}}\n{below}"


def plotted(training: Training) -> Iterator[str]:
    """Plots of all models, and tables of the chosen one."""
    metrics = training.metrics
    titles = {name: judged.title for name, judged in metrics.models.items()}
    deciles = {
        title: ([d.predicted for d in judged.deciles], [d.spent for d in judged.deciles])
        for title, judged in judgements(metrics, Spending)
    }
    found = {titles[name]: _concentration(said, training.value) for name, said in training.said.items()}
    found["the best order"] = _concentration(training.value, training.value)
    prediction, amount = (f"mean {each}, {metrics.currency}" for each in ("prediction", "amount"))
    yield heading("Are the amounts right, and in the right order?")
    yield side_by_side(
        plots.pairs(deciles, title="Tenths of the rows", x=prediction, y=amount),
        plots.lines(
            found, title="Who spends", x="share of the rows, highest prediction first", y="share of all spend",
            even=([0, 1], [0, 1]),
        ),
    )  # fmt: skip
    judgement, form = chosen_of(metrics).judgement, amount_format(metrics.currency)
    if isinstance(judgement, Spending):
        yield heading(f"Tenths by {chosen_of(metrics).title}", 3)
        yield table(
            ["rows", prediction, amount],
            [[f"{d.rows:,}", f"{d.predicted:{form}}", f"{d.spent:{form}}"] for d in judgement.deciles],
        )


def _concentration(said: FloatArray, value: FloatArray) -> Points:
    taken, spent = reached(said, value)
    return plots.thinned(taken / taken[-1], spent / spent[-1])
