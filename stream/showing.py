"""The views of a step: each customer as last decided in it, built once, at its end."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.actions.reasons import reasons_of
from stream.byte_rows import CustomerBytes, joined
from stream.chunk import Models, PartitionCustomers, RowArray, Rules
from stream.customers.segments import SEGMENTS
from stream.decisions import Asked, Decisions, outlook
from stream.json_rows import NULL, Choice, Fraction, JsonRows, Money, Values, Whole
from stream.scoring.serving import served
from stream.views import VIEW_VERSION

SHOWN = (
    "since_last_purchase_days", "since_first_purchase_days", "purchase_days", "mean_gap_days", "purchases", "refunds",
    "decayed_count_90d", "discount_share", "refund_share",
)  # fmt: skip
"""Natural features a view shows under their own names."""

WHOLE = frozenset({"purchase_days", "purchases", "refunds"})
"""Those of them that are whole numbers."""

AMOUNTS = {"spend": "spend_minor", "refunded": "refund_minor", "net_spend_365d": "net_spend_365d_minor"}
"""What a view shows as money -> the natural feature in minor units."""

TIMES = ("first_purchase_ms", "last_purchase_ms", "last_event_ms")
"""Stored fields a view shows as they are."""


FEATURE_DECIMALS, PROBABILITY_DECIMALS = 4, 6
"""What a view is rounded to, and nothing else: 9 seconds of a day, a hundredth of a percent of a share. More digits
mean nothing, but are encoded, sent, stored and logged with every view."""


class Showing:
    """Remembers the newest decision of each customer."""

    def __init__(self, given: PartitionCustomers, models: Models, rules: Rules) -> None:
        self._given, self._models, self._rules = given, models, rules
        self._decided: list[tuple[Asked, Decisions]] = []
        self._newest = np.full(len(given.customers), -1)
        self._at = np.zeros(len(given.customers), np.intp)

    def keep(self, asked: Asked, decisions: Decisions) -> None:
        """These customers are shown as decided now."""
        self._newest[asked.rows] = len(self._decided)
        self._at[asked.rows] = np.arange(len(asked))  # of a customer that is there twice, the last one stays
        self._decided.append((asked, decisions))

    def views(self) -> CustomerBytes:
        """The stored form of each customer's view."""
        views: list[CustomerBytes] = []
        for place, (asked, decisions) in enumerate(self._decided):
            newest = (self._newest[asked.rows] == place) & (self._at[asked.rows] == np.arange(len(asked)))
            chosen = newest.nonzero()[0]
            if len(chosen):
                ids = [self._given.customers[row] for row in asked.rows[chosen].tolist()]
                columns = self._columns(ids, asked, decisions, chosen)
                views.append(CustomerBytes(ids, self._form().write(columns, len(ids))))
        return joined(views)

    def _form(self) -> JsonRows:
        names = self._rules.outcomes.names
        serving = tuple((name, *served(self._models.outcomes.get(name))[:2]) for name in names)
        return _form(self._given.partition, self._rules.currency, self._rules.exponent, serving)

    def _columns(self, ids: list[str], asked: Asked, decisions: Decisions, chosen: RowArray) -> dict[str, Any]:
        """What differs from view to view, by the names that `_form` gives."""
        block, natural, stored = asked.block[chosen], decisions.natural, asked.states["features"]
        ahead = outlook(asked, decisions, chosen)
        return {
            "customer_id": ids,
            "segment": block["segment"],
            "segment_since_ms": _known(block["segment_since_ms"], block["segment_since_ms"] != 0),
            **dict(zip(self._rules.outcomes.names, ahead.probabilities, strict=True)),
            "value_at_risk": _value_at_risk_minor(decisions, chosen),
            "alert": (block["alert"] != 0).view(np.uint8),
            "episode_ms": _known(block["episode_ms"], block["alert"] != 0),
            "reasons": reasons_of(decisions, chosen, self._models, self._rules),
            **{name: natural[name][chosen] for name in (*SHOWN, *AMOUNTS.values())},
            **{name: stored[name][chosen] for name in TIMES},
            "as_of_ms": asked.now_ms[chosen],
            "valid_until_ms": ahead.until_ms,
        }


@lru_cache(maxsize=64)
def _form(partition: int, currency: str, exponent: int, models: tuple[tuple[str, str, str], ...]) -> JsonRows:
    """The fields of `View`, in its order."""
    return JsonRows(
        {
            "customer_id": Values("customer_id"),
            "partition": partition,
            "segment": Choice("segment", SEGMENTS),
            "segment_since_ms": Whole("segment_since_ms"),
            "scores": {
                outcome: {"probability": Fraction(outcome, PROBABILITY_DECIMALS), "model": model, "version": version}
                for outcome, model, version in models
            },
            "value_at_risk": Money("value_at_risk", exponent),
            "currency": currency,
            "alert": {"open": Choice("alert", (False, True)), "episode_ms": Whole("episode_ms")},
            "reasons": Values("reasons"),
            "features": _features(exponent),
            "as_of_ms": Whole("as_of_ms"),
            "valid_until_ms": Whole("valid_until_ms"),
            "schema_version": VIEW_VERSION,
        }
    )


def _features(exponent: int) -> dict[str, Any]:
    return {
        **{name: Whole(name) if name in WHOLE else Fraction(name, FEATURE_DECIMALS) for name in SHOWN},
        **{name: Money(minor, exponent) for name, minor in AMOUNTS.items()},
        **{name: Whole(name) for name in TIMES},
    }


def _value_at_risk_minor(decisions: Decisions, chosen: RowArray) -> NDArray[np.float64]:
    """Not known where the probability is not."""
    return np.where(np.isnan(decisions.churn[chosen]), np.nan, decisions.value_at_risk_minor[chosen])


def _known(times_ms: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(known, times_ms, NULL)
