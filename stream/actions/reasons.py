"""Why a customer is scored as it is, in the customer's own numbers and in words."""

from collections.abc import Callable, Mapping, Sequence

Row = Mapping[str, float]


def _silence(row: Row) -> str:
    if row["since_last_purchase_days"] != row["since_last_purchase_days"]:
        return "no purchase yet"
    silent = f"no purchase for {row['since_last_purchase_days']:.0f} days"
    gap = row["mean_gap_days"]
    return silent if gap != gap else f"{silent}, usual gap {gap:.0f}"


def _frequency(row: Row) -> str:
    days = row["purchase_days"]
    return f"bought on {days:.0f} {'day' if days == 1 else 'days'}, {row['decayed_count_90d']:.1f} orders in recent months"


def _spend(row: Row) -> str:
    return f"net spend of the last year {row['net_spend_365d_major']:,.0f}"


def _age(row: Row) -> str:
    return f"first bought {row['since_first_purchase_days']:.0f} days ago"


def _refunds(row: Row) -> str:
    return f"{row['refund_share'] * 100:.0f} % of spend refunded"


def _engagement(_: Row) -> str:
    return "little engagement lately"


WORDS: Mapping[str, Callable[[Row], str]] = {
    "silence": _silence,
    "frequency": _frequency,
    "spend": _spend,
    "age": _age,
    "refunds": _refunds,
    "engagement": _engagement,
}
"""Concept of `stream.scoring.explain` -> its sentence. A new concept is one entry."""


def in_words(concepts: Sequence[str], row: Row) -> list[str]:
    """The sentences of the concepts, most important first; silence always has its place.

    >>> in_words(["silence"], {"since_last_purchase_days": 41.0, "mean_gap_days": 12.0})
    ['no purchase for 41 days, usual gap 12']
    """
    named = [concept for concept in concepts if concept in WORDS]
    return [WORDS[concept](row) for concept in (named or ["silence"])]
