"""Whatever is committed, Redis and memory hold the same afterwards: memory is so plain that it says what is right."""

import asyncio

import msgspec
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.ports import Commit, LogPosition, SeenBlock
from stream.redis_store import keys
from stream.redis_store.codec import head_of
from stream.redis_store.partition import RedisPartitionStore

PARTITION = 1
CUSTOMERS = st.sampled_from(["ada", "bob", "{9}", "Zoë", "a:1"])
TOPICS = st.sampled_from(["events.purchases", "events.clock"])
SEGMENTS = st.sampled_from(["Champions", "At Risk", "New Customers"])
DAYS = st.integers(0, 3)
VALUES = st.binary(min_size=1, max_size=4)
OFFSETS = st.integers(0, 2**62)

commits = st.builds(
    Commit,
    positions=st.dictionaries(
        TOPICS, st.builds(LogPosition, OFFSETS, OFFSETS, st.integers(0, 2**32 - 1), st.text(max_size=3))
    ),
    stream_time_ms=OFFSETS,
    sequence=OFFSETS,
    states=st.dictionaries(CUSTOMERS, VALUES),
    views=st.dictionaries(CUSTOMERS, VALUES),
    deadlines=st.dictionaries(CUSTOMERS, st.integers(0, 2**53)),
    risks=st.dictionaries(CUSTOMERS, st.floats(0, 1e12)),
    labels=st.dictionaries(CUSTOMERS, st.one_of(VALUES, st.just(b""))),
    snapshots=st.dictionaries(st.tuples(CUSTOMERS, DAYS), VALUES),
    closed_snapshots=st.lists(st.tuples(CUSTOMERS, DAYS)),
    outbox=st.lists(st.tuples(st.integers(1, 9), VALUES), unique_by=lambda message: message[0]),
    forget_outbox=st.lists(st.integers(1, 9)),
    seen=st.dictionaries(TOPICS, st.builds(SeenBlock, VALUES, st.booleans(), st.integers(0, 3))),
    journal=st.binary(max_size=3),
    removed=st.lists(CUSTOMERS, max_size=2),
    identities=st.dictionaries(CUSTOMERS, VALUES),
    timelines=st.dictionaries(CUSTOMERS, OFFSETS, max_size=2),
    heard=st.dictionaries(TOPICS, st.one_of(VALUES, st.just(b""))),
    totals=st.dictionaries(st.sampled_from(["events", "guests"]), st.integers(-(2**40), 2**40)),
)


@st.composite
def histories(draw):
    """Commits whose segment moves start where the customer is, several in one commit as well."""
    where: dict[str, str] = {}
    history = []
    for commit in draw(st.lists(commits, min_size=1, max_size=5)):
        moves = []
        where = {customer: name for customer, name in where.items() if customer not in commit.removed}
        for customer, entered in draw(st.lists(st.tuples(CUSTOMERS, SEGMENTS), max_size=4)):
            moves.append((customer, where.get(customer), entered))
            where[customer] = entered
        history.append(msgspec.structs.replace(commit, segment_moves=moves))
    return history


def on_redis(client: redis.Redis) -> StoredPartition:
    """Everything Redis holds of the partition, read key by key."""
    found = StoredPartition(head_of(client.hgetall(keys.partition_head(PARTITION))))
    for key in client.scan_iter():
        kind, _, rest = key.partition(b":{1}:")
        match kind:
            case b"state":
                found.states[rest.decode()] = client.get(key)
            case b"customer":
                found.views[rest.decode()] = client.get(key)
            case b"snapshot":
                customer, _, day = rest.decode().rpartition(":")
                found.snapshots[customer, int(day)] = client.get(key)
            case b"segment":
                found.segments[rest.decode()] = {member.decode() for member in client.smembers(key)}
            case b"seen":
                found.seen[rest.decode()] = client.lrange(key, 0, -1)
    for customer, deadline in client.zrange(keys.due(PARTITION), 0, -1, withscores=True):
        found.due.append((int(deadline), customer))
        found.deadlines[customer.decode()] = int(deadline)
    found.risks = {
        customer.decode(): risk for customer, risk in client.zrange(keys.risk(PARTITION), 0, -1, withscores=True)
    }
    found.labels = {customer.decode(): value for customer, value in client.hgetall(keys.labels(PARTITION)).items()}
    found.outbox = {int(sequence): packed for sequence, packed in client.hgetall(keys.outbox(PARTITION)).items()}
    stored = client.hgetall(keys.identity(PARTITION)).items()
    found.identities = {name.decode(): packed for name, packed in stored}
    timelines = client.hgetall(keys.timelines(PARTITION)).items()
    found.timelines = {timeline.decode(): int(last) for timeline, last in timelines}
    found.journal = [fields[b"entry"] for _, fields in client.xrange(keys.journal(PARTITION))]
    found.totals = {name.decode(): int(total) for name, total in client.hgetall(keys.shop(PARTITION)).items()}
    return found


def without_empties(stored: StoredPartition) -> StoredPartition:
    """Redis has no empty sets and lists."""
    stored.segments = {name: members for name, members in stored.segments.items() if members}
    stored.seen = {topic: blocks for topic, blocks in stored.seen.items() if blocks}
    return stored


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories())
def test_redis_holds_what_memory_holds_after_any_commits(redis_url, history):
    async def run() -> StoredPartition:
        stored, on_server = StoredPartition(), RedisPartitionStore(redis_url, PARTITION)
        for store in (MemoryPartitionStore(stored), on_server):
            for commit in history:
                head, _ = await store.begin(2**60, 100)
                assert await store.commit(head, commit)
        await on_server.close()
        return stored

    with redis.Redis.from_url(redis_url, protocol=2) as client:
        client.flushdb()
        expected = asyncio.run(run())
        assert on_redis(client) == without_empties(expected)
