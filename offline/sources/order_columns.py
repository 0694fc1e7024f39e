"""A line table as columns of orders and of their lines, without an object for each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class Coded:
    """A column of text: each distinct one once.

    Attributes:
        code: the place of each row's among them.
        texts: shape (distinct texts,).
    """

    code: IntArray
    texts: NDArray[np.object_]

    def each(self, of: Callable[[str], object], kind: type[_Number]) -> NDArray[_Number]:
        """`of` of every row's text, asked once for each distinct one."""
        found: NDArray[_Number] = np.array([of(text) for text in self.texts.tolist()], kind)[self.code]
        return found


@dataclass(frozen=True)
class OrderColumns:
    """Orders in order of (time, event id), each with its lines in the order of the files.

    Attributes:
        lines: a line table (see `offline.sources.orders`).
        row: shape (lines,), the row in it of each line, one order's after another's.
        counts: shape (orders,), how many lines each has.
    """

    lines: pd.DataFrame
    row: NDArray[np.intp]
    counts: IntArray
    _coded: dict[str, Coded] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many orders."""
        return len(self.counts)

    @property
    def first(self) -> NDArray[np.intp]:
        """Shape (orders,), the row of each one's first line, which speaks for it."""
        firsts: NDArray[np.intp] = self.row[np.cumsum(self.counts) - self.counts]
        return firsts

    def part(self, begin: int, end: int) -> "OrderColumns":
        """The orders from `begin` until before `end`, or before the last."""
        end = min(end, len(self))
        past = np.concatenate([[0], np.cumsum(self.counts)])
        return OrderColumns(self.lines, self.row[past[begin] : past[end]], self.counts[begin:end], self._coded)

    def of_orders(self, name: str) -> Coded:
        """A column of texts, of orders."""
        return _coded(self.lines[name].take(self.first))

    def of_lines(self, name: str) -> Coded:
        """A column of texts, of lines; the texts are those of all lines there are."""
        if name not in self._coded:
            self._coded[name] = _coded(self.lines[name])
        whole = self._coded[name]
        return Coded(whole.code[self.row], whole.texts)

    def only(self, orders: NDArray[np.bool_]) -> "OrderColumns":
        """Some of the orders."""
        return OrderColumns(self.lines, self.row[np.repeat(orders, self.counts)], self.counts[orders], self._coded)

    @property
    def table(self) -> pd.DataFrame:
        """Their lines alone."""
        return self.lines.take(self.row)


def order_columns(lines: pd.DataFrame) -> OrderColumns:
    """The orders of usable lines. An id stands for one purchase and for one refund."""
    codes, ids = pd.factorize(lines["event_id"])
    order = codes * 2 + lines["refund"].to_numpy()  # a purchase comes before a refund of the same id and time
    _, first, order, counts = np.unique(order, return_index=True, return_inverse=True, return_counts=True)
    times_ms = lines["time_ms"].to_numpy()[first]
    names = np.array(ids.tolist(), object)[codes[first]]
    by_name = np.empty(len(names), np.int64)
    by_name[np.argsort(names, kind="stable")] = np.arange(len(names))
    sorted_ = np.lexsort((by_name, times_ms))
    rank = np.empty(len(sorted_), np.int64)
    rank[sorted_] = np.arange(len(sorted_))
    return OrderColumns(lines, np.argsort(rank[order], kind="stable"), counts[sorted_])


def _coded(column: "pd.Series[str]") -> Coded:
    codes, texts = pd.factorize(column)
    return Coded(codes.astype(np.int64), np.array(texts.tolist(), object))
