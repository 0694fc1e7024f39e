"""Plots as SVG: one function a figure, numbers in, text out. Equal numbers give equal text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.errors import OfflineError

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter
except ModuleNotFoundError:  # it comes with the extra `offline`
    Figure = None  # type: ignore[assignment,misc]

FloatArray = NDArray[np.float64]

COLOURS = (
    "#1f5fa8", "#c8551b", "#2c8a57", "#7a4aa0", "#b8860b", "#4d4d4d", "#17a2b8", "#c2185b", "#7cb342", "#8d6e63",
    "#3949ab", "#e08283",
)  # fmt: skip
INK, PALE = "#22272e", "#c4cad2"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "ebb",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": "#e6e9ed",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
_POINTS = 200  # of a curve: more than a screen shows


def require_matplotlib() -> None:
    """See that plots can be made.

    Raises:
        OfflineError: matplotlib is not installed.
    """
    if Figure is None:
        raise OfflineError("A report needs matplotlib, which is not installed. Run `pip install 'ebb[offline]'`.")


class _Drawing:
    """A figure while it is drawn; `svg` once it is."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height), layout="constrained")
        self.svg = ""

    def axes(self, title: str = "", rows: int = 1, columns: int = 1, place: int = 1) -> Any:
        """A place to draw in."""
        axes = self.figure.add_subplot(rows, columns, place)
        axes.set_title(title)
        return axes


@contextmanager
def _drawing(width: float, height: float) -> Iterator[_Drawing]:
    with mpl.rc_context(_STYLE):
        drawing = _Drawing(width, height)
        yield drawing
        written = StringIO()
        drawing.figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    drawing.svg = _inline(written.getvalue())


def _inline(svg: str) -> str:
    """The element alone, as wide as the page lets it be."""
    element = svg[svg.index("<svg") :]
    return re.sub(r"<svg[^>]*>", _sized, element, count=1)


def _sized(found: re.Match[str]) -> str:
    """The opening tag without its size in points, whose attributes come in another order from matplotlib 3.11 on."""
    points = dict(re.findall(r' (width|height)="([\d.]+)pt"', found[0]))
    bare = re.sub(r' (?:width|height)="[\d.]+pt"', "", found[0])
    return f'{bare[:-1]} style="width: {float(points["width"]) * 4 / 3:.0f}px">'


