"""A worker that scores with trees of `ebb offline train` says what scikit-learn itself says, to 1e-9, in any chunk."""

import msgspec
import numpy as np
import pytest

from offline.backtest import batch
from offline.training.as_data import boosted, forest
from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.chunk import Models
from stream.decisions import decide, deciding, once, outlook
from stream.features.columns import MODEL_COLUMNS, model_matrix
from stream.features.stored import unpack
from stream.outcomes.snapshot import decode_snapshot
from stream.scoring.documents import decode, encode
from tests.unit.learning.label_history import labels
from tests.world import BEGIN_MS, CENTRES, TWO_OUTCOMES, World, purchase, sampled_on, silence_document

ensemble = pytest.importorskip("sklearn.ensemble")
LAST_DAY = 70
CUSTOMERS = [sampled_on(LAST_DAY - 2, name=name) for name in ("ada", "bob", "cy", "dora", "eve")]


def fitted():
    """Both kinds of trees, as scikit-learn has them, with what they are as data."""
    known = labels(3_000)
    columns, value = np.array([each.columns for each in known]), np.array([each.value for each in known])
    grown = batch.gradient_boosting(columns, value, max_iter=80, max_leaf_nodes=12)
    voting = ensemble.RandomForestClassifier(n_estimators=20, max_leaf_nodes=40, random_state=0).fit(columns, value)
    return {
        "boosting": (grown, boosted(grown, MODEL_COLUMNS, columns.mean(axis=0))),
        "forest": (voting, forest(voting, MODEL_COLUMNS, columns.mean(axis=0))),
    }


MODELS = fitted()


def models(serving):
    """What a worker has when it has read the document of a learner."""
    document = msgspec.structs.replace(
        silence_document(), candidates={name: data for name, (_, data) in MODELS.items()}, serving=serving
    )
    return Models({"churn_30d": decode(encode(document), document.layout)}, CENTRES)


def bought():
    """Purchases of all customers, each with a rhythm of its own, in order of time."""
    events = [
        purchase(customer, 0.3 + number + gap * order, event_id=f"{customer}-{order}", price=f"{5 + 7 * order}.50")
        for number, (customer, gap) in enumerate(zip(CUSTOMERS, (3.0, 7.0, 11.0, 19.0, 40.0), strict=True))
        for order in range(8)
        if 0.3 + number + gap * order < LAST_DAY - 4
    ]
    return sorted(events, key=lambda event: event["event_time_ms"])


@pytest.fixture(params=[1, 7, 5_000], ids="chunks of {}".format)
def chunk(request):
    return request.param


@pytest.mark.parametrize("serving", ["boosting", "forest"])
def test_decisions_snapshots_and_views_have_scikit_learn_s_own_answers(serving, chunk):
    world = World(models=models(serving))
    events = bought()
    for start in range(0, len(events), chunk):
        world.send(*events[start : start + chunk], topic=PURCHASES)
    world.silence_until(LAST_DAY)
    states = unpack([world.stored.states[customer] for customer in CUSTOMERS])
    now_ms = np.full(len(CUSTOMERS), BEGIN_MS + LAST_DAY * DAY_MS)

    asked = once(np.arange(len(CUSTOMERS)), states, now_ms)
    decisions = decide(asked, deciding(world.models, TWO_OUTCOMES))
    decided = outlook(asked, decisions).probabilities[TWO_OUTCOMES.outcomes.names.index("churn_30d")]
    said = MODELS[serving][0].predict_proba(model_matrix(states, now_ms))[:, 1]
    assert len(np.unique(said)) > 2
    np.testing.assert_allclose(decided, said, atol=1e-9, rtol=0)

    day = BEGIN_MS // DAY_MS + LAST_DAY - 2
    at_midnight = model_matrix(states, day * DAY_MS)
    for name, (theirs, _) in MODELS.items():
        stored = [
            decode_snapshot(world.stored.snapshots[customer, day]).scores["churn_30d"][name] for customer in CUSTOMERS
        ]
        np.testing.assert_allclose(stored, theirs.predict_proba(at_midnight)[:, 1], atol=1e-9, rtol=0)

    views = [world.view(customer) for customer in CUSTOMERS]
    assert {view.scores["churn_30d"].model for view in views} == {serving}
    as_of = model_matrix(states, np.array([view.as_of_ms for view in views]))
    shown = [view.scores["churn_30d"].probability for view in views]
    np.testing.assert_allclose(shown, MODELS[serving][0].predict_proba(as_of)[:, 1], atol=5e-7, rtol=0)
    assert all(view.reasons for view in views)


def test_an_alert_opens_in_silence_when_trees_say_so():
    world = World(models=models("boosting"))
    world.send(*bought(), topic=PURCHASES).silence_until(200)
    said = [opened for opened in world.alerts(CUSTOMERS[0]) if opened == "churn-alert.opened"]
    assert said == ["churn-alert.opened"]
