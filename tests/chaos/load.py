"""What the deployment has to do: two months of a shop that are read first, then events of the moment (`Feed`), and
records about who customers are."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

import msgspec
from kafka import KafkaProducer

from ebb.simulate import TOPICS, Shop, ShopSettings, partitions_of
from schemas.identities import Erasure, Merge
from schemas.partition import partition_of
from schemas.topics import PROFILES
from tests.integration import feed
from tests.integration.live_events import now_ms

CUSTOMERS, DAYS = 500, 60
PAUSES_S = (0.0, 0.8)


@dataclass(frozen=True)
class Written:
    """How many events there are of the past, and whose."""

    events: int
    customers: Sequence[str]


class _Whose(msgspec.Struct):
    customer_id: str = ""


def write_history(servers: str, seed: int, partitions: int) -> Written:
    """Write two months that end now, with repeats, late events and misrouted ones.

    So long a past makes outcomes mature and models be learned while it is read. Workers start after it: on empty topics
    their clock would be at the present at once, and no outcome would mature within minutes.
    """
    end_ms, sent, customers = now_ms(), 0, set[str]()
    start = datetime.fromtimestamp(end_ms / 1000, UTC).date() - timedelta(days=DAYS - 1)
    with closing(KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=20)) as producer:
        for part in Shop(ShopSettings(CUSTOMERS, DAYS, seed, start)).slices():
            addresses = zip(part.topic.tolist(), part.keys, partitions_of(part, partitions), strict=True)
            said = zip(part.values, part.event_time_ms.tolist(), strict=True)
            for (topic, key, partition), (value, time_ms) in zip(addresses, said, strict=True):
                if time_ms <= end_ms:
                    producer.send(TOPICS[topic], key=key, value=value, partition=int(partition))
                    customers.add(msgspec.json.decode(value, type=_Whose).customer_id)
                    sent += 1
        producer.flush()
    return Written(sent, sorted(customers - {""}))


class Office(feed.Sending):
    """A thread that erases and merges customers, of whom events keep coming and of the past, and waits for nothing.

    Records about one person often follow each other within a millisecond, on their way between partitions: chains, the
    erasure of whoever was just merged, two merged into each other.
    """

    def __init__(self, servers: str, seed: int, partitions: int, customers: Sequence[str]) -> None:
        super().__init__(servers)
        self.records = 0
        self._partitions = partitions
        self._dice = Random(seed)
        self._customers = [*(f"fed-{number}" for number in range(feed.CUSTOMERS)), *customers]

    def _run(self) -> None:
        while not self._closing.wait(self._dice.uniform(*PAUSES_S)):
            fed, other, *more = self._dice.sample(self._customers[: feed.CUSTOMERS], 3)
            chain = [fed, self._dice.choice([other, *self._customers]), *more][: self._dice.choice((2, 2, 3))]
            if fed in chain[1:]:
                continue
            steps = [self._merge(one, into) for one, into in pairwise(chain)]
            match self._dice.choice(("chain", "turned", "circle", "erased", "erased", "erasure")):
                case "turned":  # the last link first
                    steps.reverse()
                case "circle":
                    steps.append(self._merge(chain[-1], fed))
                case "erased":
                    steps.append(self._erasure(self._dice.choice(chain)))
                case "erasure":
                    steps = [self._erasure(self._dice.choice(chain))]
            for step in steps:
                self._write(step)

    def _merge(self, customer: str, into: str) -> Merge:
        return Merge(event_id=self._name(), event_time_ms=0, customer_id=customer, into=into)

    def _erasure(self, customer: str) -> Erasure:
        return Erasure(event_id=self._name(), event_time_ms=0, customer_id=customer)

    def _name(self) -> str:
        return UUID(int=self._dice.getrandbits(128)).hex

    def _write(self, record: Erasure | Merge) -> None:
        customer, told = record.customer_id, msgspec.structs.replace(record, event_time_ms=now_ms())
        partition = partition_of(customer, self._partitions)
        value = msgspec.json.encode(told)
        self._answers.append(self._producer.send(PROFILES, value, key=customer.encode(), partition=partition))
        self.records += 1
