"""What plots are drawn on: a figure that becomes SVG, its colours and how its axes say numbers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

from stream.errors import OfflineError

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter
except ModuleNotFoundError:  # it comes with the extra `offline`
    Figure = None  # type: ignore[assignment,misc]

Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""Name -> values of x and of y."""

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
NUMBER = "{x:,.10g}"  # of ticks: no power of ten below ten digits


def require_matplotlib() -> None:
    """See that plots can be made.

    Raises:
        OfflineError: matplotlib is not installed.
    """
    if Figure is None:
        raise OfflineError("A report needs matplotlib, which is not installed. Run `pip install 'ebb[offline]'`.")


class Drawing:
    """A figure while it is drawn; `svg` once it is."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height), layout="constrained")
        self.svg = ""

    def axes(self, title: str = "") -> Any:
        """A place to draw in."""
        axes = self.figure.add_subplot()
        axes.set_title(title)
        return axes


@contextmanager
def drawing(width: float, height: float) -> Iterator[Drawing]:
    """A figure of so many inches to draw in."""
    with mpl.rc_context(_STYLE):
        made = Drawing(width, height)
        yield made
        written = StringIO()
        made.figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    made.svg = _inline(written.getvalue())


def _inline(svg: str) -> str:
    """The element alone, as wide as the page lets it be."""
    element = svg[svg.index("<svg") :]
    return re.sub(r"<svg[^>]*>", _sized, element, count=1)


def _sized(found: re.Match[str]) -> str:
    """The opening tag without its size in points, whose attributes come in another order from matplotlib 3.11 on."""
    points = dict(re.findall(r' (width|height)="([\d.]+)pt"', found[0]))
    bare = re.sub(r' (?:width|height)="[\d.]+pt"', "", found[0])
    return f'{bare[:-1]} style="width: {float(points["width"]) * 4 / 3:.0f}px">'


def plain_ticks(axis: Any) -> None:
    """Numbers at 1, 2 and 5 of a logarithmic axis, and no powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(NUMBER)
    axis.set_minor_formatter(NullFormatter())


def colours() -> Iterator[str]:
    """Those of curves or groups, in their order, and again."""
    while True:
        yield from COLOURS
