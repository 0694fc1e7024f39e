import numpy as np

from stream.scoring.documents import OutcomeDocument
from stream.scoring.linear import LinearModel
from stream.scoring.serving import score_outcomes, serving_model

EVEN = LinearModel((), (), (), (), bias=0.0)
STEEP = LinearModel(("a",), (0.0,), (1.0,), (1.0,), bias=0.0)


def document(serving, candidates):
    return OutcomeDocument(
        name="churn_30d",
        version="1",
        epoch_day=0,
        layout="",
        trained_until_ms=0,
        labels=0,
        positives=0,
        candidates=candidates,
        serving=serving,
        metrics={},
    )


def test_without_a_document_there_is_no_probability_and_the_model_is_none():
    ((served, model, candidates),) = score_outcomes([None], np.zeros((2, 1)), ("a",))
    assert np.isnan(served).all()
    assert (len(served), model, candidates) == (2, "none", {})
    assert serving_model(None) is None


def test_before_a_candidate_serves_there_is_no_probability():
    early = document(None, {})
    (scores,) = score_outcomes([early], np.zeros((1, 1)), ("a",))
    assert np.isnan(scores.served).all()
    assert serving_model(early) is None


def test_the_serving_candidate_is_served_and_all_of_them_are_scored():
    found = document("river_logistic", {"river_logistic": STEEP, "base_rate": EVEN})
    (scores,) = score_outcomes([found], np.array([[0.0], [1.0]]), ("a",))
    assert scores.model == "river_logistic"
    assert scores.served.round(3).tolist() == [0.5, 0.731]
    assert scores.candidates["base_rate"].tolist() == [0.5, 0.5]
    assert serving_model(found) is STEEP
