"""How an outcome's candidates do, as metrics."""

from contextlib import suppress

from stream.learning.contest import Contest
from stream.metrics import learner as metrics
from stream.scoring.documents import OutcomeDocument

_OF_A_CANDIDATE = (
    metrics.SERVING,
    metrics.CHAMPION,
    metrics.PROPOSED,
    metrics.JUDGED,
    metrics.LOG_LOSS,
    metrics.AUC,
    metrics.PR_AUC,
    metrics.BRIER,
    metrics.CALIBRATION_ERROR,
)


def show_contest(document: OutcomeDocument, contest: Contest, shown: set[str]) -> None:
    """Set the gauges of an outcome to what its document says, and to what the blocks propose.

    Args:
        document: of the outcome.
        contest: of its candidates.
        shown: the candidates that have series; those of who takes part no more go.
    """
    outcome, proposed = document.name, contest.proposed()
    for gone in shown - set(contest.candidates):
        for gauge in _OF_A_CANDIDATE:
            with suppress(KeyError):  # it was never judged
                gauge.remove(outcome, gone)
    shown.clear()
    shown.update(contest.candidates)
    for candidate in document.candidates:
        metrics.SERVING.labels(outcome, candidate).set(candidate == document.serving)
    for candidate in contest.candidates:
        metrics.CHAMPION.labels(outcome, candidate).set(candidate == contest.championship.champion)
        metrics.PROPOSED.labels(outcome, candidate).set(candidate == proposed)
    metrics.PINNED.labels(outcome).set(contest.championship.is_pinned)
    metrics.CHAMPION_SINCE.labels(outcome).set(contest.championship.reigns[-1].since_ms / 1000)
    _show_figures(document)


def _show_figures(document: OutcomeDocument) -> None:
    for candidate, judged in document.metrics.items():
        for gauge, value in (
            (metrics.JUDGED, judged.rows),
            (metrics.LOG_LOSS, judged.log_loss),
            (metrics.AUC, judged.auc),
            (metrics.PR_AUC, judged.pr_auc),
            (metrics.BRIER, judged.brier),
            (metrics.CALIBRATION_ERROR, judged.ece),
        ):
            if value is not None:
                gauge.labels(document.name, candidate).set(value)
