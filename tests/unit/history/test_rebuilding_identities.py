"""A partition made again from its log has erased and merged whom it had."""

import asyncio

import numpy as np
from msgspec.structs import replace

from ebb.compose.worker import worker_plan
from ebb.history.another_layout import of_this_layout
from ebb.history.past import Stretch
from ebb.history.rebuilding import Again, Rebuilding
from offline.archive.standing import Waiting
from schemas.identities import Arrival
from stream.drafts import unpack_outgoing
from stream.memory_store import StoredPartition
from stream.settings.worker import WorkerSettings
from tests.shop_of_partitions import Shop, erasure, merge
from tests.world import PINNED, TWO_OUTCOMES, in_columns, purchase

SETTINGS = WorkerSettings(
    clock="replay",
    model_keys="test:" + "5e" * 32,
    outcomes=TWO_OUTCOMES.outcomes.outcomes,
    alert_outcome=TWO_OUTCOMES.alert_outcome,
)
PLAN = worker_plan(SETTINGS)


def test_a_rebuilt_partition_knows_who_was_erased_and_merged():
    shop = Shop(partitions=1)
    shop.do(*(purchase(name, 0, event_id=f"first of {name}") for name in ("ada", "bob", "cy")))
    shop.do(merge("ada", "bob", 1, event_id="m"), purchase("ada", 2, event_id="second"), erasure("cy", 2, event_id="e"))
    shop.do(purchase("cy", 1, event_id="late"), purchase("cy", 3, event_id="anew"))
    log, before = shop.applied[0], shop.worlds[0].stored
    records, times = in_columns([record for record, _ in log]), np.array([time_ms for _, time_ms in log])

    async def rebuilt() -> StoredPartition:
        rebuilding = Rebuilding(0, 1, PLAN, Waiting())
        await rebuilding.begin()
        await rebuilding.apply(Stretch(records, times, int(times[-1]), timeline="claim 1"), PINNED)
        again = StoredPartition()
        for commit in rebuilding.commits(1_000):
            again.apply(commit)
        return again

    again = asyncio.run(rebuilt())
    assert list(again.states) == ["bob", "cy"]
    assert (again.states, again.views, again.identities) == (before.states, before.views, before.identities)
    assert again.timelines == before.timelines == {"claim 1": 2}, "what it has sent holds"


def test_who_was_on_the_way_under_another_layout_is_sent_again_and_arrives():
    shop = Shop(partitions=1)
    shop.do(*(purchase(name, 0, event_id=f"first of {name}") for name in ("ada", "bob")))
    shop.do(merge("ada", "bob", 1, event_id="m"))
    log, before = shop.applied[0], shop.worlds[0].stored
    times = np.array([time_ms for _, time_ms in log])
    archived = [replace(record, decoded=as_read_back(record.decoded)) for record, _ in log]

    async def rebuilt() -> StoredPartition:
        rebuilding = Rebuilding(0, 1, PLAN, Waiting(), Again.WHAT_HAS_A_LAYOUT)
        await rebuilding.begin()
        await rebuilding.apply(Stretch(in_columns(archived), times, int(times[-1])), PINNED)
        (sent,) = rebuilding.stored.outbox.values()
        arrived = in_columns(shop.worlds[0].rerouted(unpack_outgoing(sent)))
        assert rebuilding.stored.states["bob"] != before.states["bob"]
        await rebuilding.apply(Stretch(arrived, times[-1:], int(times[-1])), PINNED)
        return rebuilding.stored

    again = asyncio.run(rebuilt())
    assert (again.states, again.identities.keys()) == (before.states, before.identities.keys())


def as_read_back(decoded):
    """A record of the log, if all of another layout had it."""
    return of_this_layout(replace(decoded, layout="another") if isinstance(decoded, Arrival) else decoded)
