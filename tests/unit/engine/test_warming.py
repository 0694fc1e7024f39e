"""After warming up nothing is compiled any more, whatever arrives: the first chunk is as quick as any other."""

import json
import sys

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

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
from tests.property.chunk_histories import MODELS
from tests.property.test_records_as_columns import RECEIVED_MS, RULES, whole_events
from tests.unit.features.histories import VOCABULARY
from tests.unit.worker.fetching import purchases
from tests.unit.worker.test_timing import World as Timed
from tests.world import PINNED, Raw, World, purchase, sampled_on


class Compilations:
    """What of ours is compiled, or loaded from what was kept, after `begin`."""

    def begin(self) -> None:
        """From now on."""
        self._before = _versions()

    def since(self) -> set[str]:
        """The functions of which there is another version now."""
        return {name for name, _ in _versions() - self._before}


def _versions() -> set[tuple[str, str]]:
    """Each compiled function of ours with each signature it has machine code for."""
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("stream", "schemas")]
    functions = [value for module in ours for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {(f"{each.__module__}.{each.__name__}", str(version)) for each in functions for version in each.overloads}


@pytest.fixture
def compilations() -> Compilations:
    return Compilations()


@pytest.mark.parametrize("models", [PINNED, MODELS["trees"]], ids=["regressions", "trees"])
def test_a_worker_that_is_warm_compiles_nothing(compilations: Compilations, models: Models) -> None:
    warm_worker(Rules())
    if models is not PINNED:
        warm_trees()
    compilations.begin()
    world = World(models=models)
    world.purchase("ada", day=0).purchase("ada", day=10).page_view("bo", day=11).refund("ada", day=11)
    world.purchase(sampled_on(50), day=45).silence_until(day=60).purchase("ada", day=61)
    world.purchase("ada", day=1)  # too late for a label
    several = [f"customer {number}" for number in range(60)] * 2
    world.send(*[purchase(each, day=62 + place / 50, event_id=f"e{place}") for place, each in enumerate(several)])
    world.silence_until(day=300)
    assert world.outbox.messages
    assert world.labels(sampled_on(50))
    states = unpack([*world.stored.states.values()])
    assert transaction(0, 1, Commit({}, 0, 0, states={"ada": pack(states)[0]}, snapshots={("ada", 1): b"any"}))
    assert compilations.since() == set()


def test_records_are_read_without_compiling(compilations: Compilations) -> None:
    warm_worker(Rules())
    compilations.begin()
    written = [json.dumps(event).encode() for event in whole_events()]
    read = columns_by(RULES, VOCABULARY)(REROUTED, written, [RECEIVED_MS] * len(written))
    assert read is not None
    assert read.is_sure.all()
    raw = [Raw(REROUTED, at, value, RECEIVED_MS) for at, value in enumerate(written)]
    records = of_columns(REROUTED, raw, read, [RECEIVED_MS] * len(raw))
    found = sort_out(records, {REROUTED: SeenWindow([])})
    assert sum(outcomes(records, found).values()) == len(written)
    assert compilations.since() == set()


def test_time_passes_without_compiling(compilations: Compilations) -> None:
    warm_up(Rules())
    compilations.begin()
    timed = Timed()
    timed.inbox.put(purchases(10, 900, 30, 20))
    timed.unread = {PURCHASES}
    assert timed.times()
    assert places_of(merged([np.array([5, 7]), np.array([6])], [False, False], 2), [1, 1]).tolist() == [0, 1]
    assert compilations.since() == set()


def test_warming_up_shows_a_customer_with_scores_and_reasons() -> None:
    changes = warm_up(Rules())
    assert list(changes.views) == ["anybody"]
