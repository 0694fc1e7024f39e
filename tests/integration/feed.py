"""Purchases of now at a steady rate, until told to stop: a load under which something is broken."""

import random
from typing import Any

import msgspec
from kafka import KafkaProducer

from schemas.partition import partition_of
from schemas.topics import ENGAGEMENT, PURCHASES
from schemas.units import DAY_MS
from tests.background import InBackground
from tests.integration.live_events import now_ms, purchase
from tests.integration.processes import PARTITIONS

PAUSE_S = 0.02
CONNECT_EVERY_MS = 500  # by default the producer waits up to 30 s, which would look like a slow recovery
CUSTOMERS = 60
GARBAGE_EVERY, SILENT_EVERY = 10, 25
MISROUTED_EVERY, REPEATED_EVERY = 7, 15


def patient_producer(servers: str) -> KafkaProducer:
    """What Kafka cannot take now waits, and is sent when it can."""
    return KafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        linger_ms=0,
        delivery_timeout_ms=240_000,
        retry_backoff_ms=50,
        reconnect_backoff_max_ms=CONNECT_EVERY_MS,
    )


class Sending(InBackground):
    """A thread that sends records by `_producer` and keeps what answers for each in `_answers`."""

    def __init__(self, servers: str) -> None:
        super().__init__()
        self._producer = patient_producer(servers)
        self._answers: list[Any] = []

    def stop(self) -> None:
        """No more; returns when Kafka has all of it."""
        if not self._closing.is_set():
            super().stop()
            for answer in self._answers:
                answer.get(240)
            self._producer.close()


class Feed(Sending):
    """A thread that sends a purchase and a visit every 20 ms, and now and then garbage, or a customer long silent.

    Records that Kafka cannot take now wait in the producer and are sent when it can. `events` and `garbage` say how
    many there were of each. An untidy one writes some events to another partition, and some twice.
    """

    def __init__(self, servers: str, seed: int = 1, *, partitions: int = PARTITIONS, is_untidy: bool = False) -> None:
        super().__init__(servers)
        self.events = self.garbage = 0
        self._partitions = partitions
        self._is_untidy = is_untidy
        self._dice = random.Random(seed)

    def _run(self) -> None:
        number = 0
        while not self._closing.wait(PAUSE_S):
            number += 1
            customer = f"fed-{self._dice.randrange(CUSTOMERS)}"
            bought = purchase(customer, now_ms(), f"p{number}")
            self._event(PURCHASES, bought, astray=self._is_untidy and number % MISROUTED_EVERY == 0)
            if self._is_untidy and number % REPEATED_EVERY == 0:
                self._event(PURCHASES, bought)
            visit = {"type": "page_view", "event_id": f"v{number}", "event_time_ms": now_ms()}
            self._event(ENGAGEMENT, visit | {"customer_id": customer})
            if number % GARBAGE_EVERY == 0:
                self._send(PURCHASES, b"{", None, number % self._partitions)
                self.garbage += 1
            if number % SILENT_EVERY == 0:
                for days in (40, 38):
                    silent = purchase(f"silent-{number}", now_ms() - days * DAY_MS, f"s{days}-{number}")
                    self._event(PURCHASES, silent)

    def _event(self, topic: str, event: dict[str, Any], *, astray: bool = False) -> None:
        customer = event["customer_id"]
        partition = (partition_of(customer, self._partitions) + astray) % self._partitions
        self._send(topic, msgspec.json.encode(event), customer.encode(), partition)
        self.events += 1

    def _send(self, topic: str, value: bytes, key: bytes | None, partition: int) -> None:
        self._answers.append(self._producer.send(topic, value=value, key=key, partition=partition))
