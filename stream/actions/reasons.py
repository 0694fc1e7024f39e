"""Why a customer is scored as it is, in the customer's own numbers and in words."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from math import isnan
from typing import NamedTuple

from stream.chunk import RowArray
from stream.decisions import Decisions
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT, top_concepts


class Figures(NamedTuple):
    """The numbers a sentence may use, by the names of the natural features; nan is unknown."""

    since_last_purchase_days: float
    since_first_purchase_days: float
    mean_gap_days: float
    purchase_days: int
    decayed_count_90d: float
    net_spend_365d_minor: float
    refund_share: float
    major: float = 100.0
    """Minor units in a major one."""


def _days(days: float) -> str:
    return _in_days(round(days))


def _in_days(whole: int) -> str:
    return "1 day" if whole == 1 else f"{whole} days"


def _silence(of: Figures) -> str:
    if isnan(of.since_last_purchase_days):
        return "no purchase yet"
    whole = round(of.since_last_purchase_days)
    silent = f"no purchase for {_in_days(whole)}" if whole else "bought less than a day ago"
    return silent if isnan(of.mean_gap_days) else f"{silent}, usual gap {round(of.mean_gap_days)}"


def _frequency(of: Figures) -> str:
    return f"bought on {_days(of.purchase_days)}, {of.decayed_count_90d:.1f} orders in recent months"


def _spend(of: Figures) -> str:
    return f"net spend of the last year {round(of.net_spend_365d_minor / of.major):,}"


def _age(of: Figures) -> str:
    if isnan(of.since_first_purchase_days):
        return "no purchase yet"
    whole = round(of.since_first_purchase_days)
    return f"first bought {_in_days(whole) if whole else 'less than a day'} ago"


def _refunds(of: Figures) -> str:
    return f"{round(of.refund_share * 100)} % of spend refunded"


def _engagement(_: Figures) -> str:
    return "little engagement lately"


WORDS: Mapping[str, Callable[[Figures], str]] = {
    "silence": _silence,
    "frequency": _frequency,
    "spend": _spend,
    "age": _age,
    "refunds": _refunds,
    "engagement": _engagement,
}
"""Concept of `stream.scoring.explain` -> its sentence. A new concept is one entry."""


def in_words(concepts: Sequence[str], figures: Figures) -> list[str]:
    """The sentences of the concepts, the most important first; of the silence where there is none.

    >>> ada = Figures(41.2, 300.0, 12.0, 9, 1.5, 21_400.0, 0.0)
    >>> in_words(["silence", "spend"], ada)
    ['no purchase for 41 days, usual gap 12', 'net spend of the last year 214']
    >>> in_words([], ada._replace(since_last_purchase_days=1.0, mean_gap_days=float("nan")))
    ['no purchase for 1 day']
    """
    sentences = [WORDS[concept](figures) for concept in concepts or ("silence",)]
    return sentences if len(sentences) < 2 else list(dict.fromkeys(sentences))


def reasons_of(decisions: Decisions, chosen: RowArray, exponent: int) -> list[list[str]]:
    """What raises the churn probability of the customers at `chosen`, in words; nothing while no model serves.

    Args:
        decisions: of some customers.
        chosen: places among them.
        exponent: decimal places of the reporting currency.
    """
    serving = decisions.churn.serving
    if serving is None or not len(chosen):
        return [[] for _ in chosen]
    major = 10.0**exponent
    columns = [decisions.natural[name][chosen].tolist() for name in Figures._fields[:-1]]
    figures = map(Figures, *columns, repeat(major, len(chosen)))
    codes = top_concepts(serving, decisions.matrix[chosen]).tolist()
    return [in_words(_NAMES_OF[tuple(best)], row) for best, row in zip(codes, figures, strict=True)]


class _Names(dict[tuple[int, ...], tuple[str, ...]]):
    """Codes of the heaviest concepts -> their names, remembered: there are few pairs."""

    def __missing__(self, codes: tuple[int, ...]) -> tuple[str, ...]:
        self[codes] = tuple(CONCEPT_NAMES[code] for code in codes if code != NO_CONCEPT)
        return self[codes]


_NAMES_OF = _Names()
