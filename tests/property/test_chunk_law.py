"""Meaning is defined record after record: chunks of any size give the same states, views, deadlines and messages."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import LABELS, PURCHASES
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
from tests.property.chunk_histories import MODELS, Step, applied, assert_same, histories, replays
from tests.world import World, purchase


@settings(max_examples=30, deadline=None)
@given(histories(), st.sampled_from([0.0, 1.0, 90.0]), st.sampled_from([*MODELS]), st.sampled_from([1_000, 0, DAY_MS]))
def test_chunks_of_1_7_and_5000_records_give_the_same(
    history: list[Step], silence_days: float, models: str, decide_every_ms: int
) -> None:
    rules = Rules(decide_every_ms=decide_every_ms, alert_outcome="churn_30d")
    assert_same([
        applied(World(models=MODELS[models], rules=rules), [history], chunk, silence_days) for chunk in (1, 7, 5_000)
    ])  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(replays(), st.sampled_from([*MODELS]))
def test_a_lockstep_replay_does_not_depend_on_how_its_days_are_cut(days: list[list[Step]], models: str) -> None:
    worlds = [applied(World(models=MODELS[models], lockstep=True), days, chunk, 0.0) for chunk in (1, 3, 5_000)]
    assert_same(worlds)
    assert [message["day"] for message in worlds[0].messages(LABELS) if message["type"] == "epoch-passed"] == [
        msgspec.json.decode(clock)["time_ms"] // DAY_MS for _, clock, _ in (steps[-1] for steps in days) if clock
    ]


@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS.keys())
def test_a_hot_customer_in_one_chunk_is_the_same_as_one_record_after_another(models: Models) -> None:
    def event(number: int) -> dict[str, Any]:
        day = 12 * (number // 30) + number * 0.000_004  # bursts of three events a second, twelve days apart
        return purchase("hot", day, event_id=f"o{number}", price=f"{10 + number}.00")

    log = [(PURCHASES, msgspec.json.encode(event(number)), event(number)["event_time_ms"]) for number in range(120)]
    assert_same([applied(World(models=models), [log], chunk, 60.0) for chunk in (1, 50, 5_000)])
