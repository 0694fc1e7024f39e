"""The alert rule as a table: probability, silence, usual gap -> opens."""

import numpy as np
import pytest

from schemas.units import DAY_MS
from stream.actions import alerts
from stream.actions.alerts import ChurnRule

NAN = float("nan")
JUST_BELOW = float(np.nextafter(24.0, 0.0))


@pytest.mark.parametrize(
    ("probability", "silence_days", "mean_gap_days", "opens"),
    [
        (0.8, 24.0, 12.0, True),
        (0.9, 200.0, 12.0, True),
        (0.79999, 24.0, 12.0, False),
        (0.8, JUST_BELOW, 12.0, False),
        (0.8, 14.0, 1.0, True),  # nobody is alerted within two weeks ...
        (0.8, 13.9, 1.0, False),
        (0.8, 180.0, 120.0, True),  # ... nor later than half a year
        (0.8, 179.9, 120.0, False),
        (0.99, 500.0, NAN, False),  # one purchase day has no gap
        (NAN, 500.0, 12.0, False),  # no model
        (0.99, NAN, NAN, False),  # no purchase
    ],
)
def test_an_alert_opens(probability, silence_days, mean_gap_days, opens):
    assert alerts.opens(ChurnRule(), probability, silence_days, mean_gap_days) == opens


@pytest.mark.parametrize(
    ("probability", "closes"), [(0.69999, True), (0.7, False), (0.75, False), (0.9, False), (NAN, False)]
)
def test_an_open_alert_closes(probability, closes):
    assert alerts.closes(ChurnRule(), probability) == closes


@pytest.mark.parametrize("mean_gap_days", [1.0, 12.0, 25 / 3, 7.1234567891, 61.00000001])
def test_a_silence_is_long_from_its_first_moment_on_and_not_a_millisecond_before(mean_gap_days):
    bought_ms = 1_290_000_000_123
    first_ms = alerts.long_silent_ms(ChurnRule(), bought_ms, mean_gap_days)
    silences_days = [(at_ms - bought_ms) / DAY_MS for at_ms in (first_ms - 1, first_ms)]
    is_long = [alerts.long_silent(ChurnRule(), days, mean_gap_days) for days in silences_days]
    assert is_long == [False, True]
