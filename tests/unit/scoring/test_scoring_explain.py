import numpy as np
import pytest

from stream.features.columns import MODEL_COLUMNS
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT, by_concept, concepts_of, top_concepts
from stream.scoring.linear import LinearModel

SILENCE, RATIO = "log_since_last_purchase_days", "log_silence_over_gap"
OFTEN, REFUNDS = "log_purchase_days", "refund_share"
MODEL = LinearModel((SILENCE, RATIO, OFTEN, REFUNDS), (0.0,) * 4, (1.0,) * 4, (0.5, 0.4, -1.0, 0.8), bias=-1.0)
COLUMNS = MODEL.columns


def names(codes):
    return [CONCEPT_NAMES[code] for code in codes if code != NO_CONCEPT]


def test_every_model_column_has_a_concept():
    assert {concepts_of(column) for column in MODEL_COLUMNS} == set(CONCEPT_NAMES)


def test_a_column_that_is_none_is_refused():
    with pytest.raises(ValueError, match="'shoe_size' is not a model column"):
        concepts_of("shoe_size")


def test_columns_of_one_concept_count_together():
    row = by_concept(MODEL, np.array([[1.0, 1.0, 2.0, 0.5]]), COLUMNS)[0]
    found = dict(zip(CONCEPT_NAMES, row, strict=True))
    assert found["silence"] == pytest.approx(0.9)
    assert found["frequency"] == pytest.approx(-2.0)
    assert found["refunds"] == pytest.approx(0.4)


def test_the_average_customer_has_no_reasons():
    assert top_concepts(MODEL, np.zeros((1, 4)), columns=COLUMNS).tolist() == [[NO_CONCEPT, NO_CONCEPT]]


def test_reasons_come_heaviest_first_and_only_those_that_raise():
    matrix = np.array([[1.0, 1.0, -3.0, 0.5], [0.1, 0.1, 1.0, 2.0], [-1.0, 0.0, 1.0, 0.0]])
    codes = top_concepts(MODEL, matrix, columns=COLUMNS)
    assert [names(row) for row in codes] == [["frequency", "silence"], ["refunds", "silence"], []]


def test_more_reasons_than_concepts_are_those_there_are():
    assert top_concepts(MODEL, np.ones((3, 4)), n=99, columns=COLUMNS).shape == (3, len(CONCEPT_NAMES))


def test_a_floor_without_columns_has_no_reasons():
    base_rate = LinearModel((), (), (), (), bias=1.0)
    assert names(top_concepts(base_rate, np.ones((1, 4)), columns=COLUMNS)[0]) == []
