"""Whatever happens, a customer's entry in the sorted set is no later than any of its deadlines, and all lie ahead."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.features.stored import unpack
from tests.property.chunk_histories import MODELS, Step, applied, histories
from tests.world import World

KINDS = ("decide_at_ms", "snapshot_at_ms", "close_at_ms")
LONGEST_WAIT_MS = 7 * DAY_MS


@settings(max_examples=30, deadline=None)
@given(histories(), st.sampled_from([*MODELS]), st.sampled_from([1, 5_000]), st.sampled_from([0.0, 33.0]))
def test_the_next_deadline_is_the_earliest_and_none_has_passed(
    history: list[Step], models: str, chunk: int, silence_days: float
) -> None:
    world = applied(World(models=MODELS[models]), [history], chunk, silence_days)
    stored = world.stored
    now_ms = stored.head.stream_time_ms
    for customer, state in zip(stored.states, unpack([*stored.states.values()]), strict=True):
        decision = state["decision"]
        waiting = [int(decision[kind]) for kind in KINDS if decision[kind]]
        assert stored.deadlines[customer] == decision["due_ms"]
        assert now_ms < decision["due_ms"] <= min(waiting)
        assert decision["decide_at_ms"] <= max(now_ms, decision["last_decision_ms"]) + LONGEST_WAIT_MS
        assert bool(decision["close_at_ms"]) == (customer in stored.labels)
        assert decision["last_decision_ms"] <= max(now_ms, state["features"]["last_event_ms"])
