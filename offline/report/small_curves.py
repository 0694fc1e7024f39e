"""One curve a model in each of many small figures, all on one axis."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from offline.backtest.rows import FloatArray
from offline.report.drawing import NUMBER, Curves, colours, drawing, plain_ticks

DECADE = 10.0  # times the least value: from here on a linear axis flattens what is small
LONG_FROM, LONG_INTERVALS = 10_000, 2  # numbers of six characters and more: three of them fit beside each other
NEARLY_NOTHING = 1e-9  # stands for a zero, which a logarithmic axis has not


class Panel(NamedTuple):
    """One of many small figures: its title, what its x axis says, and its curves."""

    title: str
    x: str
    curves: Curves


def small_curves(panels: Sequence[Panel], *, chosen: str, y: str, amounts: bool) -> list[str]:
    """Many small figures with one y axis, on which the curves of one model can be read.

    Args:
        panels: what is in them.
        chosen: the name of that model. Curves of others that leave the axis are said to do so.
        y: what the y axis says.
        amounts: whether the axis may be logarithmic: it is where those curves differ by more than a linear one shows.
    """
    own = np.array([value for panel in panels for value in panel.curves[chosen][1]])
    logarithmic = amounts and 0 < DECADE * own.min() < own.max()
    every = np.array([value for panel in panels for _, up in panel.curves.values() for value in up])
    limits = _limits(own, every, logarithmic=logarithmic)
    return [_small(panel, limits, y=y, logarithmic=logarithmic) for panel in panels]


def _small(panel: Panel, limits: tuple[float, float], *, y: str, logarithmic: bool) -> str:
    beyond = _beyond(panel, limits)
    with drawing(3.1, 2.5 + 0.14 * len(beyond)) as made:
        axes = made.axes()
        axes.set_title(panel.title, fontsize=8.5)
        for (_, (along, up)), colour in zip(panel.curves.items(), colours(), strict=False):
            axes.plot(along, up, color=colour, linewidth=1.4)
        if _is_wide(panel.curves.values()):
            axes.set_xscale("symlog", linthresh=1)
        elif max(value for along, _ in panel.curves.values() for value in along) >= LONG_FROM:
            axes.locator_params(axis="x", nbins=LONG_INTERVALS)
        axes.xaxis.set_major_formatter(NUMBER)
        if logarithmic:
            axes.set_yscale("log")
            plain_ticks(axes.yaxis)
        else:
            axes.yaxis.set_major_formatter(NUMBER)
        axes.set_ylim(limits)
        axes.set_xlabel("\n".join([panel.x, *beyond]), fontsize=8)
        axes.set_ylabel(y, fontsize=8)
    return made.svg


def _limits(own: FloatArray, every: FloatArray, *, logarithmic: bool) -> tuple[float, float]:
    """The ends of an axis that shows all of `every`, but for what leaves too little of it to `own`."""
    if logarithmic:
        ends = _ends(np.log(own), np.log(np.maximum(every, NEARLY_NOTHING)), room=0.25)
        return float(np.exp(ends[0])), float(np.exp(ends[1]))
    return _ends(own, every, room=1.5)


def _ends(own: FloatArray, every: FloatArray, *, room: float) -> tuple[float, float]:
    """At most so much `room` on either side of `own`, in its heights: 1.5 leaves it a quarter of the axis."""
    beside = room * (own.max() - own.min())
    low, high = max(every.min(), own.min() - beside), min(every.max(), own.max() + beside)
    edge = max(0.04 * (high - low), 1e-3)  # a curve that does not move has an axis, too
    return float(low - edge), float(high + edge)


def _beyond(panel: Panel, limits: tuple[float, float]) -> list[str]:
    """Of each curve that leaves the axis from where to where it goes."""
    low, high = limits
    return [
        f"{name}: {_short(min(up))} to {_short(max(up))}"
        for name, (_, up) in panel.curves.items()
        if min(up) < low or max(up) > high
    ]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _is_wide(curves: Any) -> bool:
    """Whether values on the x axis differ by more than a linear axis shows."""
    along = [value for values, _ in curves for value in values]
    return bool(along) and min(along) >= 0 and max(along) > 20 * max(float(np.median(along)), 1e-9)
