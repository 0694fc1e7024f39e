"""After warming up nothing is compiled any more, whatever arrives: the first chunk is as quick as any other."""

import json
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.event import Event, Listener, register, unregister

from ebb.compose.warming import warm_worker
from schemas.topics import PURCHASES, REROUTED
from stream.alignment import merged, places_of
from stream.chunk import Models, Rules
from stream.columns.events import columns_by
from stream.features.stored import pack, unpack
from stream.ports import Commit
from stream.redis_store.commit import transaction
from stream.warming import warm_trees, warm_up
from stream.worker.counting import outcomes
from stream.worker.log_records import of_columns
from stream.worker.seen import SeenWindow
from stream.worker.sorting import sort_out
from tests.property.test_chunk_law import MODELS
from tests.property.test_records_as_columns import RECEIVED_MS, RULES, whole_events
from tests.unit.features.histories import VOCABULARY
from tests.unit.worker.fetching import purchases
from tests.unit.worker.test_timing import World as Timed
from tests.world import PINNED, Raw, World, sampled_on


class Compilations(Listener):
    """Names what is compiled, or loaded from what was kept."""

    def __init__(self) -> None:
        self.compiled: list[str] = []

    def on_start(self, event: Event) -> None:
        dispatcher: Any = event.data.get("dispatcher")
        if isinstance(dispatcher, Dispatcher):
            self.compiled.append(dispatcher.py_func.__qualname__)

    def on_end(self, event: Event) -> None:
        pass


@pytest.fixture
def compilations() -> Any:
    listener = Compilations()
    register("numba:compile", listener)
    yield listener
    unregister("numba:compile", listener)


@pytest.mark.parametrize("models", [PINNED, MODELS["trees"]], ids=["regressions", "trees"])
def test_a_worker_that_is_warm_compiles_nothing(compilations: Compilations, models: Models) -> None:
    warm_worker(Rules())
    if models is not PINNED:
        warm_trees()
    compilations.compiled.clear()
    world = World(models=models)
    world.purchase("ada", day=0).purchase("ada", day=10).page_view("bo", day=11).refund("ada", day=11)
    world.purchase(sampled_on(50), day=45).silence_until(day=60).purchase("ada", day=61)
    world.purchase("ada", day=1)  # too late for a label
    assert world.outbox.messages
    assert world.labels(sampled_on(50))
    states = unpack([*world.stored.states.values()])
    assert transaction(0, 1, Commit({}, 0, 0, states={"ada": pack(states)[0]}, snapshots={("ada", 1): b"any"}))
    assert compilations.compiled == []


def test_records_are_read_without_compiling(compilations: Compilations) -> None:
    warm_worker(Rules())
    compilations.compiled.clear()
    written = [json.dumps(event).encode() for event in whole_events()]
    read = columns_by(RULES, VOCABULARY)(REROUTED, written, [RECEIVED_MS] * len(written))
    assert read is not None
    assert read.is_sure.all()
    raw = [Raw(REROUTED, at, value, RECEIVED_MS) for at, value in enumerate(written)]
    records = of_columns(REROUTED, raw, read, [RECEIVED_MS] * len(raw))
    found = sort_out(records, {REROUTED: SeenWindow([])})
    assert sum(outcomes(records, found).values()) == len(written)
    assert compilations.compiled == []


def test_time_passes_without_compiling(compilations: Compilations) -> None:
    warm_up(Rules())
    compilations.compiled.clear()
    timed = Timed()
    timed.inbox.put(purchases(10, 900, 30, 20))
    timed.unread = {PURCHASES}
    assert timed.times()
    assert places_of(merged([np.array([5, 7]), np.array([6])], [False, False], 2), [1, 1]).tolist() == [0, 1]
    assert compilations.compiled == []


def test_warming_up_shows_a_customer_with_scores_and_reasons() -> None:
    changes = warm_up(Rules())
    assert list(changes.views) == ["anybody"]
