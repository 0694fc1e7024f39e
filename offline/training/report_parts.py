"""What the parts of a report page share."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from offline.training.chances import Chances
from offline.training.metrics import Judged, Metrics
from offline.training.spend import Spending

Judgement = TypeVar("Judgement", Chances, Spending)
Points = tuple[Sequence[float], Sequence[float]]

RULES = {
    "base_rate": "rule: base rate",
    "since_last_purchase": "rule: days since last purchase",
    "count_90d": "rule: decayed 90-day count",
    "mean": "rule: the mean for everybody",
    "share_of_past_spend": "rule: a share of past spend",
}


def judgements(metrics: Metrics, kind: type[Judgement]) -> Iterator[tuple[str, Judgement]]:
    """Title and judgement of each model."""
    for judged in metrics.models.values():
        if isinstance(judged.judgement, kind):
            yield judged.title, judged.judgement


def chosen_of(metrics: Metrics) -> Judged:
    """What is known of the chosen model."""
    return metrics.models[metrics.chosen]
