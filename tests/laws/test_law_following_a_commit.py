"""What every `PartitionStore` must keep of a chunk that follows a commit without asking."""

import pytest

from stream.ports import Commit, Head, LogPosition, SweepProgress

TOPIC = "events.purchases"
EVER = 10**15


async def commit(store, next_offset=1, **fields):
    head, _ = await store.begin(0, 0)
    changes = Commit({TOPIC: LogPosition(next_offset)}, stream_time_ms=next_offset, sequence=next_offset, **fields)
    assert await store.commit(head, changes)


async def test_it_is_given_what_begin_would_give(stores):
    ours, onlooker = stores.partition(3), stores.partition(3)
    await ours.claim("us")
    await commit(ours, deadlines={f"customer-{number}": 5 + number // 2 for number in range(10)})
    asked = [(0, 100), (4, 100), (5, 100), (7, 3), (EVER, 10), (EVER, 100)]
    for next_offset, (until_ms, limit) in enumerate(asked, start=2):
        deadlines, heard = {f"new-{next_offset}": next_offset}, {TOPIC: b"%d" % next_offset}
        await commit(ours, next_offset, deadlines=deadlines, removed=["customer-9"], heard=heard)
        assert ours.follow(until_ms, limit) == await onlooker.begin(until_ms, limit)


async def test_it_is_a_chunk_like_any_other(store):
    await store.claim("us")
    await commit(store, states={"ada": b"1"}, sweep=SweepProgress("v1", "7", 9))
    for number in range(2, 5):
        head, due = store.follow(EVER, 10)
        assert head == Head(number, "us", {TOPIC: LogPosition(number - 1)}, number - 1, number - 1, head.sweep)
        assert due == []
        assert await store.load(["ada"]) == ([b"%d" % (number - 1)], [None])
        changes = Commit({TOPIC: LogPosition(number)}, number, number, states={"ada": b"%d" % number})
        assert await store.commit(head, changes)
    assert (await store.begin(0, 0))[0].sweep == SweepProgress("v1", "7", 9)


async def test_only_a_commit_is_followed_and_once(stores):
    ours, theirs = stores.partition(3), stores.partition(3)
    assert ours.follow(EVER, 10) is None
    await ours.claim("us")
    assert ours.follow(EVER, 10) is None
    await commit(ours)
    assert ours.follow(EVER, 10) is not None
    assert ours.follow(EVER, 10) is None
    for ended in (ours.abandon, ours.close, lambda: ours.begin(0, 0), lambda: ours.claim("us")):
        await commit(ours)
        await ended()
        assert ours.follow(EVER, 10) is None
    head, _ = await ours.begin(0, 0)
    await commit(theirs)
    assert not await ours.commit(head, Commit({}, stream_time_ms=0, sequence=0))
    assert ours.follow(EVER, 10) is None


async def test_after_a_commit_that_nothing_followed_load_and_commit_are_a_bug(store):
    head, _ = await store.begin(0, 0)
    assert await store.commit(head, Commit({}, stream_time_ms=0, sequence=0))
    with pytest.raises(RuntimeError, match="begin"):
        await store.load(["ada"])
    with pytest.raises(RuntimeError, match="begin"):
        await store.commit(head, Commit({}, stream_time_ms=0, sequence=0))


@pytest.mark.parametrize("interferes", ["claim", "commit"])
@pytest.mark.parametrize("early", [True, False], ids=["before it began", "after it began"])
async def test_another_s_claim_or_commit_fences_it(stores, interferes, early):
    ours, theirs = stores.partition(3), stores.partition(3)
    await commit(ours, states={"ada": b"1"})
    begun = None if early else ours.follow(EVER, 10)
    await (theirs.claim("them") if interferes == "claim" else commit(theirs))
    begun = begun or ours.follow(EVER, 10)
    if begun is not None:
        assert not await ours.commit(begun[0], Commit({}, 5, 5, states={"ada": b"2"}, outbox=[(1, b"ours")]))
    await ours.begin(0, 0)
    assert await ours.load(["ada"]) == ([b"1"], [None])
    assert await ours.outbox() == []


@pytest.mark.parametrize("count", [31, 32, 33, 100])
async def test_nobody_due_is_left_out(stores, count):
    ours, onlooker = stores.partition(3), stores.partition(3)
    deadlines = {f"customer-{number}": 5 for number in range(count)}
    for next_offset, limit in enumerate((1, 32, 33, 1_000), start=1):
        await commit(ours, next_offset, deadlines=deadlines)
        begun = ours.follow(5, limit)
        assert begun or min(count + 1, limit) > 32
        assert begun is None or begun[1] == (await onlooker.begin(5, limit))[1]
