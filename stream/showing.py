"""The views of a step: each customer as last decided in it, built once, at its end."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.actions.reasons import reasons_of
from stream.amounts import many_in_major_units
from stream.chunk import PartitionCustomers, RowArray, Rules
from stream.customers.segments import SEGMENTS
from stream.decisions import Asked, Decisions, valid_until_ms
from stream.outcomes.declaration import OUTCOMES
from stream.views import AlertState, Score, View, encode_views

SHOWN = (
    "since_last_purchase_days", "since_first_purchase_days", "purchase_days", "mean_gap_days", "purchases", "refunds",
    "decayed_count_90d", "discount_share", "refund_share",
)  # fmt: skip
"""Natural features a view shows under their own names."""

VIEW_FEATURES = (
    *SHOWN, "spend", "refunded", "net_spend_365d", "first_purchase_ms", "last_purchase_ms", "last_event_ms",
)  # fmt: skip


def _one_object(name: str, fields: Sequence[str]) -> type[msgspec.Struct]:
    """A type whose JSON is that of a dict with these keys, made and encoded in a third of the time."""
    return msgspec.defstruct(name, fields, frozen=True, gc=False)


FEATURE_DECIMALS, PROBABILITY_DECIMALS = 4, 6
"""What a view is rounded to, and nothing else: 9 seconds of a day, a hundredth of a percent of a share. More digits
mean nothing, but are encoded, sent, stored and logged with every view."""

_Features = _one_object("Features", VIEW_FEATURES)
_Scores = _one_object("Scores", [outcome.name for outcome in OUTCOMES])


class Showing:
    """Remembers the newest decision of each customer."""

    def __init__(self, given: PartitionCustomers, rules: Rules) -> None:
        self._given, self._rules = given, rules
        self._decided: list[tuple[Asked, Decisions]] = []
        self._newest = np.full(len(given.customers), -1)
        self._at = np.zeros(len(given.customers), np.intp)

    def keep(self, asked: Asked, decisions: Decisions) -> None:
        """These customers are shown as decided now."""
        self._newest[asked.rows] = len(self._decided)
        self._at[asked.rows] = np.arange(len(asked))  # of a customer that is there twice, the last one stays
        self._decided.append((asked, decisions))

    def views(self) -> dict[str, bytes]:
        """Customer -> the stored form of its view."""
        views: dict[str, bytes] = {}
        for place, (asked, decisions) in enumerate(self._decided):
            newest = (self._newest[asked.rows] == place) & (self._at[asked.rows] == np.arange(len(asked)))
            chosen = newest.nonzero()[0]
            if len(chosen):
                ids = [self._given.customers[row] for row in asked.rows[chosen].tolist()]
                views |= zip(ids, encode_views(self._of(ids, asked, decisions, chosen)), strict=True)
        return views

    def _of(self, ids: list[str], asked: Asked, decisions: Decisions, chosen: RowArray) -> Iterator[View]:
        """Built from one list per field, in the order of `View`: much quicker than from arrays or by name."""
        block = asked.block[chosen]
        return map(
            View,
            ids,
            repeat(self._given.partition),
            [SEGMENTS[code] for code in block["segment"].tolist()],
            [since_ms or None for since_ms in block["segment_since_ms"].tolist()],
            self._scores(decisions, chosen),
            self._values_at_risk(decisions, chosen),
            repeat(self._rules.currency),
            _alerts(block),
            reasons_of(decisions, chosen, self._rules.exponent),
            self._features(asked, decisions, chosen),
            asked.now_ms[chosen].tolist(),
            valid_until_ms(asked, decisions, chosen).tolist(),
        )

    @staticmethod
    def _scores(decisions: Decisions, chosen: RowArray) -> Iterator[Any]:
        shown = [scored.probability[chosen] for scored in decisions.scored.values()]
        by_outcome = [
            map(Score, probability, repeat(scored.model), repeat(scored.version))
            for probability, scored in zip(
                _rounded(shown, PROBABILITY_DECIMALS), decisions.scored.values(), strict=True
            )
        ]
        return map(_Scores, *by_outcome)

    def _values_at_risk(self, decisions: Decisions, chosen: RowArray) -> list[str | None]:
        unknown = np.isnan(decisions.churn.probability[chosen])
        risks: list[str | None] = [*self._major([decisions.value_at_risk_minor[chosen]])[0]]
        for at in unknown.nonzero()[0].tolist():
            risks[at] = None
        return risks

    def _features(self, asked: Asked, decisions: Decisions, chosen: RowArray) -> Iterator[Any]:
        natural, stored = decisions.natural, asked.states["features"]
        columns = {name: natural[name][chosen] for name in SHOWN}
        fractions = [name for name, column in columns.items() if column.dtype.kind == "f"]
        shown = dict(zip(fractions, _rounded([columns[name] for name in fractions], FEATURE_DECIMALS), strict=True))
        amounts = [natural[name][chosen] for name in ("spend_minor", "refund_minor", "net_spend_365d_minor")]
        return map(
            _Features,
            *(shown[name] if name in shown else column.tolist() for name, column in columns.items()),
            *self._major(amounts),
            *(stored[name][chosen].tolist() for name in VIEW_FEATURES[-3:]),
        )

    def _major(self, minor: Sequence[NDArray[Any]]) -> list[list[str]]:
        """Amounts in major units as decimal text."""
        exponent = self._rules.exponent
        return [many_in_major_units(amounts, exponent) for amounts in np.rint(np.stack(minor)).astype(np.int64)]


_CLOSED = AlertState(open=False, episode_ms=None)


def _alerts(block: NDArray[np.void]) -> list[AlertState]:
    states = zip(block["alert"].tolist(), block["episode_ms"].tolist(), strict=True)
    return [AlertState(open=True, episode_ms=episode_ms) if alert else _CLOSED for alert, episode_ms in states]


def _rounded(columns: Sequence[NDArray[np.float64]], decimals: int) -> list[list[float | None]]:
    """The numbers of each column as a list, None for what is not known.

    >>> _rounded([np.array([0.51239, np.nan]), np.array([2.0, 3.0])], 4)
    [[0.5124, None], [2.0, 3.0]]
    """
    stacked = np.round(np.stack(columns), decimals)
    listed: list[list[float | None]] = stacked.tolist()
    for column, at in zip(*(places.tolist() for places in np.isnan(stacked).nonzero()), strict=True):
        listed[column][at] = None
    return listed
