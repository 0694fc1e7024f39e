"""The table of a concept change is of the scores stored with the labels, by when they were given."""

import msgspec

from benchmarks.concept_change import _recovery
from benchmarks.labelled import Lived
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.scoring.documents import OutcomeDocument
from stream.scoring.linear import constant
from tests.unit.learning.label_history import labels

CHANGE_DAY = 84


def test_each_column_is_the_mean_loss_of_what_was_said_then():
    history = [
        msgspec.structs.replace(
            label, value=1.0, scores={"served": 0.5, "base_rate": 0.25} | ({"drift_2024_01_01": 0.8} if late else {})
        )
        for row, label in enumerate(labels(140))
        for late in (row >= CHANGE_DAY + 28,)
    ]
    document = OutcomeDocument(
        name="churn_30d",
        version="1",
        epoch_day=CHANGE_DAY,
        layout=LAYOUT,
        trained_until_ms=0,
        labels=1,
        positives=1,
        candidates={"mean_logit": constant(0.125)},
        serving="mean_logit",
        metrics={},
    )
    serving = {("churn_30d", day * DAY_MS): "served" for day in range(140)}
    found = Lived(history, serving, {CHANGE_DAY * DAY_MS: {"churn_30d": document}}, [])
    lines = list(_recovery(found, "churn_30d", CHANGE_DAY * DAY_MS))
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ")}
    assert rows["-84"] == ["28", "2.0794", "0.6931", "–", "1.3863"]
    assert rows["+28"] == ["28", "2.0794", "0.6931", "0.2231", "1.3863"]
    assert lines[-2].split() == ["scored", "by", "begun", "28", "2.0794", "0.6931", "0.2231", "1.3863"]
    assert lines[-1].split() == ["after", "the", "change", "56", "2.0794", "0.6931", "–", "1.3863"]
