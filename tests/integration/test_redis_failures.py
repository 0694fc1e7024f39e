"""Redis killed, paused, cut off, out of memory: a commit is there whole, or not at all, or is said to be unknown."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from ebb.services.embedded_redis import EmbeddedRedis
from stream.errors import LayoutError, StoreUnavailableError
from stream.ports import Commit, LogPosition
from stream.redis_store import keys
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from tests.hurting import again, frozen
from tests.line import Line

TOPIC = "events.purchases"


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of this test's own, to kill, pause and start again on the same data."""
    with EmbeddedRedis(tmp_path) as service:
        yield service
        service.kill()


@pytest.fixture
async def store(own_redis: EmbeddedRedis) -> AsyncIterator[RedisPartitionStore]:
    made = RedisPartitionStore(own_redis.address, 3, answer_within_s=0.5)
    yield made
    await made.close()


def chunk(offset: int, customers: int = 1) -> Commit:
    """A commit whose every value says which chunk wrote it."""
    names = [f"c{number}" for number in range(customers)]
    value = b"%d" % offset
    return Commit(
        positions={TOPIC: LogPosition(offset)},
        stream_time_ms=offset,
        sequence=offset,
        states=dict.fromkeys(names, value.rjust(512)),
        views=dict.fromkeys(names, value.rjust(350)),
        deadlines=dict.fromkeys(names, offset),
        outbox=[(offset, value)],
        totals={"events": 1},
    )


async def applied(store: RedisPartitionStore, offset: int, customers: int = 1) -> bool:
    head, _ = await store.begin(0, 0)
    return await store.commit(head, chunk(offset, customers))


async def offsets_everywhere(store: RedisPartitionStore, customers: int = 1) -> set[int]:
    """The chunks that any part of the partition was written by: one, if no commit was torn."""
    head, due = await store.begin(10**15, customers)
    states, _ = await store.load([f"c{number}" for number in range(customers)])
    found = {head.positions[TOPIC].next_offset, head.stream_time_ms, head.sequence, head.version}
    found |= {deadline for _, deadline in due} | {int(state or b"0") for state in states}
    return found | {(await store.outbox())[-1][0]}


@pytest.mark.parametrize("killed_after_ms", [0, 20, 50, 60, 80, 150])
async def test_a_commit_that_redis_died_in_is_there_whole_or_not_at_all(own_redis, store, killed_after_ms):
    customers = 8_000
    assert await applied(store, 1, customers)
    committing = asyncio.create_task(applied(store, 2, customers))
    await asyncio.wait([committing], timeout=killed_after_ms / 1000)
    own_redis.kill()
    known = await asyncio.gather(committing, return_exceptions=True)
    again(own_redis)
    await store.close()  # where the commit was done before the kill, the connection does not know yet
    after = await offsets_everywhere(store, customers)
    if known == [True]:
        assert after == {2}
    else:
        assert isinstance(known[0], StoreUnavailableError)
        assert after in ({1}, {2})
    assert await applied(store, 3, customers)


async def test_while_redis_is_away_every_call_says_so_and_afterwards_works(own_redis, store):
    await applied(store, 1)
    own_redis.kill()
    for call in (store.begin(0, 0), store.claim("worker-1"), store.outbox(), store.seen_blocks(TOPIC)):
        with pytest.raises(StoreUnavailableError, match=f"127.0.0.1:{own_redis.port}/0 does not work"):
            await call
    again(own_redis)
    assert await offsets_everywhere(store) == {1}


async def test_a_commit_whose_answer_is_lost_is_found_applied(own_redis):
    with Line(own_redis.port) as line:
        store = RedisPartitionStore(line.redis_url, 3)
        head, _ = await store.begin(0, 0)
        line.loses_answers = True
        with pytest.raises(StoreUnavailableError):
            await store.commit(head, chunk(1))
        line.loses_answers = False
        assert await offsets_everywhere(store) == {1}
        await store.close()


async def test_a_commit_that_timed_out_may_still_be_applied_and_its_late_answer_confuses_nobody(own_redis, store):
    await applied(store, 1)
    head, _ = await store.begin(0, 0)
    with frozen(own_redis), pytest.raises(StoreUnavailableError, match="Timeout"):
        await store.commit(head, chunk(2))
    assert await offsets_everywhere(store) == {2}


