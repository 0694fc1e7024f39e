"""What a dashboard is made of, as data: panels with their queries and what they mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["graph", "stacked", "number", "names"]

RATE = "[$__rate_interval]"
"""What rates are taken over: Grafana's own choice, some scrapes long."""


@dataclass(frozen=True)
class Query:
    """A PromQL expression and how its series are named; `{{label}}` is the value of a label."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: of the panel.
        meaning: what it tells, and what to do when it looks wrong.
        queries: drawn together.
        unit: a unit of Grafana, such as `s` or `short`.
        kind: lines over time, areas on top of each other, the latest number, or the names of the series of now.
        warns_at: from here on a number is orange.
        alarms_at: from here on it is red.
        alarms_below: below this it is red.
        is_signed: whether a graph goes below zero.
    """

    title: str
    meaning: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "graph"
    warns_at: float | None = None
    alarms_at: float | None = None
    alarms_below: float | None = None
    is_signed: bool = False


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Choice:
    """A variable whose values are those of a label; all of them at first, or the one in `first`."""

    name: str
    label: str
    values_of: str
    first: str = ""


@dataclass(frozen=True)
class Constant:
    """A variable with a number in it, to be changed where the number is another one."""

    name: str
    label: str
    value: str


@dataclass(frozen=True)
class Board:
    """A dashboard: its file is `<uid>.json`."""

    uid: str
    title: str
    meaning: str
    rows: tuple[Row, ...]
    variables: tuple[Choice | Constant, ...] = ()

    def panels(self) -> Iterator[Panel]:
        """All panels, from top to bottom."""
        for row in self.rows:
            yield from row.panels


def number(
    title: str,
    meaning: str,
    expression: str,
    unit: str = "short",
    *,
    warns_at: float | None = None,
    alarms_at: float | None = None,
    alarms_below: float | None = None,
) -> Panel:
    """A panel with the latest value of one expression."""
    return Panel(title, meaning, (Query(expression, title),), unit, "number", warns_at, alarms_at, alarms_below)


def graph(
    title: str,
    meaning: str,
    *queries: tuple[str, str],
    unit: str = "short",
    stacked: bool = False,
    is_signed: bool = False,
) -> Panel:
    """A panel of (expression, legend) pairs over time."""
    drawn = tuple(Query(expression, legend) for expression, legend in queries)
    return Panel(title, meaning, drawn, unit, "stacked" if stacked else "graph", is_signed=is_signed)


def names(title: str, meaning: str, *queries: tuple[str, str]) -> Panel:
    """A panel with the names of the series that (expression, legend) pairs have now."""
    return Panel(title, meaning, tuple(Query(expression, legend) for expression, legend in queries), kind="names")


def quantiles(metric: str, by: str = "", selector: str = "") -> tuple[tuple[str, str], ...]:
    """p50 and p99 of a histogram, per value of the label `by` where one is given."""
    grouped, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    rate = f"sum by ({grouped}) (rate({metric}_bucket{{{selector}}}{RATE}))"
    return tuple((f"histogram_quantile({share / 100:g}, {rate})", f"p{share}{legend}") for share in (50, 99))
