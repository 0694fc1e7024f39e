"""The part of a report page about probabilities: how good, how right, who is reached."""

from collections.abc import Iterator

import numpy as np

from offline.backtest.figures import Figures
from offline.backtest.report import short
from offline.backtest.rows import FloatArray
from offline.report import plots
from offline.report.page import heading, table, text
from offline.report.page import plots as side_by_side
from offline.training.chances import Bounds, Chances
from offline.training.metrics import Metrics
from offline.training.report_parts import RULES, Points, chosen_of, judgements
from offline.training.train import Training


def figures(metrics: Metrics) -> str:
    """The table of all models and rules, and what its columns mean."""
    head = ["", "AUC", "PR AUC", "log loss", "Brier", "ECE", "accuracy", "precision", "recall", "F1"]
    rows = []
    for title, judgement in judgements(metrics, Chances):
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
    return table(head, rows, chosen_of(metrics).title) + said


def plotted(training: Training) -> Iterator[str]:
    """Plots of all models, and tables of the chosen one."""
    yield heading("Are the probabilities right?")
    yield _rightness(training)
    yield heading("Who is reached?")
    yield _reach(training)
    judgement = chosen_of(training.metrics).judgement
    if isinstance(judgement, Chances):
        yield from _tables(chosen_of(training.metrics).title, judgement)


def _rightness(training: Training) -> str:
    """Probabilities beside frequencies, and how the chosen model spreads them."""
    metrics, chosen = training.metrics, training.said[training.metrics.chosen]
    calibrated = {
        title: ([b.probability for b in judged.reliability], [b.frequency for b in judged.reliability])
        for title, judged in judgements(metrics, Chances)
    }
    return side_by_side(
        plots.lines(
            calibrated, title="Reliability", x="mean probability of a tenth", y="came true", even=([0, 1], [0, 1]),
            dots=True,
        ),
        plots.histogram(
            {"came true": chosen[training.value > 0], "did not": chosen[training.value == 0]},
            title=f"What {chosen_of(metrics).title} says", x="probability",
        ),
    )  # fmt: skip


def _reach(training: Training) -> str:
    """How many of those it comes true for are reached by asking the most probable first."""
    metrics = training.metrics
    titles = {name: judged.title for name, judged in metrics.models.items()}
    gains = {
        title: ([0, *(g.share for g in judged.gain)], [0, *(g.gain for g in judged.gain)])
        for title, judged in judgements(metrics, Chances)
    }
    roc = {titles[name]: _roc(said, training.value) for name, said in training.said.items()}
    precision = {titles[name]: _precision(said, training.value) for name, said in training.said.items()}
    base = metrics.judged.mean
    return side_by_side(
        plots.lines(
            gains, title="Gain", x="share of the rows asked, most probable first", y="share of all that came true",
            even=([0, 1], [0, 1]),
        ),
        plots.lines(
            precision, title="Precision and recall", x="recall", y="precision", even=([0, 1], [base, base]),
        ),
        plots.lines(roc, title="ROC", x="false positive rate", y="true positive rate", even=([0, 1], [0, 1])),
    )  # fmt: skip


def _tables(title: str, judgement: Chances) -> Iterator[str]:
    yield heading(f"Lift and gain of {title}", 3)
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
    yield heading(f"Calibration of {title}", 3)
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


def _bounded(figure: float, bounds: Bounds | None) -> str:
    return short(figure) + (f"\n{short(bounds.low)} to {short(bounds.high)}" if bounds else "\n ")
