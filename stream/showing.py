"""What a step shows: each customer as last decided in it, looked at once, at its end."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.actions.reasons import reasons_of
from stream.byte_rows import CustomerBytes, joined
from stream.chunk import PartitionCustomers, Rules
from stream.customers.segments import SEGMENTS
from stream.decisions import Asked, Deciding, Decisions, Outlook, outlook
from stream.features.scored import SCORED
from stream.json_rows import NULL, Choice, Fraction, JsonRows, Money, Values, Whole
from stream.views import VIEW_VERSION

SHOWN = (
    "since_last_purchase_days", "since_first_purchase_days", "purchase_days", "mean_gap_days", "purchases", "refunds",
    "decayed_count_90d", "discount_share", "refund_share",
)  # fmt: skip
"""Features a view shows under their own names."""

WHOLE = frozenset({"purchase_days", "purchases", "refunds"})
"""Those of them that are whole numbers."""

AMOUNTS = {"spend": "purchase_minor", "refunded": "refund_minor", "net_spend_365d": "net_spend_365d_minor"}
"""What a view shows as money -> the feature in minor units."""

TIMES = ("first_purchase_ms", "last_purchase_ms", "last_event_ms")
"""Stored fields a view shows as they are."""

_FEATURES = (*SHOWN, *AMOUNTS.values())
_SCORED = tuple(name for name in _FEATURES if name in SCORED)
_STORED = (*TIMES, *(name for name in _FEATURES if name not in SCORED))

FEATURE_DECIMALS, PROBABILITY_DECIMALS = 4, 6
"""What a view is rounded to, and nothing else: 9 seconds of a day, a hundredth of a percent of a share. More digits
mean nothing, but are encoded, sent, stored and logged with every view."""


class Shown(NamedTuple):
    """Different customers, what was last decided of them, and what is shown of them."""

    asked: Asked
    decisions: Decisions
    ahead: Outlook


class Showing:
    """Remembers the newest decision of each customer."""

    def __init__(self, given: PartitionCustomers, by: Deciding, rules: Rules) -> None:
        self._given, self._by, self._rules = given, by, rules
        self._decided: list[tuple[int, Asked, Decisions]] = []
        self._count = 0
        self._newest = np.empty(len(given.customers), np.intp)  # of each customer, by the order of decisions

    def keep(self, asked: Asked, decisions: Decisions) -> None:
        """These customers are shown as decided now."""
        self._decided.append((self._count, asked, decisions))
        before, self._count = self._count, self._count + len(asked)
        self._newest[asked.rows] = np.arange(before, self._count)  # of a customer that is there twice, the last stays

    def newest(self) -> list[Shown]:
        """Every customer that was decided, once."""
        return [Shown(*newest, outlook(*newest)) for newest in self._newest_decided()]

    def views(self, newest: list[Shown]) -> CustomerBytes:
        """The stored form of each customer's view."""
        form = self._form()
        return joined([self._shown(form, each) for each in newest])

    def _newest_decided(self) -> Iterator[tuple[Asked, Decisions]]:
        """Decisions about different customers."""
        for before, asked, decisions in self._decided:
            newest = self._newest[asked.rows] == np.arange(before, before + len(asked))
            if newest.all():
                yield asked, decisions
            elif newest.any():
                chosen = newest.nonzero()[0]
                yield asked.take(chosen), decisions.take(chosen)

    def _shown(self, form: JsonRows, newest: Shown) -> CustomerBytes:
        customers = self._given.customers
        ids = [customers[row] for row in newest.asked.rows.tolist()]
        return CustomerBytes(ids, form.write(self._columns(ids, newest), len(ids)))

    def _form(self) -> JsonRows:
        names = self._rules.outcomes.names
        serving = tuple([(name, by.name, by.version) for name, by in zip(names, self._by.serving, strict=True)])
        return _form(self._given.partition, self._rules.currency, self._rules.exponent, serving)

    def _columns(self, ids: list[str], newest: Shown) -> dict[str, Any]:
        """What differs from view to view, by the names that `_form` gives."""
        asked, ahead, scored = newest.asked, newest.ahead, newest.decisions.scored
        block, stored, alert = asked.block, asked.states["features"], asked.block["alert"]
        return {
            "customer_id": ids,
            "segment": block["segment"],
            "segment_since_ms": _known(block["segment_since_ms"], block["segment_since_ms"]),
            **dict(zip(self._rules.outcomes.names, ahead.probabilities, strict=True)),
            "value_at_risk": ahead.value_at_risk_minor,
            "alert": alert != 0,
            "episode_ms": _known(block["episode_ms"], alert),
            "reasons": reasons_of(self._by, ahead.matrix, scored, self._rules.currency, self._rules.exponent),
            **{name: scored[name] for name in _SCORED},
            **{name: stored[name] for name in _STORED},
            "as_of_ms": asked.now_ms,
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


def _known(times_ms: NDArray[np.int64], known: NDArray[Any]) -> NDArray[np.int64]:
    """Times that stand where something is not 0."""
    return np.where(known, times_ms, NULL)
