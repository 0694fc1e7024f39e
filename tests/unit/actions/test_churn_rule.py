"""The alert rule as a table: probability, silence, usual gap -> opens."""

import numpy as np
import pytest

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
