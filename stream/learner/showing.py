"""How an outcome's candidates do, as metrics."""

from contextlib import suppress

from prometheus_client import Gauge

from stream.learning.contest import Contest
from stream.metrics import learner as metrics
from stream.scoring.documents import FLOORS, Judged, OutcomeDocument

_OF_A_CANDIDATE = (
    metrics.SERVING,
    metrics.CHAMPION,
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
    outcome, champion = document.name, contest.championship.champion
    for candidate in shown - set(contest.candidates):
        for gauge in _OF_A_CANDIDATE:
            with suppress(KeyError):  # it has no series there
                gauge.remove(outcome, candidate)
    shown.clear()
    shown.update(contest.candidates)
    for candidate in contest.candidates:
        with suppress(KeyError):  # it was not champion
            metrics.CHAMPION.remove(outcome, candidate)
    metrics.CHAMPION.labels(outcome, champion).set(1)
    metrics.CHAMPION_SINCE.labels(outcome).set(contest.championship.reigns[-1].since_ms / 1000)
    metrics.PROPOSED.labels(outcome).set(contest.proposed() is not None)
    metrics.DRIFT_CHALLENGERS.labels(outcome).set(len(contest.begun))
    metrics.PINNED.labels(outcome).set(contest.championship.is_pinned)
    for candidate in document.candidates:
        metrics.SERVING.labels(outcome, candidate).set(candidate == document.serving)
    for candidate, judged in document.metrics.items():
        _show_figures(outcome, candidate, judged)


def _show_figures(outcome: str, candidate: str, judged: Judged) -> None:
    """Of a floor only what it is compared by: series are few."""
    figures: list[tuple[Gauge, float | None]] = [
        (metrics.JUDGED, judged.rows),
        (metrics.LOG_LOSS, judged.log_loss),
        (metrics.AUC, judged.auc),
    ]
    if candidate not in FLOORS:
        figures += [
            (metrics.PR_AUC, judged.pr_auc),
            (metrics.BRIER, judged.brier),
            (metrics.CALIBRATION_ERROR, judged.ece),
        ]
    for gauge, value in figures:
        if value is not None:
            gauge.labels(outcome, candidate).set(value)
