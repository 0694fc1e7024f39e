"""Why a customer is scored as it is, in the customer's own numbers and in words.

Sentences say whole numbers, so few of them differ: each is put into words once and remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.chunk import Models, RowArray, Rules
from stream.decisions import Decisions
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT, top_concepts
from stream.scoring.kinds import explained
from stream.scoring.serving import serving_model

SENTENCES_KEPT = 65_536  # a sentence and what it is found by take 200 bytes

UNKNOWN = -1
"""Stands for a number that is not known, which none of those that can be unknown ever is."""

MONEY = 0.0
"""A unit: the major one of the reporting currency."""


class Figure(NamedTuple):
    """A natural feature as a sentence says it, in whole numbers of `unit`."""

    feature: str
    unit: float = 1.0


class Words(NamedTuple):
    """How to say a concept: a sentence made of two figures."""

    sentence: Callable[[int, int], str]
    first: Figure
    second: Figure


def _in_days(whole: int) -> str:
    return "1 day" if whole == 1 else f"{whole} days"


def _silence(days: int, usual_gap_days: int) -> str:
    if days == UNKNOWN:
        return "no purchase yet"
    silent = f"no purchase for {_in_days(days)}" if days else "bought less than a day ago"
    return silent if usual_gap_days == UNKNOWN else f"{silent}, usual gap {usual_gap_days}"


def _frequency(days: int, tenths_of_orders: int) -> str:
    return f"bought on {_in_days(days)}, {tenths_of_orders / 10:.1f} orders in recent months"


def _spend(money: int, _: int) -> str:
    return f"net spend of the last year {money:,}"


def _age(days: int, _: int) -> str:
    if days == UNKNOWN:
        return "no purchase yet"
    return f"first bought {_in_days(days) if days else 'less than a day'} ago"


def _refunds(percent: int, _: int) -> str:
    return f"{percent} % of spend refunded"


def _engagement(_: int, __: int) -> str:
    return "little engagement lately"


_ANY = Figure("purchase_days")  # where a sentence needs fewer than two

WORDS: Mapping[str, Words] = {
    "silence": Words(_silence, Figure("since_last_purchase_days"), Figure("mean_gap_days")),
    "frequency": Words(_frequency, Figure("purchase_days"), Figure("decayed_count_90d", unit=0.1)),
    "spend": Words(_spend, Figure("net_spend_365d_minor", unit=MONEY), _ANY),
    "age": Words(_age, Figure("since_first_purchase_days"), _ANY),
    "refunds": Words(_refunds, Figure("refund_share", unit=0.01), _ANY),
    "engagement": Words(_engagement, _ANY, _ANY),
}
"""Concept of `stream.scoring.explain` -> its words. A new concept is one entry."""

_FIGURES = tuple(dict.fromkeys(figure for words in WORDS.values() for figure in words[1:]))
_FIRST, _SECOND = (
    np.array([_FIGURES.index(WORDS[name][place]) for name in CONCEPT_NAMES], np.intp) for place in (1, 2)
)
_SAY = tuple(WORDS[name].sentence for name in CONCEPT_NAMES)
_SILENCE = CONCEPT_NAMES.index("silence")


def in_words(codes: NDArray[np.intp], features: Mapping[str, NDArray[Any]], exponent: int = 2) -> list[list[str]]:
    """The sentences of each customer's concepts, the most important first; of the silence where there is none.

    Args:
        codes: shape (customers, 2), places in `CONCEPT_NAMES` or `NO_CONCEPT`.
        features: natural features by name, shape (customers,); nan is unknown.
        exponent: decimal places of the reporting currency.

    >>> ada = {figure.feature: np.array([41.2]) for words in WORDS.values() for figure in words[1:]}
    >>> in_words(np.array([[CONCEPT_NAMES.index("silence"), CONCEPT_NAMES.index("spend")]]), ada)
    [['no purchase for 41 days, usual gap 41', 'net spend of the last year 0']]
    >>> in_words(np.array([[NO_CONCEPT, NO_CONCEPT]]), ada | {"mean_gap_days": np.array([np.nan])})
    [['no purchase for 41 days']]
    """
    units = np.array([unit or 10.0**exponent for _, unit in _FIGURES])[:, None]
    figures = np.rint(np.stack([features[name] for name, _ in _FIGURES]) / units)
    whole = np.where(np.isnan(figures), UNKNOWN, figures).astype(np.int64)
    first = _sentences(np.where(codes[:, 0] == NO_CONCEPT, _SILENCE, codes[:, 0]), whole)
    return [
        [one] if code == NO_CONCEPT or one == other else [one, other]
        for one, other, code in zip(first, _sentences(codes[:, 1], whole), codes[:, 1].tolist(), strict=True)
    ]


def _sentences(codes: NDArray[np.intp], whole: NDArray[np.int64]) -> Sequence[str]:
    """One sentence of each customer; where there is no concept any."""
    rows = np.arange(len(codes))
    figures = whole[_FIRST[codes], rows].tolist(), whole[_SECOND[codes], rows].tolist()
    return list(map(_sentence, codes.tolist(), *figures))


@lru_cache(maxsize=SENTENCES_KEPT)
def _sentence(code: int, first: int, second: int) -> str:
    return _SAY[code](first, second)


def reasons_of(decisions: Decisions, chosen: RowArray, models: Models, rules: Rules) -> list[list[str]]:
    """What raises the churn probability of the customers at `chosen`, in words; nothing while no model serves.

    Args:
        decisions: of some customers.
        chosen: places among them.
        models: that they were decided by.
        rules: which outcome it is, and the currency.
    """
    serving = serving_model(models.outcomes.get(rules.alert_outcome))
    if serving is None or not len(chosen):
        return [[] for _ in chosen]
    features = {name: decisions.natural[name][chosen] for name, _ in _FIGURES}
    return in_words(top_concepts(explained(serving), decisions.matrix[chosen]), features, rules.exponent)
