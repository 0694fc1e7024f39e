"""Which candidate's probability is acted on."""

from collections.abc import Mapping
from typing import NamedTuple

from stream.scoring.documents import FLOORS, MIX, Judged

LABELS_BEFORE_SERVING = 200
"""Fewer labels, or labels of one class, and there is no probability at all."""

JUDGED_BEFORE_COMPARING = 200
"""Over 200 labels a log loss has a standard error of about .03, as large as what is at stake: fewer say nothing."""


class Standing(NamedTuple):
    """How the champion stands beside the floors.

    Attributes:
        champion: the candidate that should serve.
        is_chosen: whether the rule or a person has made it champion; the initial one has to prove itself first.
        is_pinned: whether a person wants it to serve whatever the floors do.
        judged: on the scores stored with labels; None before the first.
        floors: floor -> its log loss over the same labels.
    """

    champion: str
    is_chosen: bool
    is_pinned: bool
    judged: Judged | None
    floors: Mapping[str, float]


def serving(labels: int, positives: int, progressive: Mapping[str, float], standing: Standing) -> str | None:
    """The candidate that serves, None while there are too few labels.

    Between the first model and enough labels that carry its scores (at least a horizon later), what has the lowest
    progressive log loss serves, each label predicted just before it is learned: the champion, if that is the mean logit
    of the regressions, or a floor. From then on only stored scores count: the floor with the lowest log loss serves
    until the champion's is lower. A floor that is champion serves.

    Args:
        labels: labels learned so far.
        positives: how many of them were of value 1.
        progressive: floor or "mean_logit" -> mean log loss of predicting each label just before learning it.
        standing: of the champion.

    >>> progressive = {"base_rate": 0.61, "since_last_purchase": 0.58, "count_90d": 0.55}
    >>> new = Standing("mean_logit", is_chosen=False, is_pinned=False, judged=None, floors={})
    >>> [serving(labels, ones, progressive, new) for labels, ones in ((199, 120), (200, 200), (200, 120))]
    [None, None, 'count_90d']
    >>> floors = {"base_rate": 0.60, "since_last_purchase": 0.54, "count_90d": 0.55}
    >>> behind = new._replace(judged=Judged(rows=300, log_loss=0.54, auc=0.7), floors=floors)
    >>> serving(900, 500, progressive, behind)
    'since_last_purchase'
    >>> serving(900, 500, progressive, behind._replace(judged=Judged(rows=300, log_loss=0.53, auc=0.7)))
    'mean_logit'
    """
    if labels < LABELS_BEFORE_SERVING or positives in (0, labels):
        return None
    champion, judged = standing.champion, standing.judged
    if standing.is_pinned or champion in FLOORS:
        return champion
    if judged is None or judged.rows < JUDGED_BEFORE_COMPARING:
        best = min(progressive, key=lambda name: progressive[name])
        return champion if standing.is_chosen or best == MIX else best
    floor = min(FLOORS, key=lambda name: standing.floors[name])
    return champion if judged.log_loss < standing.floors[floor] else floor
