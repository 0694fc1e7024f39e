"""What every `PartitionStore` must keep."""

import pytest

from stream.ports import Commit, Head, LogPosition, SeenBlock, SweepProgress
from stream.redis_store.client import is_cluster

TOPIC = "events.purchases"
HOSTILE_IDS = ["{7}", "two words", "line\nbreak", "Zoë ☃", "a:b:c", "'\"\\", "*", "\x00", "-inf"]


def changes(next_offset=1, **fields):
    return Commit(positions={TOPIC: LogPosition(next_offset)}, stream_time_ms=1_000, sequence=0, **fields)


async def apply(store, **fields):
    head, _ = await store.begin(0, 0)
    assert await store.commit(head, changes(**fields))


async def due(store, until_ms, limit=100):
    _, entries = await store.begin(until_ms, limit)
    await store.abandon()
    return entries


async def test_a_partition_never_touched_is_at_version_0(store):
    assert await store.begin(10**15, 10) == (Head(), [])


async def test_a_claim_names_the_owner_and_raises_the_version(store):
    assert await store.claim("worker-1") == Head(version=1, owner="worker-1")
    assert await store.claim("worker-2") == Head(version=2, owner="worker-2")
    assert (await store.begin(0, 0))[0] == Head(version=2, owner="worker-2")


async def test_a_commit_keeps_the_owner_and_the_positions_it_does_not_name(store):
    await store.claim("worker-1")
    head, _ = await store.begin(0, 0)
    purchases = LogPosition(12, last_timestamp_ms=1_700_000_000_123, last_crc32=2**32 - 1, topic_id="Zo-ë")
    assert await store.commit(head, Commit({TOPIC: purchases}, stream_time_ms=5, sequence=2))
    head, _ = await store.begin(0, 0)
    assert await store.commit(head, Commit({"events.clock": LogPosition(1)}, stream_time_ms=6, sequence=2))
    expected = Head(3, "worker-1", {TOPIC: purchases, "events.clock": LogPosition(1)}, stream_time_ms=6, sequence=2)
    assert (await store.begin(0, 0))[0] == expected


async def test_what_was_committed_is_loaded_in_the_order_asked_for(store):
    await apply(store, states={"ada": b"A\x00", "bob": b"B"}, labels={"bob": b"open"})
    await store.begin(0, 0)
    assert await store.load(["bob", "nobody", "ada", "bob"]) == (
        [b"B", None, b"A\x00", b"B"],
        [b"open", None, None, b"open"],
    )
    assert await store.load([]) == ([], [])


async def test_any_text_is_a_customer_id(store):
    states = {customer: customer.encode()[::-1] for customer in HOSTILE_IDS}
    await apply(store, states=states, labels=states, deadlines=dict.fromkeys(HOSTILE_IDS, 5))
    _, entries = await store.begin(5, 100)
    assert entries == [(customer, 5) for customer in sorted(HOSTILE_IDS, key=str.encode)]
    assert await store.load(HOSTILE_IDS) == (list(states.values()), list(states.values()))


async def test_nothing_stays_of_a_removed_customer_and_the_rest_of_the_commit_is_written_after_that(store):
    of_all = dict.fromkeys([*HOSTILE_IDS, "ada"], b"A")
    moves = [(customer, None, "At Risk") for customer in of_all]
    await apply(
        store, states=of_all, views=of_all, labels=of_all, deadlines=dict.fromkeys(of_all, 5), segment_moves=moves
    )
    await apply(store, next_offset=2, removed=HOSTILE_IDS, states={HOSTILE_IDS[0]: b"B"}, identities={"5f0c": b"gone"})
    assert await due(store, 5) == [("ada", 5)]
    await store.begin(0, 0)
    assert await store.load([*HOSTILE_IDS, "ada"]) == (
        [b"B", *[None] * (len(HOSTILE_IDS) - 1), b"A"],
        [*[None] * len(HOSTILE_IDS), b"A"],
    )
    assert await store.identities() == {"5f0c": b"gone"}


async def test_whoever_asks_is_told_how_far_the_timelines_of_a_partition_have_sent(stores):
    ours, theirs = stores.partition(3), stores.partition(1)
    await apply(theirs, timelines={"first": 7, "second": 8})
    await apply(theirs, next_offset=2, timelines={"second": 11})
    await apply(ours, timelines={"first": 5})
    await ours.begin(0, 0)
    assert await ours.last_sent([(3, "first"), (3, "second")]) == [5, 0]
    of_others = [None] * 3 if is_cluster(getattr(stores, "url", "")) else [11, 7, 0]
    assert await ours.last_sent([(1, "second"), (1, "first"), (1, "of a lost claim")]) == of_others


