"""Why a customer is scored as it is, in the customer's own numbers and in words.

Sentences say whole numbers, so few of them differ: each is put into words once and remembered.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.decisions import Deciding
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT, top_concepts
from stream.scoring.kinds import explained

Features = Mapping[str, NDArray[Any]] | NDArray[np.void]
"""Columns by name, or records whose fields they are."""

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
    """How to say a concept: a sentence made of two figures and the currency."""

    sentence: Callable[[int, int, str], str]
    first: Figure
    second: Figure


def _in_days(whole: int) -> str:
    return "1 day" if whole == 1 else f"{whole} days"


def _silence(days: int, usual_gap_days: int, *_: Any) -> str:
    if days == UNKNOWN:
        return "no purchase yet"
    silent = f"no purchase for {_in_days(days)}" if days else "bought less than a day ago"
    return silent if usual_gap_days == UNKNOWN else f"{silent}, usual gap {usual_gap_days}"


def _frequency(days: int, tenths_of_orders: int, *_: Any) -> str:
    return f"bought on {_in_days(days)}, {tenths_of_orders / 10:.1f} orders in recent months"


def _spend(money: int, _: int, currency: str) -> str:
    return f"net spend of the last year {money:,} {currency}"


def _age(days: int, *_: Any) -> str:
    if days == UNKNOWN:
        return "no purchase yet"
    return f"first bought {_in_days(days) if days else 'less than a day'} ago"


def _refunds(percent: int, *_: Any) -> str:
    return f"{percent} % of spend refunded"


def _engagement(*_: Any) -> str:
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
_SHOWN = np.array([[_FIGURES.index(figure) for figure in WORDS[name][1:]] for name in CONCEPT_NAMES])
_SAY = tuple(WORDS[name].sentence for name in CONCEPT_NAMES)
_SILENCE = CONCEPT_NAMES.index("silence")


def in_words(codes: NDArray[np.intp], features: Features, currency: str, exponent: int = 2) -> list[list[str]]:
    """The sentences of each customer's concepts, the most important first; of the silence where there is none.

    Args:
        codes: shape (customers, 2), places in `CONCEPT_NAMES` or `NO_CONCEPT`.
        features: natural features by name, shape (customers,); nan is unknown.
        currency: the reporting currency, such as "GBP".
        exponent: its decimal places.

    >>> ada = {figure.feature: np.array([41.2]) for words in WORDS.values() for figure in words[1:]}
    >>> in_words(np.array([[CONCEPT_NAMES.index("silence"), CONCEPT_NAMES.index("spend")]]), ada, "GBP")
    [['no purchase for 41 days, usual gap 41', 'net spend of the last year 0 GBP']]
    >>> in_words(np.array([[NO_CONCEPT, NO_CONCEPT]]), ada | {"mean_gap_days": np.array([np.nan])}, "GBP")
    [['no purchase for 41 days']]
    """
    figures, said = np.empty((len(_FIGURES), len(codes))), np.empty((2, 3, len(codes)), np.int64)
    for row, figure in zip(figures, _FIGURES, strict=True):
        row[:] = features[figure.feature]
    _choose_figures(said, codes, figures, _units(exponent))
    sentence = _sentences(currency).__getitem__
    ones, others = [map(sentence, zip(*what, strict=True)) for what in said.tolist()]
    return [[one] if one == other else [one, other] for one, other in zip(ones, others, strict=True)]


@lru_cache
def _units(exponent: int) -> NDArray[np.float64]:
    return np.array([figure.unit or 10.0**exponent for figure in _FIGURES])


@compiled
def _choose_figures(
    said: NDArray[np.int64], codes: NDArray[np.intp], figures: NDArray[np.float64], units: NDArray[np.float64]
) -> None:
    """Fill in what to say of each customer: the first and the second concept's code and its figures in whole numbers.

    Where there is no concept, the first is the silence; the second is the first again.
    """
    for customer in range(len(codes)):
        code = _SILENCE
        for place in range(2):
            code = codes[customer, place] if codes[customer, place] != NO_CONCEPT else code
            said[place, 0, customer] = code
            for at in range(2):
                figure = figures[_SHOWN[code, at], customer] / units[_SHOWN[code, at]]
                said[place, at + 1, customer] = UNKNOWN if np.isnan(figure) else np.int64(np.rint(figure))


class _Sentences(dict[tuple[int, int, int], str]):
    """A concept's code and two figures -> the sentence; all are forgotten when there are `SENTENCES_KEPT`."""

    def __init__(self, currency: str) -> None:
        self._currency = currency

    def __missing__(self, said: tuple[int, int, int]) -> str:
        """Put it into words for the first time."""
        if len(self) >= SENTENCES_KEPT:
            self.clear()
        code, first, second = said
        self[said] = _SAY[code](first, second, self._currency)
        return self[said]


@lru_cache
def _sentences(currency: str) -> _Sentences:
    return _Sentences(currency)


def reasons_of(
    by: Deciding, matrix: NDArray[np.float64], scored: NDArray[np.void], currency: str, exponent: int
) -> list[list[str]]:
    """What raises the churn probability of customers, in words; nothing while no model serves.

    Args:
        by: what they are decided by.
        matrix: shape (customers, len(MODEL_COLUMNS)).
        scored: shape (customers,), dtype `SCORED_ROW`.
        currency: the reporting currency.
        exponent: its decimal places.
    """
    model = by.alerting.model
    if model is None:
        return [[]] * len(matrix)
    return in_words(top_concepts(explained(model), matrix), scored, currency, exponent)
