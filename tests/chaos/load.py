"""What the deployment has to do: two months of a shop that are read first, then events of the moment (`Feed`).

What else it is asked while it is hurt, to erase customers and to join two, belongs here.
"""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from kafka import KafkaProducer

from ebb.simulate import TOPICS, Shop, ShopSettings, partitions_of
from tests.integration.live_events import now_ms

CUSTOMERS, DAYS = 500, 60


def write_history(servers: str, seed: int, partitions: int) -> int:
    """Write two months that end now, with repeats, late events and misrouted ones; how many events.

    So long a past makes outcomes mature and models be learned while it is read. Workers start after it: on empty topics
    their clock would be at the present at once, and no outcome would mature within minutes.
    """
    end_ms, sent = now_ms(), 0
    start = datetime.fromtimestamp(end_ms / 1000, UTC).date() - timedelta(days=DAYS - 1)
    with closing(KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=20)) as producer:
        for part in Shop(ShopSettings(CUSTOMERS, DAYS, seed, start)).slices():
            addresses = zip(part.topic.tolist(), part.keys, partitions_of(part, partitions), strict=True)
            said = zip(part.values, part.event_time_ms.tolist(), strict=True)
            for (topic, key, partition), (value, time_ms) in zip(addresses, said, strict=True):
                if time_ms <= end_ms:
                    producer.send(TOPICS[topic], key=key, value=value, partition=int(partition))
                    sent += 1
        producer.flush()
    return sent
