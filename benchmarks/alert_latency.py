"""From sending an event to reading the alert it causes, at a steady rate.

Customers who bought twice and then fell silent have open churn alerts; a purchase closes one at once. Among other
events such purchases are sent, each time of sending noted, and the closed alerts are read back from Kafka.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.contestants import Stand
from benchmarks.kafka_log import PARTITIONS, QUIET, fill, new_group
from benchmarks.loads import CUSTOMERS, Record, written
from benchmarks.steady import percentile
from ebb.services.ebb_process import EbbProcess
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened
from schemas.topics import CHURN_ALERTS, PURCHASES
from schemas.units import DAY_MS

EVENTS_PER_S = 2_000
CAUSING_SHARE = 0.1
BOUGHT_DAYS_AGO = (90.0, 75.0)
WHOEVER_IS_SILENT = {"EBB_ALERT_PROBABILITY": "0", "EBB_ALERT_CLOSE_PROBABILITY": "0"}
"""What is measured is a time: how many alerts there are must not depend on what the learner has learned so far."""
WARM_UP_S = 15.0  # a new broker needs a core for its first seconds of single events
ALERTS_WARM_UP_S = 5.0  # of it, the last ones: alerts have a way of their own through worker, broker and reader
SETTLED_AFTER_S, SETTLED_WITHIN_S = 10.0, 300.0  # the learner learns from three months of labels first
RECEIVED_WITHIN_S = 20.0
BURST_S = 0.002  # events due are sent this often


@dataclass
class AlertReader:
    """Reads alerts in a thread, noting when those came that a purchase closed (monotonic s).

    A model that the learner publishes meanwhile closes some by their probability: nothing was sent for these.
    """

    servers: str
    open: set[str] = field(default_factory=set)
    closed_s: dict[str, float] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    _stopping: bool = False

    def __post_init__(self) -> None:
        self._consumer = Consumer({"bootstrap.servers": self.servers, "group.id": new_group("alerts")})
        self._consumer.assign([TopicPartition(CHURN_ALERTS, partition, 0) for partition in range(PARTITIONS)])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        decode = msgspec.json.Decoder(ChurnAlertOpened | ChurnAlertClosed).decode
        while not self._stopping:
            message = self._consumer.poll(0.1)
            if message is None or message.error():
                continue
            now_s = time.monotonic()
            alert = decode(message.value())
            if isinstance(alert, ChurnAlertOpened):
                self.open.add(alert.customer_id)
                continue
            self.open.discard(alert.customer_id)
            if alert.cause == "purchase":
                self.closed_s[alert.customer_id] = now_s
            else:
                self.withdrawn.add(alert.customer_id)

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._thread.join()
        self._consumer.close()


def measure(stand: Stand, processes: int, seconds: float, seed: int) -> dict[str, Any]:
    """Latencies in ms with workers and a learner running.

    Raises:
        RuntimeError: alerts did not open, or some did not close.
    """
    random = np.random.default_rng([seed, 2])
    causing = int((ALERTS_WARM_UP_S + seconds) * EVENTS_PER_S * CAUSING_SHARE)
    silent = _silent_customers(causing, random)
    fill(stand.kafka.address, silent, for_peers=False)
    reader = AlertReader(stand.kafka.address)
    with stand.ebb(processes, EbbProcess, **WHOEVER_IS_SILENT) as ebb:
        settings = stand.settings(ebb.redis.address)
        with EbbProcess("learner", stand.folder / "learner", settings):
            ebb.work_off(len(silent))
            _wait_until_settled(reader, causing)
            sent_s = _send(stand.kafka.address, _live_events(sorted(reader.open), seconds, random))
            _wait_until_closed(reader, sent_s)
    reader.stop()
    counted_s = min(sent_s.values()) + ALERTS_WARM_UP_S
    closed = [customer for customer in sent_s.keys() & reader.closed_s.keys() if sent_s[customer] >= counted_s]
    return told([(reader.closed_s[customer] - sent_s[customer]) * 1000 for customer in closed])


def told(latencies_ms: Sequence[float]) -> dict[str, Any]:
    """Percentiles in ms.

    >>> told([1.0, 2.0, 3.0, 4.0])
    {'p50': 2.0, 'p99': 4.0, 'p999': 4.0, 'max': 4.0, 'alerts': 4, 'events_per_s': 2000}
    """
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
    found: dict[str, Any] = {name: round(percentile(latencies_ms, share), 2) for name, share in shares.items()}
    return found | {"alerts": len(latencies_ms), "events_per_s": EVENTS_PER_S}


def _silent_customers(count: int, random: np.random.Generator) -> list[Record]:
    """Two purchases each, the last one 75 days ago; numbers after those of all other customers."""
    now_ms = time.time_ns() // 1_000_000
    who = np.tile(np.arange(CUSTOMERS, CUSTOMERS + count), len(BOUGHT_DAYS_AGO))
    ago = np.repeat([now_ms - int(days * DAY_MS) for days in BOUGHT_DAYS_AGO], count)
    return written(who, ago + random.integers(0, DAY_MS, len(who)), random, purchase_share=1.0)


def _live_events(
    alerted: Sequence[str], seconds: float, random: np.random.Generator
) -> list[tuple[float, str | None, Record]]:
    """(when to send it in s, whose alert it closes, event) at a steady rate; none closes one while events warm up."""
    events = int((WARM_UP_S + seconds) * EVENTS_PER_S)
    warm_up = int((WARM_UP_S - ALERTS_WARM_UP_S) * EVENTS_PER_S)
    now_ms = time.time_ns() // 1_000_000
    times = now_ms + (np.arange(events) * 1000 / EVENTS_PER_S).astype(np.int64)
    others = written(random.integers(0, CUSTOMERS, events), times, random)
    numbers = np.array([int(customer.removeprefix("c-")) for customer in alerted])
    places = np.sort(warm_up + random.choice(events - warm_up, len(alerted), replace=False))
    closing = dict(zip(places.tolist(), written(numbers, times[places], random, purchase_share=1.0), strict=True))
    return [
        (place / EVENTS_PER_S, closing[place].key.decode(), closing[place])
        if place in closing
        else (place / EVENTS_PER_S, None, record)
        for place, record in enumerate(others)
    ]


def _send(servers: str, events: Sequence[tuple[float, str | None, Record]]) -> dict[str, float]:
    """Send each when it is due; customer -> monotonic time of sending what closes its alert, s."""
    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 0, **QUIET})
    producer.list_topics(PURCHASES)  # connected before the first event is due
    sent_s: dict[str, float] = {}
    began_s = time.monotonic()
    for due_s, closes, record in events:
        while time.monotonic() - began_s < due_s:
            producer.poll(0)
            time.sleep(BURST_S)
        if closes is not None:
            sent_s[closes] = time.monotonic()
        producer.produce(record.topic, record.value, record.key)
    producer.flush(10)
    return sent_s


def _wait_until_settled(reader: AlertReader, wanted: int) -> None:
    """Until enough alerts are open and none was opened or closed for a while."""
    until_s, last, changed_s = time.monotonic() + SETTLED_WITHIN_S, -1, time.monotonic()
    while len(reader.open) < wanted or time.monotonic() - changed_s < SETTLED_AFTER_S:
        if len(reader.open) != last:
            last, changed_s = len(reader.open), time.monotonic()
        if time.monotonic() > until_s:
            raise RuntimeError(f"{len(reader.open):,} alerts are open after {SETTLED_WITHIN_S:.0f} s, not {wanted:,}")
        time.sleep(0.1)


def _wait_until_closed(reader: AlertReader, sent_s: dict[str, float]) -> None:
    until_s = time.monotonic() + RECEIVED_WITHIN_S
    while missing := sent_s.keys() - reader.closed_s.keys() - reader.withdrawn:
        if time.monotonic() > until_s:
            raise RuntimeError(f"{len(missing):,} of {len(sent_s):,} alerts were not closed, such as {min(missing)}")
        time.sleep(0.1)
