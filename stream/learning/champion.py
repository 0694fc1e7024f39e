"""Which candidate's probability is acted on."""

from collections.abc import Mapping

from stream.scoring.documents import FLOORS, MIX, Judged

LABELS_BEFORE_SERVING = 200
"""Fewer labels, or labels of one class, and there is no probability at all."""

JUDGED_BEFORE_COMPARING = 200
"""Over 200 labels a log loss has a standard error of about .03, as large as what is at stake: fewer say nothing."""


def serving(
    labels: int,
    positives: int,
    progressive: Mapping[str, float],
    judged: Mapping[str, Judged],
    champion: str = MIX,
) -> str | None:
    """The candidate that serves, None while there are too few labels.

    Between the first model and enough labels that carry its scores (at least a horizon later), what has the lowest
    progressive log loss serves, each label predicted just before it is learned: the champion, if that is the mean logit
    of the regressions, or a floor. From then on only stored scores count: the floor with the lowest log loss serves
    until the champion's is lower.

    Args:
        labels: labels learned so far.
        positives: how many of them were of value 1.
        progressive: floor or "mean_logit" -> mean log loss of predicting each label just before learning it.
        judged: candidate -> its judgement on the scores stored with the labels.
        champion: the candidate that serves unless a floor is better.

    >>> progressive = {"base_rate": 0.61, "since_last_purchase": 0.58, "count_90d": 0.55}
    >>> serving(199, 120, progressive, {}), serving(200, 200, progressive, {}), serving(200, 120, progressive, {})
    (None, None, 'count_90d')
    >>> close = {"base_rate": 0.60, "since_last_purchase": 0.54, "count_90d": 0.55, "mean_logit": 0.54}
    >>> judged = {name: Judged(rows=300, log_loss=loss, auc=0.7) for name, loss in close.items()}
    >>> serving(900, 500, progressive, judged)
    'since_last_purchase'
    >>> judged["mean_logit"] = Judged(rows=300, log_loss=0.53, auc=0.7)
    >>> serving(900, 500, progressive, judged)
    'mean_logit'
    """
    if labels < LABELS_BEFORE_SERVING or positives in (0, labels):
        return None
    model = judged.get(champion)
    if model is None or model.rows < JUDGED_BEFORE_COMPARING:
        best = min(progressive, key=lambda name: progressive[name])
        return champion if best == MIX else best
    floor = min(FLOORS, key=lambda name: judged[name].log_loss)
    return champion if model.log_loss < judged[floor].log_loss else floor
