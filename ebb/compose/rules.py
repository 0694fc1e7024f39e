"""What a deployment's settings say of its customers."""

from schemas.money import exponent_of
from schemas.units import DAY_MS
from stream.actions.alerts import ChurnRule
from stream.chunk import Rules
from stream.settings.worker import WorkerSettings

STALE_AFTER_DAYS = 7  # in a replay nothing renews decisions but their deadlines
STALE_AFTER_DAYS_SWEPT = 28  # on the live clock a sweep does (stream/worker/sweeping.py)


def rules_of(settings: WorkerSettings) -> Rules:
    """The rules of the engine."""
    return Rules(
        currency=settings.currency,
        exponent=exponent_of(settings.currency),
        vocabulary=settings.vocabulary,
        outcomes=settings.predicted,
        alert_outcome=settings.alert_outcome,
        churn=ChurnRule(settings.alert_probability, settings.alert_close_probability),
        decide_every_ms=settings.decide_every_ms,
        stale_after_ms=(STALE_AFTER_DAYS_SWEPT if settings.clock == "live" else STALE_AFTER_DAYS) * DAY_MS,
    )
