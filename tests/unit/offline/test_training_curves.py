"""Partial dependence in units that a person uses."""

import numpy as np
import pytest

from offline.training.influence import curves
from stream.features.columns import MODEL_COLUMNS
from stream.features.model_columns import ENTRIES, Logged

BASKET = next(entry for entry in ENTRIES if isinstance(entry, Logged) and entry.feature == "mean_basket_minor")


@pytest.mark.parametrize(("currency", "most"), [("GBP", 99.0), ("JPY", 9_900.0), ("KWD", 9.9)])
def test_money_is_in_major_units_of_the_shop_s_currency(currency: str, most: float) -> None:
    rows = np.zeros((200, len(MODEL_COLUMNS)), np.float32)
    rows[:, MODEL_COLUMNS.index(BASKET.name)] = np.log1p(9_900.0 / BASKET.unit)
    (curve,) = curves(lambda columns: columns[:, 0], rows, [BASKET.feature], currency)
    assert (curve.feature, curve.unit) == ("mean_basket", currency)
    assert curve.values == pytest.approx([most])
