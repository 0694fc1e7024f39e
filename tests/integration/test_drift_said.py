"""A running learner says on `ebb.drift` what has moved, also where Kafka or it were away."""

from pathlib import Path
from typing import Any

import msgspec

from schemas.topics import DRIFT, LABELS
from stream.learning.drift_watch import CALIBRATION_SHIFT, LOSS_RISE, WEEK_MS
from tests.integration.processes import deployed, eventually, send
from tests.unit.learning.drifting_labels import CHANGE_WEEK, history


def test_what_has_moved_is_said_once_also_by_a_learner_that_was_killed(
    embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    weeks = range(CHANGE_WEEK - 17, CHANGE_WEEK + 5)
    labels = [label for label in history(truth=2.5) if label.matured_ms // WEEK_MS in weeks]
    before = [label for label in labels if label.matured_ms < (CHANGE_WEEK + 1) * WEEK_MS]
    settings = {"EBB_PUBLISH_EVERY_MS": "100"}
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", settings=settings) as shop:
        said: list[Any] = []

        def are_said(count: int) -> bool:
            said[:] = [msgspec.json.decode(record.value) for record in shop.messages(DRIFT)]
            return len(said) >= count

        first = shop.start("learner")
        send(shop.servers, [(LABELS, msgspec.json.encode(label), 0, None, []) for label in before])
        eventually(lambda: shop.learned_offset("purchase_7d") == len(before), what="the labels before are watched")
        assert not are_said(1)
        shop.kill(first)
        send(shop.servers, [(LABELS, msgspec.json.encode(label), 0, None, []) for label in labels[len(before) :]])
        shop.start("learner")
        eventually(lambda: are_said(2), what="the change is said")
        eventually(lambda: shop.learned_offset("purchase_7d") == len(labels), what="all labels are watched")
        assert are_said(2)
        assert {(each["measure"], each["subject"]) for each in said} == {
            (LOSS_RISE, "purchase_7d"), (CALIBRATION_SHIFT, "purchase_7d"),
        }  # fmt: skip
        assert len({each["message_id"] for each in said}) == len(said) == 2
