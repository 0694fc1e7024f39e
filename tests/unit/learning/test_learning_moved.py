"""An outcome that counts some purchases only is moved by what the hazard knows of all."""

import msgspec
import numpy as np
import pytest

from stream.errors import ModelRefusedError
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.features.missed import MISSED_COLUMNS
from stream.learning.moved import HAZARD_SHARE, less, moved
from stream.learning.outcome import OutcomeLearner
from stream.outcomes.declaration import BUILT_IN, CHURN_90D, HIGH_VALUE_90D, PURCHASE_7D, Outcome
from stream.scoring.documents import CALIBRATED, CANDIDATES, MOVED, OutcomeDocument, decode, encode
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MovedLogit, probability
from stream.scoring.linear import LinearModel, logits
from tests.unit.learning.label_history import labels

DAY = 14_700
READ = (*MODEL_COLUMNS, *MISSED_COLUMNS)  # what regressions of an outcome read
FEW_90D = Outcome(name="few_90d", horizon_days=90, true_when="none", minimum_amount="500")


def linear(seed: int, scales: float = 1.0) -> LinearModel:
    random = np.random.default_rng(seed)
    width = len(READ)
    numbers = (random.normal(0, 1, width), np.full(width, scales), random.normal(0, 0.2, width))
    return LinearModel(READ, *(tuple(each.tolist()) for each in numbers), bias=0.3)


def rows() -> np.ndarray:
    return np.random.default_rng(7).normal(0, 1, (20, len(MODEL_COLUMNS)))


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def test_a_share_is_taken_off_whatever_the_two_standardise_by() -> None:
    one, other = linear(1), linear(2, scales=3.0)
    expected = logits(one, rows()) - 0.4 * logits(other, rows())
    assert logits(less(one, other, 0.4), rows()) == pytest.approx(expected, abs=1e-9)


def test_a_hazard_that_counts_for_less_moves_less() -> None:
    half, tenth = (moved(linear(1), linear(2), linear(3), HIGH_VALUE_90D, CHURN_90D, share) for share in (0.5, 0.1))
    assert (half.share, tenth.share) == (HAZARD_SHARE, pytest.approx(HAZARD_SHARE / 5))
    own = logits(linear(1), rows())
    towards_half, towards_tenth = (logit(probability(model, rows())) - own for model in (half, tenth))
    assert towards_tenth == pytest.approx(towards_half / 5, abs=1e-9)


def test_of_two_that_standardise_alike_each_weight_is_one_less_a_share_of_the_other() -> None:
    one = linear(1)
    twice = msgspec.structs.replace(one, weights=tuple(2 * weight for weight in one.weights), bias=0.8)
    found = less(one, twice, 0.25)
    assert (found.means, found.scales) == (one.means, one.scales)
    assert found.weights == pytest.approx([weight / 2 for weight in one.weights], abs=1e-15)
    assert found.bias == pytest.approx(0.1, abs=1e-15)


def test_a_column_without_spread_for_either_is_no_division_by_zero() -> None:
    one = msgspec.structs.replace(linear(1), scales=(0.0,) * len(READ))
    assert np.isfinite(logits(less(one, linear(2), 0.4), rows())).all()
    assert logits(less(linear(2), one, 0.4), rows()) == pytest.approx(logits(linear(2), rows()) - 0.4 * one.bias)


@pytest.mark.parametrize(("outcome", "sign"), [(HIGH_VALUE_90D, -1.0), (FEW_90D, 1.0)])
def test_it_is_moved_by_a_share_of_what_the_hazard_says_beyond_the_regressions(outcome: Outcome, sign: float) -> None:
    mix, churn, weekly = linear(1), linear(2), msgspec.structs.replace(linear(3), bias=-2.5)
    model = moved(mix, churn, weekly, outcome, CHURN_90D)
    hazard = sign * logit(probability(HazardModel(weekly, 90, "none"), rows()))
    expected = logits(mix, rows()) + HAZARD_SHARE * (hazard - sign * logits(churn, rows()))
    assert logit(probability(model, rows())) == pytest.approx(expected, abs=1e-9)


def test_nothing_is_moved_where_hazard_and_regressions_say_the_same() -> None:
    never = HazardModel(linear(3), 90, "any")
    model = MovedLogit(linear(1), never, share=0.0)
    assert probability(model, rows()) == pytest.approx(probability(linear(1), rows()), abs=1e-12)


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(CHURN_90D, horizon_days=60),
        msgspec.structs.replace(CHURN_90D, purchase_days_at_least=2),
        msgspec.structs.replace(CHURN_90D, minimum_amount="100"),
    ],
)
def test_who_asks_of_other_customers_or_days_or_purchases_does_not_move_it(other: Outcome) -> None:
    assert HIGH_VALUE_90D.of_every_purchase((HIGH_VALUE_90D, PURCHASE_7D, other)) is None


def test_an_outcome_of_other_events_is_not_moved() -> None:
    reviews = Outcome(name="review_90d", horizon_days=90, true_when="any", event="review")
    assert reviews.of_every_purchase(BUILT_IN) is None


def high_value() -> OutcomeLearner:
    return OutcomeLearner("high_value_90d", horizon_days=90, moves=(HIGH_VALUE_90D, CHURN_90D))


def test_it_serves_from_the_start_as_soon_as_its_parts_are_there() -> None:
    learner, weekly, every = high_value(), linear(3), linear(2)
    learner.learn(labels(300, outcome="high_value_90d"))
    assert learner.document("1", DAY).serving == learner.document("1", DAY, weekly).serving == "mean_logit"
    document = learner.document("1", DAY, weekly, every)
    assert (document.serving, set(document.candidates)) == (MOVED, {MOVED, *CANDIDATES, CALIBRATED})
    assert document.candidates[MOVED] == moved(
        document.candidates["mean_logit"], every, weekly, HIGH_VALUE_90D, CHURN_90D
    )
    assert document.candidates["mean_logit"] == learner.mix


def test_a_learner_that_was_saved_before_keeps_its_champion_and_gets_the_candidate() -> None:
    before = OutcomeLearner("high_value_90d", horizon_days=90)
    before.learn(labels(300, outcome="high_value_90d"))
    document = high_value().restored(before.to_bytes()).document("1", DAY, linear(3), linear(2))
    assert (document.serving, document.labels) == ("mean_logit", 300)
    assert MOVED in document.candidates


def test_a_restored_learner_goes_on_being_moved() -> None:
    learner = high_value()
    learner.learn(labels(300, outcome="high_value_90d"))
    again = high_value().restored(learner.to_bytes())
    assert again.document("1", DAY, linear(3), linear(2)) == learner.document("1", DAY, linear(3), linear(2))


def test_a_document_with_it_is_read_back_and_one_with_a_share_that_cannot_be_meant_is_refused() -> None:
    learner = high_value()
    learner.learn(labels(300, outcome="high_value_90d"))
    document = learner.document("1", DAY, linear(3), linear(2))
    document = msgspec.structs.replace(document, layout=LAYOUT)
    payload = encode(document)
    read = decode(payload, LAYOUT)
    assert isinstance(read, OutcomeDocument)
    assert read.candidates[MOVED] == document.candidates[MOVED]
    with pytest.raises(ModelRefusedError, match="share 2"):
        decode(payload.replace(b'"share":0.2', b'"share":2.5'), LAYOUT)
