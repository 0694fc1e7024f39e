"""A view says how long it holds: until a probability in it, asked again later, would be another one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.chunk import Models
from stream.decisions import SHOWN_AT_MOST_MS, decide, deciding, once, outlook
from stream.features.stored import unpack
from stream.scoring.validity import holds_until_ms
from tests.property.chunk_histories import MODELS, Step, applied, histories
from tests.world import TWO_OUTCOMES, World


def said(states: np.ndarray, at_ms: np.ndarray, models: Models) -> np.ndarray:
    asked = once(np.arange(len(states)), states.copy(), at_ms)
    return outlook(asked, decide(asked, deciding(models, TWO_OUTCOMES))).probabilities


@settings(max_examples=30, deadline=None)
@given(histories(), st.sampled_from([*MODELS]), st.floats(0, 60))
def test_a_view_holds_until_the_first_of_its_probabilities_has_moved(
    history: list[Step], models: str, silent_days: float
) -> None:
    world = applied(World(models=MODELS[models]), [history], 5_000, 0.0)
    states = unpack([*world.stored.states.values()])
    now_ms = states["features"]["last_event_ms"] + round(silent_days * DAY_MS)
    states["decision"]["decide_at_ms"] = now_ms + 5 * DAY_MS
    asked = once(np.arange(len(states)), states, now_ms)

    until_ms = outlook(asked, decide(asked, deciding(MODELS[models], TWO_OUTCOMES))).until_ms
    width_ms = np.full(len(states), min(5 * DAY_MS, SHOWN_AT_MOST_MS))
    times_ms = np.stack([now_ms, now_ms + width_ms // 4, now_ms + width_ms])
    curves = np.array([said(states, at_ms, MODELS[models]) for at_ms in times_ms])
    for customer, found in enumerate(until_ms.tolist()):
        lines = [curves[:, outcome, customer].copy() for outcome in range(curves.shape[1])]
        known = [line for line in lines if not np.isnan(line[0])]
        held = [holds_until_ms(times_ms[:, customer].copy(), line) for line in known]
        assert found == min(held, default=times_ms[-1, customer])
