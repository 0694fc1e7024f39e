"""What customers have missed at their own pace, made of the columns that labels carry."""

import numpy as np
import pytest

from stream.features.columns import MODEL_COLUMNS
from stream.features.missed import MISSED_COLUMNS, with_missed

FRESH_BROWSING, BROWSED = MODEL_COLUMNS.index("fresh_browsing"), MODEL_COLUMNS.index("log_browsing_count")
FRESH_ANSWER, ANSWERED = MODEL_COLUMNS.index("fresh_answer"), MODEL_COLUMNS.index("log_answer_count")
AGE = MODEL_COLUMNS.index("log_since_first_purchase_days")


def customer(*, age_days: float, pages: int, last_page_days: float, answers: int = 0, last_answer_days: float = 0.0):
    row = np.zeros((1, len(MODEL_COLUMNS)))
    row[0, [AGE, BROWSED, ANSWERED]] = np.log1p([age_days, pages, answers])
    row[0, FRESH_BROWSING] = 7 / (7 + last_page_days) if pages else 0.0
    row[0, FRESH_ANSWER] = 7 / (7 + last_answer_days) if answers else 0.0
    return row


def missed(row):
    made = with_missed(row, MODEL_COLUMNS)
    assert made[:, : len(MODEL_COLUMNS)].tobytes() == row.tobytes()
    return dict(zip(MISSED_COLUMNS, made[0, len(MODEL_COLUMNS) :].tolist(), strict=True))


def test_three_weeks_without_a_page_are_many_pages_for_one_and_few_for_another():
    often = missed(customer(age_days=186, pages=400, last_page_days=21))  # two pages a day
    seldom = missed(customer(age_days=186, pages=10, last_page_days=21))
    assert np.expm1(often["log_missed_browsing"]) == pytest.approx(42)
    assert np.expm1(seldom["log_missed_browsing"]) == pytest.approx(1.05)
    assert often["log_missed_browsing_above_20"] == pytest.approx(np.log(43 / 21))
    assert often["log_missed_browsing_above_60"] == seldom["log_missed_browsing_above_20"] == 0.0


def test_answers_are_counted_by_themselves():
    found = missed(customer(age_days=86, pages=0, last_page_days=0, answers=10, last_answer_days=50))
    assert [found[name] for name in MISSED_COLUMNS[3:]] == pytest.approx(np.log([6, 1.5]))
    assert [found[name] for name in MISSED_COLUMNS[:3]] == [0.0] * 3


def test_who_was_there_just_now_or_never_has_missed_nothing():
    for row in (customer(age_days=30, pages=9, last_page_days=0), customer(age_days=400, pages=0, last_page_days=0)):
        assert set(missed(row).values()) == {0.0}


def test_rows_without_the_columns_stay_as_they_are():
    row = np.ones((2, 1))
    assert with_missed(row, ("log_purchase_days",)) is row
