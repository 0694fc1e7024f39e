"""A partition made again from its log has erased and merged whom it had."""

import asyncio

import numpy as np
import pytest
from msgspec.structs import replace

from ebb.compose.worker import worker_plan
from ebb.history.another_layout import of_this_layout
from ebb.history.rebuilding import Rebuilding
from ebb.history.resending import Again
from ebb.history.stretches import Stretch
from ebb.history.through_eras import Recovery
from offline.archive.erased import ErasedPlace, note_erased
from offline.archive.erasing import take_out
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.archive.standing import Era, Standing, Waiting
from offline.archive.writing import LogArchive
from schemas.identities import Arrival
from schemas.topics import PURCHASES
from stream.drafts import unpack_outgoing
from stream.features.layout import LAYOUT
from stream.identities.known import unpack_identity
from stream.memory_store import StoredPartition
from stream.settings.worker import WorkerSettings
from stream.worker.log_records import LogRecord
from tests.shop_of_partitions import Shop, at_ms, erasure, merge
from tests.world import PINNED, TWO_OUTCOMES, in_columns, purchase

SETTINGS = WorkerSettings(
    clock="replay",
    model_keys="test:" + "5e" * 32,
    outcomes=TWO_OUTCOMES.outcomes.outcomes,
    alert_outcome=TWO_OUTCOMES.alert_outcome,
)
PLAN = worker_plan(SETTINGS)


def rebuilt(log: list[tuple[LogRecord, int]]) -> StoredPartition:
    """A partition from these records and their stream times alone."""
    records, times = in_columns([record for record, _ in log]), np.array([time_ms for _, time_ms in log])

    async def again() -> StoredPartition:
        rebuilding = Rebuilding(0, 1, PLAN, Waiting())
        await rebuilding.begin()
        await rebuilding.apply(Stretch(records, times, int(times[-1]), timeline="claim 1"), PINNED)
        stored = StoredPartition()
        for commit in rebuilding.commits(1_000):
            stored.apply(commit)
        return stored

    return asyncio.run(again())


def test_a_rebuilt_partition_knows_who_was_erased_and_merged():
    shop = Shop(partitions=1)
    shop.do(*(purchase(name, 0, event_id=f"first of {name}") for name in ("ada", "bob", "cy")))
    shop.do(merge("ada", "bob", 1, event_id="m"), purchase("ada", 2, event_id="second"), erasure("cy", 2, event_id="e"))
    shop.do(purchase("cy", 1, event_id="late"), purchase("cy", 3, event_id="anew"))
    log, before = shop.applied[0], shop.worlds[0].stored
    again = rebuilt(log)
    assert list(again.states) == ["bob", "cy"]
    assert (again.states, again.views, again.identities) == (before.states, before.views, before.identities)
    assert again.timelines == before.timelines == {"claim 1": 2}, "what it has sent holds"


def test_who_was_erased_from_the_archive_too_stays_erased_when_redis_is_rebuilt_from_it(tmp_path):
    shop = Shop(partitions=1)
    shop.do(*(purchase(name, 0, event_id=f"first of {name}") for name in ("ada", "bob", "cy")))
    shop.do(merge("ada", "bob", 1, event_id="m"), purchase("ada", 2, event_id="second"))
    shop.do(erasure("bob", 3, event_id="e")).do(purchase("ada", 4, event_id="anew"))
    log, before = shop.applied[0], shop.worlds[0].stored
    for topic in {record.topic for record, _ in log}:
        archive = LogArchive(tmp_path, topic, 0)
        archive.add([in_archive(record) for record, _ in log if record.topic == topic])
        archive.flush()
    gone = take_out(tmp_path, ["ada", "bob"], at_ms(3))
    assert gone == 5, "two first purchases, one sent on, an arrival, and the second purchase"
    topics = {record.topic for record, _ in log}
    left = {(t, each.offset) for t in topics for each in records_of(read_batches(tmp_path, t, 0))}
    again = rebuilt([each for each in log if (each[0].topic, each[0].offset) in left])
    assert again.states == before.states
    assert again.identities.keys() == before.identities.keys()
    for name, packed in again.identities.items():
        assert unpack_identity(packed).erased_ms == unpack_identity(before.identities[name]).erased_ms == at_ms(3)


@pytest.mark.parametrize(("erased", "known"), [([], {"claim 1": 2}), ([ErasedPlace(0, 0)], {"claim 1": 9})])
def test_what_was_on_its_way_counts_where_records_were_erased_since(tmp_path, erased, known):
    """It has a higher number than the rebuilt ones, and would be taken for what a lost commit had sent."""
    note_erased(tmp_path, PURCHASES, 0, erased)
    part, standing = Rebuilding(0, 1, PLAN, Waiting()), Standing("live", LAYOUT, [Era(1)], {0: Waiting(9)})
    part.stored.timelines["claim 1"] = 2
    recovery = Recovery(SETTINGS, tmp_path, standing)
    recovery._placed(part, recovery._past(0), standing.eras[-1], 0)
    assert (part.stored.timelines, part.stored.head.sequence) == (known, 9)


def in_archive(record: LogRecord) -> ArchivedRecord:
    """As a consumer has it."""
    value = record.value or b""
    return ArchivedRecord(record.offset, record.timestamp_ms, record.key, value, record.headers or ())


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