def lines(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
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
    with _drawing(4.6, 3.9) as drawing:
        axes = drawing.axes(title)
        if even:
            axes.plot(*even, color=PALE, linestyle="--", linewidth=1.2)
        for (name, (along, up)), colour in zip(curves.items(), _colours(), strict=False):
            axes.plot(along, up, color=colour, label=name, linewidth=1.6, marker="o" if dots else None, markersize=3.5)
        if limits:
            axes.set_xlim(limits[0] - 0.01, limits[1] + 0.01)
            axes.set_ylim(limits[0] - 0.01, limits[1] + 0.01)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        if len(curves) > 1:
            axes.legend(loc="best")
    return drawing.svg


def bars(figures: Mapping[str, float], *, title: str, x: str, most: int = 15) -> str:
    """Horizontal bars, in the order given, the first on top; those below zero in another colour."""
    shown = dict(list(figures.items())[:most])
    with _drawing(4.8, 0.9 + 0.24 * max(len(shown), 2)) as drawing:
        drawing.figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        axes = drawing.axes()
        values = list(shown.values())
        axes.barh(range(len(shown)), values, color=[COLOURS[0] if v >= 0 else COLOURS[1] for v in values], height=0.66)
        axes.set_yticks(range(len(shown)), labels=list(shown))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(x)
    return drawing.svg


def small_curves(
    panels: Sequence[tuple[str, str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]], *, y: str
) -> str:
    """Many small figures beside each other that share their y axis.

    Args:
        panels: of each its title, what its x axis says, and its curves by name.
        y: what the y axis says.
    """
    columns = 3
    rows = -(-len(panels) // columns)
    with _drawing(9.4, 2.5 * rows) as drawing:
        first = None
        for place, (title, x, curves) in enumerate(panels, start=1):
            axes = drawing.figure.add_subplot(rows, columns, place, sharey=first)
            first = first or axes
            axes.set_title(title, fontsize=8.5)
            for (name, (along, up)), colour in zip(curves.items(), _colours(), strict=False):
                axes.plot(along, up, color=colour, label=name, linewidth=1.4)
            if _is_wide(curves.values()):
                axes.set_xscale("symlog", linthresh=1)
                axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xlabel(x, fontsize=8)
            if (place - 1) % columns == 0:
                axes.set_ylabel(y)
        if first is not None and len(panels[0][2]) > 1:
            first.legend(loc="best", fontsize=7.5)
    return drawing.svg


def pairs(figures: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, title: str, x: str, y: str) -> str:
    """Predicted beside real, both on a logarithmic axis, with the diagonal where they are equal."""
    every = [value for along, up in figures.values() for value in (*along, *up) if value > 0]
    low, high = (min(every), max(every)) if every else (0.1, 1.0)
    with _drawing(4.6, 3.9) as drawing:
        axes = drawing.axes(title)
        axes.plot([low, high], [low, high], color=PALE, linestyle="--", linewidth=1.2)
        for (name, (along, up)), colour in zip(figures.items(), _colours(), strict=False):
            axes.plot(along, up, color=colour, label=name, linewidth=1.4, marker="o", markersize=3.5)
        for axis in (axes.xaxis, axes.yaxis):
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            _plain_ticks(axis)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend(loc="best")
    return drawing.svg


def scatter(
    groups: Mapping[str, tuple[FloatArray, FloatArray]], *, title: str, x: str, y: str, wide: bool = True
) -> str:
    """Points of groups; the y axis is logarithmic from 1 on, and so is the x axis if it is `wide`."""
    with _drawing(4.6, 4.4) as drawing:
        axes = drawing.axes(title)
        for (name, (along, up)), colour in zip(groups.items(), _colours(), strict=False):
            axes.scatter(along, up, s=5, color=colour, alpha=0.6, linewidths=0, label=name)
        if wide:
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter("{x:g}")
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        drawing.figure.legend(loc="outside lower center", ncols=2, fontsize=7.5, markerscale=2)
    return drawing.svg


def histogram(groups: Mapping[str, FloatArray], *, title: str, x: str) -> str:
    """How values are spread, group by group, each as shares of its own rows."""
    with _drawing(4.6, 3.9) as drawing:
        axes = drawing.axes(title)
        for (name, values), colour in zip(groups.items(), _colours(), strict=False):
            weights = np.full(len(values), 100 / max(len(values), 1))
            axes.hist(values, bins=np.linspace(0, 1, 26), weights=weights, color=colour, alpha=0.55, label=name)
        axes.set_xlabel(x)
        axes.set_ylabel("% of the group's rows")
        axes.legend(loc="best")
    return drawing.svg


def thinned(along: FloatArray, up: FloatArray) -> tuple[list[float], list[float]]:
    """At most `_POINTS` points of a curve, the first and the last among them.

    >>> thinned(np.arange(3.0), np.arange(3.0))
    ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    """
    at = np.unique(np.linspace(0, len(along) - 1, _POINTS).astype(np.int64))
    return along[at].tolist(), up[at].tolist()


def _plain_ticks(axis: Any) -> None:
    """Numbers at 1, 2 and 5 of a logarithmic axis, and no powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _is_wide(curves: Any) -> bool:
    """Whether values on the x axis differ by more than a linear axis shows."""
    along = [value for values, _ in curves for value in values]
    return bool(along) and min(along) >= 0 and max(along) > 20 * max(float(np.median(along)), 1e-9)


def _colours() -> Iterator[str]:
    while True:
        yield from COLOURS
