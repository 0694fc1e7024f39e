"""Features from columns: what the columns were made of."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from stream.features.columns import MODEL_COLUMNS, matrix_of, natural
from stream.features.model_columns import ENTRIES
from stream.features.read_back import features_of, row_of
from tests.unit.features.histories import START_MS, YEARS_3_MS, folded, histories


@settings(max_examples=60, deadline=None)
@given(histories())
def test_features_are_read_back_from_their_columns_and_rows_made_anew(history: list) -> None:
    features = natural(folded(history), START_MS + YEARS_3_MS)
    for at, row in enumerate(matrix_of(features)):
        read = features_of(row)
        for entry in ENTRIES:
            known = float(features[entry.feature][at])
            if not math.isnan(known):
                assert read[entry.feature] == pytest.approx(known, rel=1e-9, abs=1e-9), entry.feature
        net_minor = float(features["net_spend_365d_minor"][at])
        assert read["net_spend_365d_minor"] == pytest.approx(net_minor, rel=1e-9, abs=1e-6)
        assert row_of(dict(zip(MODEL_COLUMNS, row.tolist(), strict=True))).tolist() == row.tolist()


def test_a_time_since_something_that_never_was_is_unknown() -> None:
    assert math.isnan(features_of(np.zeros(len(MODEL_COLUMNS)))["since_last_answer_days"])


def test_a_mean_that_no_customers_have_is_read_as_a_number() -> None:
    assert math.isfinite(features_of(np.full(len(MODEL_COLUMNS), 1e6))["decayed_spend_365d_minor"])