async def test_a_commit_after_somebody_elses_is_refused_whole(stores):
    ours, theirs = stores.partition(3), stores.partition(3)
    head, _ = await ours.begin(0, 0)
    await apply(theirs, next_offset=7, states={"ada": b"theirs"})
    assert not await ours.commit(head, changes(states={"ada": b"ours", "bob": b"ours"}, outbox=[(1, b"ours")]))
    assert await ours.outbox() == []
    head, _ = await ours.begin(0, 0)
    assert head.positions[TOPIC].next_offset == 7
    assert (await ours.load(["ada", "bob"]))[0] == [b"theirs", None]
    assert await ours.commit(head, changes(next_offset=8))


async def test_a_claim_fences_whoever_began_before_it(stores):
    zombie, successor = stores.partition(3), stores.partition(3)
    await zombie.claim("zombie")
    head, _ = await zombie.begin(0, 0)
    await successor.claim("successor")
    assert not await zombie.commit(head, changes())


async def test_another_partition_s_commit_disturbs_nobody(stores):
    ours, theirs = stores.partition(3), stores.partition(2)
    head, _ = await ours.begin(0, 0)
    await apply(theirs, states={"ada": b"theirs"})
    assert await ours.commit(head, changes())
    await ours.begin(0, 0)
    assert (await ours.load(["ada"]))[0] == [None]


async def test_a_head_of_an_earlier_chunk_is_refused(store):
    old, _ = await store.begin(0, 0)
    assert await store.commit(old, changes())
    await store.begin(0, 0)
    assert not await store.commit(old, changes(next_offset=2))


async def test_a_head_read_elsewhere_does_not_renew_a_chunk(stores):
    ours, theirs = stores.partition(3), stores.partition(3)
    await ours.begin(0, 0)
    await apply(theirs)
    head, _ = await theirs.begin(0, 0)
    assert not await ours.commit(head, changes(next_offset=2))


async def test_an_abandoned_chunk_neither_writes_nor_hinders_the_next(stores):
    ours, theirs = stores.partition(3), stores.partition(3)
    await ours.begin(0, 0)
    await apply(theirs)
    await ours.abandon()
    await apply(ours, next_offset=2)


async def test_load_and_commit_outside_a_chunk_are_a_bug(store):
    head, _ = await store.begin(0, 0)
    await store.abandon()
    with pytest.raises(RuntimeError, match="begin"):
        await store.load(["ada"])
    with pytest.raises(RuntimeError, match="begin"):
        await store.commit(head, changes())


async def test_a_value_at_risk_that_is_no_number_is_refused_before_anything_is_written(store):
    head, _ = await store.begin(0, 0)
    with pytest.raises(ValueError, match="finite"):
        await store.commit(head, changes(states={"ada": b"A"}, risks={"ada": float("nan")}))
    await store.begin(0, 0)
    assert await store.load(["ada"]) == ([None], [None])


async def test_due_customers_come_earliest_first_then_by_id_and_not_beyond_limit_or_time(store):
    await apply(store, deadlines={"late": 300, "b": 100, "É": 100, "a": 100, "first": 50, "exact": 200, "Z": 100})
    in_order = [("first", 50), ("Z", 100), ("a", 100), ("b", 100), ("É", 100), ("exact", 200)]
    assert await due(store, 200) == in_order
    assert await due(store, 200, limit=3) == in_order[:3]
    assert await due(store, 200, limit=0) == []


async def test_deadlines_move_both_ways_and_vanish(store):
    await apply(store, deadlines={"ada": 100, "bob": 100, "eve": 1_291_852_800_123})
    await apply(store, deadlines={"ada": 90, "bob": 200, "nobody": 0})
    assert await due(store, 10**14) == [("ada", 90), ("bob", 200), ("eve", 1_291_852_800_123)]
    await apply(store, deadlines={"ada": 0, "bob": 0})
    assert await due(store, 10**14) == [("eve", 1_291_852_800_123)]


async def test_empty_accumulators_are_removed(store):
    await apply(store, labels={"ada": b"open", "bob": b"open"})
    await apply(store, labels={"ada": b"", "nobody": b""})
    await store.begin(0, 0)
    assert (await store.load(["ada", "bob"]))[1] == [None, b"open"]


async def test_snapshots_are_kept_until_they_are_closed(store):
    await apply(store, snapshots={("ada", 14_610): b"s1", ("ada", 14_638): b"s2", ("a:1", 1): b"s3"})
    await apply(store, closed_snapshots=[("ada", 14_610), ("ada", 1)])
    await store.begin(0, 0)
    wanted = [("ada", 14_638), ("ada", 14_610), ("a:1", 1)]
    assert await store.load_snapshots(wanted) == [b"s2", None, b"s3"]
    assert await store.load_snapshots([]) == []


async def test_the_outbox_is_read_by_sequence_until_messages_are_forgotten(store):
    await apply(store, outbox=[(9, b"nine"), (10, b"ten")])
    await apply(store, outbox=[(11, b"eleven"), (100, b"hundred")], forget_outbox=[9, 5])
    assert await store.outbox() == [(10, b"ten"), (11, b"eleven"), (100, b"hundred")]
    await store.forget_outbox([100, 10, 3])
    await store.forget_outbox([])
    assert await store.outbox() == [(11, b"eleven")]


