"""A real history as untidy producers write it, while workers sleep and are killed: each event counts once, at home."""

import random
import signal
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
from confluent_kafka import Producer
from kafka import KafkaProducer

from ebb.parity import wait_for_lag_zero
from offline.addresses import key_of, topic_of
from schemas.topics import INVALID, PURCHASES, REROUTED
from stream.redis_store.inspection import shop_totals
from tests.background import InBackground
from tests.integration.processes import Deployment, TestedProcess, deployed, eventually
from tests.integration.retail import first_events

EVENTS, SHUFFLED_WITHIN = 2_500, 500
LATE, TWICE = 0.05, 0.1
POISON = (b"{", b"", None, b"[1, 2]", b'{"type":"purchase"}', b"\xff\xfe", b"[" * 50_000, b'{"a":"' + b"x" * 1_200_000)
POISON_EVERY = 100
PAUSE_S = 0.2  # for so many records
SEED = 20_091_201


class Untidy(InBackground):
    """Three producers, each with customers of its own: librdkafka as it comes, librdkafka as Java does, kafka-python.

    Events are shuffled, some come when all others have been sent, some twice, and between them is what is none.
    """

    def __init__(self, servers: str, events: list, seed: int) -> None:
        super().__init__()
        self._servers, self._dice, self.poison = servers, random.Random(seed), 0
        late = [event for event in events if self._dice.random() < LATE]
        in_time = [event for event in events if event not in late]
        parts = [in_time[at : at + SHUFFLED_WITHIN] for at in range(0, len(in_time), SHUFFLED_WITHIN)]
        for part in [*parts, late]:
            self._dice.shuffle(part)
        self._events = [event for part in [*parts, late] for event in part]

    def _run(self) -> None:
        as_it_comes = Producer({"bootstrap.servers": self._servers, "message.max.bytes": 2_000_000})
        as_java = Producer(
            {"bootstrap.servers": self._servers, "partitioner": "murmur2_random", "compression.type": "zstd"}
        )
        with closing(KafkaProducer(bootstrap_servers=self._servers, acks="all", compression_type="gzip")) as python:
            sends = (as_it_comes.produce, as_java.produce, python.send)
            for number, event in enumerate(self._events):
                topic, key, value = topic_of(event), key_of(event).encode(), msgspec.json.encode(event)
                for _ in range(1 + (self._dice.random() < TWICE)):
                    sends[zlib.crc32(key) % len(sends)](topic, value=value, key=key)
                if number % POISON_EVERY == 0:
                    poison = POISON[self.poison % len(POISON)]
                    as_it_comes.produce(PURCHASES, value=poison, key=f"poison-{number}")
                    self.poison += 1
                    self._closing.wait(PAUSE_S)
            assert as_it_comes.flush(60) == as_java.flush(60) == 0

    def until_sent(self) -> None:
        """Wait until everything is in Kafka."""
        self._thread.join()


def lanes(became: str, *workers: TestedProcess) -> Counter[int]:
    """How often they have started, or stopped, the lane of each partition."""
    return Counter(line["partition"] for worker in workers for line in worker.said(f"lane {became}"))


def running(worker: TestedProcess) -> Counter[int]:
    """The partitions it has now."""
    return lanes("started", worker) - lanes("stopped", worker)


def sleeps(shop: Deployment, worker: TestedProcess) -> None:
    """Stop it until the group has given its partitions to others, and let it come back."""
    others = [process for process in shop.processes if process is not worker]
    its_own, starts, theirs = running(worker), lanes("started", worker), lanes("started", *others)
    worker.send(signal.SIGSTOP)
    shop.more(1)
    eventually(lambda: its_own.keys() <= (lanes("started", *others) - theirs).keys(), what="others have its partitions")
    worker.send(signal.SIGCONT)
    eventually(lambda: lanes("started", worker) > starts, what="it is a member again")


def test_a_history_of_untidy_producers_is_what_it_would_be_in_order_though_workers_sleep_and_are_killed(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history = first_events(EVENTS)
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        one, two = shop.start("worker"), shop.start("worker")
        eventually(lambda: running(one) and running(two))
        with Untidy(shop.servers, list(history.events), SEED) as producers:
            shop.more()
            sleeps(shop, one)
            shop.kill(two)
            shop.start("worker")
            producers.until_sent()
        wait_for_lag_zero([shop.servers], redis_url, 60)
        totals, parity = shop_totals(redis_url), shop.parity(history)
        assert (parity.customers, list(parity.mismatches)) == (history.summary.customers, [])
        assert totals["events"] == EVENTS
        assert totals["duplicates"] > EVENTS * TWICE / 2
        assert len(shop.messages(REROUTED)) > EVENTS / 10
        letters = {(r.key, r.value) for r in shop.messages(INVALID)}
        assert len(letters) == totals["dead_letters"] == producers.poison
