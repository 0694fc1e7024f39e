"""Plots as SVG: one function a figure, numbers in, text out. Equal numbers give equal text."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from offline.backtest.rows import FloatArray
from offline.report.drawing import COLOURS, NUMBER, PALE, Curves, colours, drawing, plain_ticks

_POINTS = 200  # of a curve: more than a screen shows
_NAMES_BESIDE, _NAME_INCHES = 2, 0.16  # below points of groups: so many in a line, each so high


def lines(
    curves: Curves,
    *,
    title: str,
    x: str,
    y: str,
    even: tuple[Sequence[float], Sequence[float]] | None = None,
    dots: bool = False,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> str:
    """Curves in one figure, each under its name.

    Args:
        curves: name -> values of x and of y.
        title: above the figure.
        x, y: what the axes say.
        even: a curve to compare with, drawn pale.
        dots: whether points are marked.
        limits: of both axes, if they are shares.
    """
    with drawing(4.6, 3.9) as made:
        axes = made.axes(title)
        if even:
            axes.plot(*even, color=PALE, linestyle="--", linewidth=1.2)
        for (name, (along, up)), colour in zip(curves.items(), colours(), strict=False):
            axes.plot(along, up, color=colour, label=name, linewidth=1.6, marker="o" if dots else None, markersize=3.5)
        if limits:
            axes.set_xlim(limits[0] - 0.01, limits[1] + 0.01)
            axes.set_ylim(limits[0] - 0.01, limits[1] + 0.01)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        if len(curves) > 1:
            axes.legend(loc="best")
    return made.svg


def bars(figures: Mapping[str, float], *, title: str, x: str, most: int = 15) -> str:
    """Horizontal bars, in the order given, the first on top; those below zero in another colour."""
    shown = dict(list(figures.items())[:most])
    with drawing(4.8, 0.9 + 0.24 * max(len(shown), 2)) as made:
        made.figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        axes = made.axes()
        values = list(shown.values())
        axes.barh(range(len(shown)), values, color=[COLOURS[0] if v >= 0 else COLOURS[1] for v in values], height=0.66)
        axes.set_yticks(range(len(shown)), labels=list(shown))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.locator_params("x", nbins=3)  # four ticks: long names leave no room for more
        axes.xaxis.set_major_formatter(NUMBER)
        axes.set_xlabel(x)
    return made.svg


def pairs(figures: Curves, *, title: str, x: str, y: str) -> str:
    """Predicted beside real, both on a logarithmic axis, with the diagonal where they are equal."""
    every = [value for along, up in figures.values() for value in (*along, *up) if value > 0]
    low, high = (min(every), max(every)) if every else (0.1, 1.0)
    with drawing(4.6, 3.9) as made:
        axes = made.axes(title)
        axes.plot([low, high], [low, high], color=PALE, linestyle="--", linewidth=1.2)
        for (name, (along, up)), colour in zip(figures.items(), colours(), strict=False):
            axes.plot(along, up, color=colour, label=name, linewidth=1.4, marker="o", markersize=3.5)
        for axis in (axes.xaxis, axes.yaxis):
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            plain_ticks(axis)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend(loc="best")
    return made.svg


def scatter(
    groups: Mapping[str, tuple[FloatArray, FloatArray]], *, title: str, x: str, y: str, wide: bool = True
) -> str:
    """Points of groups; the y axis is logarithmic from 1 on, and so is the x axis if it is `wide`."""
    names = ceil(len(groups) / _NAMES_BESIDE) * _NAME_INCHES
    with drawing(4.6, max(4.4, 3.6 + names)) as made:
        axes = made.axes(title)
        for (name, (along, up)), colour in zip(groups.items(), colours(), strict=False):
            axes.scatter(along, up, s=5, color=colour, alpha=0.6, linewidths=0, label=name)
        if wide:
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter(NUMBER)
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter(NUMBER)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        made.figure.legend(loc="outside lower center", ncols=_NAMES_BESIDE, fontsize=7.5, markerscale=2)
    return made.svg


def histogram(groups: Mapping[str, FloatArray], *, title: str, x: str) -> str:
    """How values are spread, group by group, each as shares of its own rows."""
    with drawing(4.6, 3.9) as made:
        axes = made.axes(title)
        for (name, values), colour in zip(groups.items(), colours(), strict=False):
            weights = np.full(len(values), 100 / max(len(values), 1))
            axes.hist(values, bins=np.linspace(0, 1, 26), weights=weights, color=colour, alpha=0.55, label=name)
        axes.set_xlabel(x)
        axes.set_ylabel("% of the group's rows")
        made.figure.legend(loc="outside lower center", ncols=2)  # inside it lies over bars
    return made.svg


def thinned(along: FloatArray, up: FloatArray) -> tuple[list[float], list[float]]:
    """At most `_POINTS` points of a curve, the first and the last among them.

    >>> thinned(np.arange(3.0), np.arange(3.0))
    ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    """
    at = np.unique(np.linspace(0, len(along) - 1, _POINTS).astype(np.int64))
    return along[at].tolist(), up[at].tolist()