async def test_a_long_outbox_is_read_whole(store):
    messages = [(sequence, b"m%d" % sequence) for sequence in range(1, 3_001)]
    await apply(store, outbox=messages)
    assert await store.outbox() == messages


async def test_forgetting_messages_disturbs_no_open_chunk(stores):
    lane, drain = stores.partition(3), stores.partition(3)
    await apply(lane, outbox=[(1, b"one"), (2, b"two")])
    head, _ = await lane.begin(0, 0)
    await drain.forget_outbox([1])
    await lane.forget_outbox([2])
    assert await lane.commit(head, changes())
    assert await lane.outbox() == []


async def test_seen_blocks_are_appended_joined_and_dropped_from_the_old_end(store):
    await apply(store, seen={TOPIC: SeenBlock(b"1", replaces_last=True)})
    await apply(store, seen={TOPIC: SeenBlock(b"2"), "events.profiles": SeenBlock(b"p")})
    await apply(store, seen={TOPIC: SeenBlock(b"3")})
    await apply(store, seen={TOPIC: SeenBlock(b"34", replaces_last=True, drop_first=1)})
    assert await store.seen_blocks(TOPIC) == [b"2", b"34"]
    assert await store.seen_blocks("events.profiles") == [b"p"]
    assert await store.seen_blocks("events.engagement") == []
    await apply(store, seen={TOPIC: SeenBlock(b"5", drop_first=2)})
    assert await store.seen_blocks(TOPIC) == [b"5"]


async def test_an_empty_commit_moves_version_time_and_sequence_only(store):
    await apply(store, states={"ada": b"A"})
    head, _ = await store.begin(0, 0)
    assert await store.commit(head, Commit({}, stream_time_ms=9, sequence=4))
    head, _ = await store.begin(0, 0)
    assert (head.version, head.stream_time_ms, head.sequence) == (2, 9, 4)
    assert head.positions == {TOPIC: LogPosition(1)}


async def test_a_closed_store_opens_again(store):
    await apply(store)
    await store.close()
    await apply(store, next_offset=2)
    assert (await store.begin(0, 0))[0].version == 2


async def pages(store, limit, cursor=""):
    """All pages from a cursor on."""
    found = []
    while True:
        await store.begin(0, 0)
        page = await store.page(cursor, limit)
        await store.abandon()
        found.append(page)
        cursor = page.cursor
        if not cursor:
            return found


async def test_whoever_has_a_deadline_is_on_a_page(store):
    customers = [f"customer-{number}" for number in range(1_000)] + HOSTILE_IDS
    await apply(store, deadlines={customer: 5 + place for place, customer in enumerate(customers)})
    found = await pages(store, 100)
    assert sorted({customer for page in found for customer in page.customers}) == sorted(customers)
    assert {page.of for page in found} == {len(customers)}
    assert len(found) > 5
    assert max(len(page.customers) for page in found) < 300


async def test_pages_go_on_while_deadlines_move(store):
    customers = [f"customer-{number}" for number in range(500)]
    await apply(store, deadlines=dict.fromkeys(customers, 5))
    await store.begin(0, 0)
    first = await store.page("", 50)
    await store.abandon()
    await apply(store, deadlines=dict.fromkeys(customers, 7))
    rest = await pages(store, 50, first.cursor)
    assert {*first.customers, *(customer for page in rest for customer in page.customers)} == {*customers}


async def test_nobody_is_on_the_only_page_of_an_empty_partition(store):
    (page,) = await pages(store, 10)
    assert page == ([], "", 0)


async def test_the_progress_of_a_sweep_stays_until_it_is_written_again(store):
    await apply(store, sweep=SweepProgress("v1", "abc:7", 500))
    await apply(store, next_offset=2)
    assert (await store.begin(0, 0))[0].sweep == SweepProgress("v1", "abc:7", 500)
    await store.abandon()
    await apply(store, next_offset=3, sweep=SweepProgress("v1", "", 900))
    assert (await store.begin(0, 0))[0].sweep == SweepProgress("v1", "", 900)


async def test_what_was_heard_of_a_topic_stays_until_it_is_written_again_and_a_claim_gives_it(store):
    await apply(store, heard={TOPIC: b"1", "events.profiles": b"p"})
    await apply(store, next_offset=2, heard={TOPIC: b"\x00\xff"})
    await apply(store, next_offset=3)
    assert (await store.begin(0, 0))[0].heard == {TOPIC: b"\x00\xff", "events.profiles": b"p"}
    await store.abandon()
    assert (await store.claim("worker-1")).heard == {TOPIC: b"\x00\xff", "events.profiles": b"p"}
    await apply(store, next_offset=4, heard={TOPIC: b"", "events.engagement": b""})
    assert (await store.begin(0, 0))[0].heard == {"events.profiles": b"p"}
