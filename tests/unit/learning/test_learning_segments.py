import json
import os
import subprocess
import sys

import numpy as np
import pytest
from river import cluster, preprocessing

from schemas.messages import Label
from schemas.units import DAY_MS
from stream.errors import LayoutError
from stream.features.columns import MODEL_COLUMNS, SEGMENT_COLUMNS, matrix_of, natural, segments_of
from stream.features.layout import LAYOUT, empty
from stream.learning.clusters import fresh, learn_rows
from stream.learning.segments import SegmentLearner, segment_reader


def samples(count, seed=0, outcome="purchase_7d"):
    """Half of the customers are frequent and recent, half bought once long ago."""
    random = np.random.default_rng(seed)
    found = []
    for row in range(count):
        good = row % 2
        features = {
            "log_since_last_purchase_days": random.normal(2.0 if good else 4.0, 0.3),
            "log_purchase_days": random.normal(2.5 if good else 0.7, 0.2),
            "log_decayed_spend_365d_minor": random.normal(8.0 if good else 5.0, 0.5),
            "log_since_first_purchase_days": random.normal(5.5 if good else 4.5, 0.3),
        }
        columns = [float(np.float32(features.get(name, 0.0))) for name in MODEL_COLUMNS]
        found.append(
            Label(
                message_id=f"{outcome}:{seed}:{row}",
                partition=0,
                sequence=row,
                customer_id=str(row),
                outcome=outcome,
                snapshot_ms=0,
                matured_ms=row,
                value=0.0,
                columns=columns,
                scores={},
                layout=LAYOUT,
            )
        )
    return found


def test_the_first_document_comes_after_500_samples():
    learner = SegmentLearner()
    learner.learn(samples(499))
    assert learner.document("1", 14_700) is None
    learner.learn(samples(1, seed=9))
    document = learner.document("1", 14_700)
    assert (document.samples, document.epoch_day, document.columns) == (500, 14_700, SEGMENT_COLUMNS)
    assert {"Champions", "Need Attention"} <= set(document.names)


def test_the_next_documents_come_every_28_days():
    learner = SegmentLearner()
    learner.learn(samples(600))
    given_out = [day for day in range(14_700, 14_760) if learner.document(str(day), day) is not None]
    assert given_out == [14_700, 14_728, 14_756]


def test_other_outcomes_and_repeats_are_passed_over():
    learner = SegmentLearner()
    assert learner.learn(samples(5) + samples(5, outcome="churn_30d") + samples(5)) == 5


def test_a_restored_learner_continues_bit_for_bit_wherever_it_was_saved():
    history = samples(700)
    whole = SegmentLearner()
    whole.learn(history)
    for cut in (0, 1, 250, 699):
        first = SegmentLearner()
        first.learn(history[:cut])
        second = SegmentLearner().restored(first.to_bytes())
        second.learn(history[cut:])
        assert second.to_bytes() == whole.to_bytes()
        assert second.document("1", 14_700) == SegmentLearner().restored(whole.to_bytes()).document("1", 14_700)


def test_state_of_another_layout_is_refused():
    with pytest.raises(LayoutError, match="segments has learned layout"):
        SegmentLearner(layout="newer").restored(SegmentLearner().to_bytes())


def test_segment_columns_read_from_a_label_are_those_computed_from_the_state():
    random = np.random.default_rng(1)
    states = empty(50)
    features = states["features"]
    now_ms = 15_000 * DAY_MS
    features["first_purchase_ms"] = now_ms - random.integers(100, 300, 50) * DAY_MS
    features["last_purchase_ms"] = features["last_event_ms"] = now_ms - random.integers(0, 99, 50) * DAY_MS
    features["purchases"] = 3
    features["purchase_days"][:, 0] = random.integers(1, 1 << 40, 50)
    features["decayed_spend_minor"][:, 3] = random.integers(0, 900_000, 50)
    features["decayed_refund_minor"][:, 3] = random.integers(0, 90_000, 50)
    features["decayed_reference"] = (now_ms // DAY_MS // np.array([7, 30, 90, 365])).astype(np.int32)
    known = natural(states, now_ms)
    read = segment_reader(MODEL_COLUMNS)
    from_labels = read(matrix_of(known).astype(np.float32).astype(float))
    np.testing.assert_allclose(from_labels, segments_of(known), rtol=2e-5, atol=2e-5)
    assert segments_of(known)[:, 2].max() > 5


def test_centres_are_those_of_river() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(3.0, 1.0, (1_000, 4)) + 9.0 * random.random((1_000, 4)).round()
    weights = np.array([0.6, 1.0, 1.0, 1.0])
    ours = fresh(centres=8, columns=4, spread=0.5, seed=7)
    learn_rows(ours, rows[:300], weights, 0.1, 0.005)
    learn_rows(ours, rows[300:], weights, 0.1, 0.005)
    scaler, clusters = preprocessing.StandardScaler(), cluster.KMeans(n_clusters=8, mu=0, sigma=0.5, seed=7)
    clusters.predict_one(dict.fromkeys(range(4), 0.0))
    for learned, row in enumerate(rows.tolist(), start=1):
        columns = dict(enumerate(row))
        scaler.learn_one(columns)
        clusters.halflife = max(0.005, min(0.1, 8 / learned))
        scaled = scaler.transform_one(columns)
        clusters.learn_one({place: max(-6.0, min(scaled[place], 6.0)) * weights[place] for place in range(4)})
    theirs = [[centre[place] for place in range(4)] for centre in clusters.centers.values()]
    np.testing.assert_allclose(ours.centres, theirs, rtol=1e-9)
    np.testing.assert_allclose(ours.means, [scaler.means[place] for place in range(4)], rtol=1e-9)


def test_centres_do_not_depend_on_the_process():
    """Python shuffles sets of text by process; a centre must not notice."""
    script = (
        "from tests.unit.learning.test_learning_segments import samples\n"
        "from stream.learning.segments import SegmentLearner\n"
        "import json; learner = SegmentLearner(); learner.learn(samples(520))\n"
        "print(json.dumps(learner.document('1', 14700).centres))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(json.loads(found.pop())) == 8
