"""What is stored, seen from outside: for `ebb demo`, `ebb verify` and the commands. Nothing asks per customer."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from stream.drafts import unpack_outgoing
from stream.ports import Head
from stream.redis_store import keys
from stream.redis_store.client import async_client, explaining, is_cluster, sync_client
from stream.redis_store.codec import head_of
from stream.redis_store.deployment import read_deployment
from stream.redis_store.scanning import async_scanned


async def scan_states(url: str) -> AsyncIterator[tuple[str, bytes]]:
    """Every stored (customer, packed record), in no order.

    As SCAN promises: who is there all the time comes at least once; while records are added somebody may come twice.
    In a cluster somebody may be missed while their slot moves from one node to another.
    """
    with explaining(url):
        async with async_client(url) as client:
            ask = client.mget_nonatomic if is_cluster(url) else client.mget
            async for found in async_scanned(client, b"state:{*}:*"):
                values: list[Any] = await ask(found) if found else []
                for key, packed in zip(found, values, strict=True):
                    if packed is not None:
                        yield keys.customer_of_state(key), packed


def heads(url: str) -> list[Head]:
    """The heads of all partitions, by number."""
    return [
        head_of(fields)
        for fields in _every_partition(url, lambda pipeline, p: pipeline.hgetall(keys.partition_head(p)))
    ]


def applied_positions(url: str) -> dict[tuple[str, int], int]:
    """(topic, partition) -> next offset to apply. Partitions that nothing was applied of are absent."""
    return {
        (topic, partition): position.next_offset
        for partition, head in enumerate(heads(url))
        for topic, position in head.positions.items()
    }


def stream_times(url: str) -> dict[int, int]:
    """Partition -> stream time, ms; 0 before the first record."""
    return {partition: head.stream_time_ms for partition, head in enumerate(heads(url))}


def shop_totals(url: str) -> dict[str, int]:
    """Totals of the shop over all partitions."""
    totals: Counter[str] = Counter()
    for fields in _every_partition(url, lambda pipeline, p: pipeline.hgetall(keys.shop(p))):
        totals.update({name.decode(): int(value) for name, value in fields.items()})
    return dict(totals)


def outbox_depths(url: str) -> dict[int, int]:
    """Partition -> messages committed and not yet acknowledged by Kafka."""
    return dict(enumerate(_every_partition(url, lambda pipeline, p: pipeline.hlen(keys.outbox(p)))))


def waiting_messages(url: str, topic: str) -> int:
    """Messages for one topic that are committed and not yet acknowledged by Kafka."""
    outboxes = _every_partition(url, lambda pipeline, p: pipeline.hvals(keys.outbox(p)))
    return sum(unpack_outgoing(packed).topic == topic for outbox in outboxes for packed in outbox)


def learner_metrics(url: str, name: str) -> bytes | None:
    """The metrics a learner saved last, as it encoded them."""
    with explaining(url), sync_client(url) as client:
        metrics: Any = client.hget(keys.learner(name), "metrics")
        return None if metrics is None else bytes(metrics)


def _every_partition(url: str, ask: Callable[[Any, int], object]) -> list[Any]:
    """Replies to the same question about every partition, in one round trip after `meta`."""
    with explaining(url), sync_client(url) as client:
        partitions = read_deployment(client, url).partitions
        return _pipelined(client, partitions, ask)


def _pipelined(client: Any, partitions: int, ask: Callable[[Any, int], object]) -> list[Any]:
    with client.pipeline(transaction=False) as pipeline:
        for partition in range(partitions):
            ask(pipeline, partition)
        replies: list[Any] = pipeline.execute()
        return replies