async def test_a_chunk_does_not_go_on_over_a_new_connection(own_redis, store):
    """The new connection watches nothing: over it, a fenced lane's commit would get through."""
    await applied(store, 1)
    head, _ = await store.begin(0, 0)
    with redis.Redis.from_url(own_redis.address) as client:
        client.client_kill_filter(skipme=True, _type="normal")
    with pytest.raises(StoreUnavailableError):
        await store.forget_outbox([7])
    await store.forget_outbox([7])  # reconnects
    with pytest.raises(StoreUnavailableError, match="within a chunk"):
        await store.load(["c0"])
    with pytest.raises(StoreUnavailableError, match="within a chunk"):
        await store.commit(head, chunk(2))
    assert await offsets_everywhere(store) == {1}


async def test_a_chunk_that_follows_a_commit_does_not_go_on_over_a_new_connection(own_redis, store):
    await applied(store, 1)
    with redis.Redis.from_url(own_redis.address) as client:
        client.client_kill_filter(skipme=True, _type="normal")
    if (begun := store.follow(10**15, 10)) is not None:  # that the line is cut may not have shown yet
        with pytest.raises(StoreUnavailableError):
            await store.commit(begun[0], chunk(2))
    await applied(store, 2)
    await store.forget_outbox([1])
    with redis.Redis.from_url(own_redis.address) as client:
        client.client_kill_filter(skipme=True, _type="normal")
    with pytest.raises(StoreUnavailableError):
        await store.forget_outbox([7])
    assert store.follow(10**15, 10) is None
    await store.forget_outbox([7])  # reconnects
    assert store.follow(10**15, 10) is None
    assert await offsets_everywhere(store) == {2}


async def test_who_claims_between_a_commit_and_the_watch_behind_it_is_not_overwritten(own_redis, store, monkeypatch):
    """A pipeline is no transaction: between its commands others have their turn."""
    await applied(store, 1)
    successor, exchange = RedisPartitionStore(own_redis.address, 3), store._connection.exchange

    async def interrupted(commands, number):
        committed = commands.index((b"EXEC",)) + 1
        answers = await exchange(commands[:committed], number)
        await successor.claim("successor")
        return answers + await exchange(commands[committed:], number)

    head, _ = await store.begin(0, 0)
    monkeypatch.setattr(store._connection, "exchange", interrupted)
    assert await store.commit(head, chunk(2))
    monkeypatch.undo()
    assert store.follow(10**15, 10) is None
    assert (await store.begin(0, 0))[0].owner == "successor"
    await successor.close()


async def test_a_cancelled_call_leaves_no_answer_for_the_next(own_redis, store):
    await applied(store, 1)
    with frozen(own_redis):
        asking = asyncio.create_task(store.seen_blocks(TOPIC))
        await asyncio.wait([asking], timeout=0.05)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert await offsets_everywhere(store) == {1}


async def test_a_redis_without_memory_takes_nothing_of_a_commit(own_redis, store):
    await applied(store, 1)
    with redis.Redis.from_url(own_redis.address) as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailableError, match="maxmemory"):
            await applied(store, 2)
        client.config_set("maxmemory", 0)
    assert await offsets_everywhere(store) == {1}
    assert await applied(store, 2)


async def test_a_replica_takes_nothing_of_a_commit(own_redis, store):
    await applied(store, 1)
    with redis.Redis.from_url(own_redis.address) as client:
        client.replicaof("127.0.0.1", 1)
        with pytest.raises(StoreUnavailableError, match="read only"):
            await applied(store, 2)
        client.replicaof("NO", "ONE")
    assert await offsets_everywhere(store) == {1}


async def test_a_key_that_something_else_wrote_is_a_clear_error(own_redis, store):
    with redis.Redis.from_url(own_redis.address) as client:
        client.set(keys.due(3), "not ours")
    with pytest.raises(LayoutError, match="something else writes to this database"):
        await store.begin(0, 10)


@pytest.mark.parametrize("kilobytes", [1, 100])
async def test_a_redis_that_asks_for_a_password_now_is_away_however_much_is_sent(
    own_redis: EmbeddedRedis, kilobytes: int
) -> None:
    """From who has said none Redis takes no more than 16 kB, and has an error of its own for that."""
    with redis.Redis.from_url(own_redis.address) as client:
        client.config_set("requirepass", "another")
    models = RedisModelStore(own_redis.address)
    with pytest.raises(StoreUnavailableError):
        await models.save_learner("churn_30d", 1, bytes(1024 * kilobytes), b"{}")
    await models.close()
