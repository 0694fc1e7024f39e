"""What a replay has shown, computed from the history and from what Ebb published. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.events import Event, Purchase
from schemas.messages import ChurnAlertOpened
from schemas.units import DAY_MS

YEAR_DAYS = 365.25
JUDGED_AFTER_DAYS = 30


@dataclass(frozen=True)
class AlertFigures:
    """How many alerts were sent, and how right they were.

    Attributes:
        sent: all alerts opened.
        per_week: mean over the weeks from the first alert to the end of the history.
        judged: alerts opened at least 30 days before the end.
        did_not_buy: share of the judged whose customer did not buy in the 30 days after; None where none is judged.
    """

    sent: int
    per_week: float
    judged: int
    did_not_buy: float | None


def alert_figures(
    alerts: Sequence[ChurnAlertOpened], bought_ms: Mapping[str, Sequence[int]], end_ms: int
) -> AlertFigures:
    """Judge every distinct alert by what its customer bought afterwards.

    Args:
        alerts: as published; the same alert may come twice.
        bought_ms: customer -> times of purchases, ascending.
        end_ms: the end of the history.
    """
    distinct = list({alert.message_id: alert for alert in alerts}.values())
    if not distinct:
        return AlertFigures(0, 0.0, 0, None)
    weeks = max((end_ms - min(alert.opened_ms for alert in distinct)) / (7 * DAY_MS), 1.0)
    judged = [alert for alert in distinct if alert.opened_ms + JUDGED_AFTER_DAYS * DAY_MS <= end_ms]
    stayed_away = sum(not _bought_after(bought_ms.get(alert.customer_id, ()), alert.opened_ms) for alert in judged)
    share = stayed_away / len(judged) if judged else None
    return AlertFigures(len(distinct), len(distinct) / weeks, len(judged), share)


def _bought_after(bought_ms: Sequence[int], opened_ms: int) -> bool:
    """Whether a purchase falls into the days after an alert.

    >>> _bought_after([0, 40 * DAY_MS], 20 * DAY_MS), _bought_after([0, 60 * DAY_MS], 20 * DAY_MS)
    (True, False)
    """
    following = bisect_right(bought_ms, opened_ms)
    return following < len(bought_ms) and bought_ms[following] <= opened_ms + JUDGED_AFTER_DAYS * DAY_MS


def purchases_by_customer(events: Iterable[Event]) -> dict[str, list[int]]:
    """customer -> purchase times, ascending."""
    bought: dict[str, list[int]] = {}
    for event in events:
        if isinstance(event, Purchase) and event.customer_id is not None:
            bought.setdefault(event.customer_id, []).append(event.event_time_ms)
    return {customer: sorted(times) for customer, times in bought.items()}


def changes_per_customer_year(
    changes: int, bought_ms: Mapping[str, Sequence[int]], segmented_from_ms: int, end_ms: int
) -> float:
    """Segment changes over the years customers could have a segment: from their first purchase or the first centres on.

    >>> changes_per_customer_year(3, {"a": [0], "b": [0]}, 0, round(YEAR_DAYS * DAY_MS))
    1.5
    """
    days = sum(max(end_ms - max(times[0], segmented_from_ms), 0) for times in bought_ms.values()) / DAY_MS
    return changes / (days / YEAR_DAYS) if days else 0.0
