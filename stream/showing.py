"""The views of a step: each customer as last decided in it, built once, at its end."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.actions.reasons import reasons_of
from stream.chunk import PartitionCustomers, RowArray, Rules
from stream.customers.segments import SEGMENTS
from stream.decisions import Asked, Decisions, valid_until_ms
from stream.json_rows import NULL, Choice, Column, Fraction, Money, Values, Whole, json_rows
from stream.views import VIEW_VERSION

SHOWN = (
    "since_last_purchase_days", "since_first_purchase_days", "purchase_days", "mean_gap_days", "purchases", "refunds",
    "decayed_count_90d", "discount_share", "refund_share",
)  # fmt: skip
"""Natural features a view shows under their own names."""

AMOUNTS = {"spend": "spend_minor", "refunded": "refund_minor", "net_spend_365d": "net_spend_365d_minor"}
"""What a view shows as money -> the natural feature in minor units."""

TIMES = ("first_purchase_ms", "last_purchase_ms", "last_event_ms")
"""Stored fields a view shows as they are."""


FEATURE_DECIMALS, PROBABILITY_DECIMALS = 4, 6
"""What a view is rounded to, and nothing else: 9 seconds of a day, a hundredth of a percent of a share. More digits
mean nothing, but are encoded, sent, stored and logged with every view."""


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
                views |= zip(ids, json_rows(self._shape(ids, asked, decisions, chosen), len(ids)), strict=True)
        return views

    def _shape(self, ids: list[str], asked: Asked, decisions: Decisions, chosen: RowArray) -> dict[str, Any]:
        """The fields of `View`, in its order."""
        block = asked.block[chosen]
        return {
            "customer_id": Values(ids),
            "partition": self._given.partition,
            "segment": Choice(SEGMENTS, block["segment"]),
            "segment_since_ms": _known(block["segment_since_ms"], block["segment_since_ms"] != 0),
            "scores": _scores(decisions, chosen),
            "value_at_risk": Money(_value_at_risk_minor(decisions, chosen), self._rules.exponent),
            "currency": self._rules.currency,
            "alert": {
                "open": Choice((False, True), (block["alert"] != 0).view(np.uint8)),
                "episode_ms": _known(block["episode_ms"], block["alert"] != 0),
            },
            "reasons": Values(reasons_of(decisions, chosen, self._rules.exponent)),
            "features": self._features(asked, decisions, chosen),
            "as_of_ms": Whole(asked.now_ms[chosen]),
            "valid_until_ms": Whole(valid_until_ms(asked, decisions, chosen)),
            "schema_version": VIEW_VERSION,
        }

    def _features(self, asked: Asked, decisions: Decisions, chosen: RowArray) -> dict[str, Column]:
        natural, stored = decisions.natural, asked.states["features"]
        return {
            **{name: _number(natural[name][chosen]) for name in SHOWN},
            **{name: Money(natural[minor][chosen], self._rules.exponent) for name, minor in AMOUNTS.items()},
            **{name: Whole(stored[name][chosen]) for name in TIMES},
        }


def _scores(decisions: Decisions, chosen: RowArray) -> dict[str, dict[str, Any]]:
    return {
        outcome: {
            "probability": Fraction(scored.probability[chosen], PROBABILITY_DECIMALS),
            "model": scored.model,
            "version": scored.version,
        }
        for outcome, scored in decisions.scored.items()
    }


def _value_at_risk_minor(decisions: Decisions, chosen: RowArray) -> NDArray[np.float64]:
    """Not known where the probability is not."""
    return np.where(np.isnan(decisions.churn.probability[chosen]), np.nan, decisions.value_at_risk_minor[chosen])


def _number(feature: NDArray[Any]) -> Column:
    return Fraction(feature, FEATURE_DECIMALS) if feature.dtype.kind == "f" else Whole(feature)


def _known(times_ms: NDArray[np.int64], known: NDArray[np.bool_]) -> Whole:
    return Whole(np.where(known, times_ms, NULL))
