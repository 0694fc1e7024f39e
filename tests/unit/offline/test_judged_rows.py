"""Whose rows models are judged by where customers' own windows end at different times, and what became of them."""

import numpy as np

from offline.backtest.labels import JUDGED_AT_LEAST, Happened, judged_by, known, settled
from offline.backtest.rows import Rows
from schemas.events import OrderLine, Purchase
from schemas.units import DAY_MS
from stream.chunk import Rules
from stream.features.facts_of_events import facts_of
from stream.features.model_columns import MODEL_COLUMNS
from stream.outcomes.declaration import CHURN_30D, LAPSED, Outcome

BEGIN, OFTEN_DAYS, SELDOM_DAYS = 14_600, 14, 180


def shop(outcome: Outcome, days: int, customers: int = 20) -> Rows:
    """Every day a row of each customer; every second one buys often. Of a fixed window, all have that."""
    count = days * customers
    own = np.tile([OFTEN_DAYS, SELDOM_DAYS], count // 2)
    windows = own if outcome.within_own_gap else np.full(count, outcome.horizon_days)
    return Rows(
        customers=[str(number) for number in range(customers)],
        customer=np.tile(np.arange(customers), days),
        day=BEGIN + np.repeat(np.arange(days), customers),
        columns=np.zeros((count, len(MODEL_COLUMNS)), np.float32),
        windows_days={outcome.name: windows},
    )


def test_who_buys_often_is_judged_on_the_days_of_everybody_alone() -> None:
    rows = shop(LAPSED, days=400)
    end_day = BEGIN + 400
    judged = judged_by(rows, LAPSED, BEGIN + 150, end_day * DAY_MS)

    seldom = rows.windows_days["lapsed"] == SELDOM_DAYS
    assert judged[seldom].sum() == judged[~seldom].sum() > 0
    assert rows.day[judged].min() == BEGIN + 150
    assert rows.day[judged].max() == end_day - SELDOM_DAYS - 1
    assert known(rows, LAPSED, end_day * DAY_MS)[~seldom].sum() > settled(rows, LAPSED, end_day * DAY_MS)[~seldom].sum()


def test_where_hardly_any_day_is_long_enough_ago_all_that_is_known_is_judged() -> None:
    rows = shop(LAPSED, days=200)
    split_day, last_ms = BEGIN + 17, (BEGIN + 200) * DAY_MS
    whole = (rows.day >= split_day) & settled(rows, LAPSED, last_ms)
    judged = judged_by(rows, LAPSED, split_day, last_ms)

    assert 0 < whole.sum() < JUDGED_AT_LEAST < judged.sum()
    assert not settled(rows, LAPSED, last_ms)[judged].all()


def test_of_a_fixed_window_all_that_is_known_is_judged() -> None:
    rows = shop(CHURN_30D, days=100)
    last_ms = (BEGIN + 100) * DAY_MS
    judged = judged_by(rows, CHURN_30D, BEGIN + 50, last_ms)

    assert (judged == ((rows.day >= BEGIN + 50) & known(rows, CHURN_30D, last_ms))).all()
    assert settled(rows, CHURN_30D, last_ms)[judged].all()


def test_a_purchase_counts_for_its_customer_alone_however_many_there_are() -> None:
    rows = shop(CHURN_30D, days=1, customers=2)
    rows = Rows(rows.customers, np.array([5, 5 + 2**20]), rows.day, rows.columns, rows.windows_days)
    happened = Happened(CHURN_30D, Rules())
    lines = [OrderLine(product_id="tea", quantity=1, unit_price="5")]
    bought = Purchase(event_id="o", event_time_ms=(BEGIN + 3) * DAY_MS, currency="GBP", lines=lines)
    happened.add(facts_of([bought], [5 + 2**20]))

    assert happened.values(rows).tolist() == [1.0, 0.0]
