"""Whom customers are compared with."""

import msgspec
import numpy as np
import pytest

from stream.features.columns import MODEL_COLUMNS
from stream.features.read_back import features_of
from stream.learning.outcome import OutcomeLearner
from stream.scoring.documents import NEWTON
from stream.scoring.linear import LinearModel
from stream.scoring.reference import reference_row
from tests.unit.learning.label_history import labels

HINGES = [at for at, name in enumerate(MODEL_COLUMNS) if "_above_" in name]


def test_the_reference_has_the_mean_of_every_column_learned_but_for_hinges_which_follow_their_logarithm():
    given = labels(400)
    learner = OutcomeLearner("churn_30d")
    learner.learn(given)
    document = learner.document("400", 0)
    row, means = reference_row(document), np.mean([label.columns for label in given], axis=0)
    others = np.setdiff1d(np.arange(len(MODEL_COLUMNS)), HINGES)
    np.testing.assert_allclose(row[others], means[others], rtol=1e-6)
    silence = float(features_of(row)["since_last_purchase_days"])
    above_7 = row[MODEL_COLUMNS.index("log_since_last_purchase_days_above_7")]
    assert above_7 == pytest.approx(max(np.log1p(silence) - np.log1p(7), 0))
    assert abs(means[HINGES] - row[HINGES]).max() > 0.1, "hinges of a mean are no means of hinges"


def test_the_learner_s_own_means_come_before_those_of_a_challenger():
    learner = OutcomeLearner("churn_30d")
    learner.learn(labels(400))
    document = learner.document("400", 0)
    outsider = LinearModel(
        MODEL_COLUMNS, (9.0,) * len(MODEL_COLUMNS), (1.0,) * len(MODEL_COLUMNS), (0.0,) * len(MODEL_COLUMNS), 0.0
    )
    with_outsider = msgspec.structs.replace(document, candidates={"outsider": outsider} | document.candidates)
    assert reference_row(with_outsider).tolist() == reference_row(document).tolist()
    alone = msgspec.structs.replace(document, candidates={"outsider": outsider}, serving="outsider")
    assert NEWTON in document.candidates
    assert reference_row(alone)[0] == 9.0
