"""What the demo says of alerts and segments is what the history says."""

from ebb.demo.figures import alert_figures, changes_per_customer_year, purchases_by_customer
from schemas.events import OrderLine, Purchase, Refund, RefundLine
from schemas.messages import ChurnAlertOpened
from schemas.units import DAY_MS


def opened(customer: str, day: int, message_id: str | None = None) -> ChurnAlertOpened:
    return ChurnAlertOpened(
        message_id=message_id or f"{customer}-{day}",
        partition=0,
        sequence=1,
        customer_id=customer,
        opened_ms=day * DAY_MS,
        episode_ms=0,
        probability=0.9,
        value_at_risk="1.00",
        currency="GBP",
        reasons=[],
        model="count_90d",
        model_version="1",
    )


def test_an_alert_is_right_if_its_customer_stays_away_for_30_days():
    bought = {"away": [0], "back": [0, 120 * DAY_MS], "later": [0, 131 * DAY_MS]}
    figures = alert_figures([opened(name, 100) for name in bought], bought, end_ms=200 * DAY_MS)
    assert (figures.judged, figures.did_not_buy) == (3, 2 / 3)


def test_alerts_of_the_last_30_days_are_counted_and_not_judged():
    figures = alert_figures([opened("a", 100), opened("b", 180)], {}, end_ms=200 * DAY_MS)
    assert (figures.sent, figures.judged) == (2, 1)


def test_an_alert_published_twice_counts_once():
    figures = alert_figures([opened("a", 100, "same"), opened("a", 100, "same")], {}, end_ms=114 * DAY_MS)
    assert (figures.sent, figures.per_week) == (1, 0.5)


def test_without_alerts_there_is_nothing_to_judge():
    figures = alert_figures([], {}, end_ms=DAY_MS)
    assert (figures.sent, figures.per_week, figures.did_not_buy) == (0, 0.0, None)


def test_only_purchases_of_customers_count_as_bought():
    line = {"product_id": "1", "unit_price": "1"}
    events = [
        Purchase(event_id="2", customer_id="a", event_time_ms=7, currency="GBP", lines=[OrderLine(quantity=1, **line)]),
        Purchase(event_id="1", customer_id="a", event_time_ms=5, currency="GBP", lines=[OrderLine(quantity=1, **line)]),
        Purchase(event_id="3", event_time_ms=6, currency="GBP", lines=[OrderLine(quantity=1, **line)]),
        Refund(event_id="4", customer_id="a", event_time_ms=9, currency="GBP", lines=[RefundLine(quantity=1, **line)]),
    ]
    assert purchases_by_customer(events) == {"a": [5, 7]}


def test_customer_years_count_from_the_first_centres():
    year_ms = round(365.25 * DAY_MS)
    assert changes_per_customer_year(2, {"a": [0]}, segmented_from_ms=year_ms // 2, end_ms=year_ms) == 4.0
