"""A shop of one partition over the memory store: publish records, let time pass, see what came of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.decode import DecodeRules, decode
from schemas.origin import Origin, headers_of, origin_of
from schemas.topics import (
    CHURN_ALERTS,
    CLOCK,
    ENGAGEMENT,
    LABELS,
    PURCHASES,
    REROUTED,
    SEGMENT_CHANGES,
    SOURCE_TOPICS,
)
from schemas.units import DAY_MS
from stream.chunk import Models, Rules, StreamTimes
from stream.drafts import Outgoing, unpack_outgoing
from stream.features.layout import LAYOUT
from stream.features.stored import unpack
from stream.memory_store import MemoryPartitionStore, StoredPartition
from stream.outcomes.declaration import CHURN_30D, PURCHASE_7D
from stream.outcomes.declared import DeclaredOutcomes
from stream.outcomes.sampling import customer_hash, is_sampled
from stream.scoring.documents import OutcomeDocument, SegmentDocument
from stream.scoring.linear import LinearModel
from stream.views import View
from stream.worker.applying import Applying
from stream.worker.assembly import Assembly
from stream.worker.inbox import Batch
from stream.worker.log_records import LogRecord, LogRecords, joined, of_topic

BEGIN_MS = 14_600 * DAY_MS  # 2009-12-22
RULES = DecodeRules(currency="GBP")

TWO_OUTCOMES = Rules(outcomes=DeclaredOutcomes((CHURN_30D, PURCHASE_7D)), alert_outcome=CHURN_30D.name)
"""Few enough to look at every label of a test."""

SILENCE_MODEL = LinearModel(("log_since_last_purchase_days",), (2.0,), (1.0,), (1.5,), 0.0)
"""Even odds after 6.4 days of silence, four in five after 17."""

CENTRES = SegmentDocument(
    version="s1",
    epoch_day=0,
    layout=LAYOUT,
    means=(2.0, 1.0, 3.0, 3.0),
    scales=(1.0, 1.0, 1.0, 1.0),
    centres=((1.5, 0.0, 0.0, 0.0), (-1.0, 1.0, 1.0, 0.0), (-0.5, -0.5, 0.0, -2.0)),
    names=("At Risk", "Champions", "New Customers"),
    samples=500,
)


def silence_document(name: str = "churn_30d", version: str = "v1") -> OutcomeDocument:
    """A document whose serving floor knows silence alone."""
    return OutcomeDocument(
        name=name,
        version=version,
        epoch_day=0,
        layout=LAYOUT,
        trained_until_ms=0,
        labels=300,
        positives=100,
        candidates={"since_last_purchase": SILENCE_MODEL},
        serving="since_last_purchase",
        metrics={},
    )


PINNED = Models({"churn_30d": silence_document()}, CENTRES)

decode_view = msgspec.json.Decoder(View).decode


class KeptOutbox:
    """Stands where the publisher does: keeps what is committed."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes]] = []

    def add(self, messages: Sequence[tuple[int, bytes]], _caused: object = None) -> None:
        self.messages.extend(messages)

    def take_acknowledged(self) -> list[int]:
        return []

    def give_back(self, sequences: list[int]) -> None:
        raise AssertionError(f"nobody else writes here: {sequences}")

    def outgoing(self, after: int = 0) -> list[Outgoing]:
        """What is kept, but for the first `after` messages."""
        return [unpack_outgoing(packed) for _, packed in self.messages[after:]]


def purchase(
    customer: str | None, day: float, *, event_id: str, price: str = "12.50", quantity: int = 2
) -> dict[str, Any]:
    """A purchase as it is on the wire, `day` days after the beginning."""
    event = {
        "type": "purchase",
        "event_id": event_id,
        "event_time_ms": BEGIN_MS + round(day * DAY_MS),
        "currency": "GBP",
        "channel": "online",
        "lines": [{"product_id": "85048", "quantity": quantity, "unit_price": price}],
    }
    return event if customer is None else event | {"customer_id": customer}


def refund(customer: str | None, day: float, *, event_id: str, price: str = "12.50") -> dict[str, Any]:
    """A refund of two pieces, as it is on the wire."""
    return purchase(customer, day, event_id=event_id, price=price, quantity=-2) | {"type": "refund"}


def engagement(kind: str, customer: str | None, day: float, *, event_id: str, **fields: Any) -> dict[str, Any]:
    """An event of `kind` as it is on the wire; a profile looks like one too."""
    event = {"type": kind, "event_id": event_id, "event_time_ms": BEGIN_MS + round(day * DAY_MS)} | fields
    return event if customer is None else event | {"customer_id": customer}


@dataclass(frozen=True)
class Raw:
    """A record as the consumer hands it over."""

    topic: str
    offset: int
    value: bytes | None
    timestamp: int = BEGIN_MS + 4_000 * DAY_MS
    key: bytes | None = b"key"
    headers: Sequence[tuple[str, bytes]] = ()


def in_columns(records: Sequence[LogRecord]) -> LogRecords:
    """Records as a batch holds them."""
    runs = ((topic, list(run)) for topic, run in groupby(records, key=lambda each: each.topic))
    return joined([of_topic(topic, list(map(_raw, run)), [each.decoded for each in run]) for topic, run in runs])


def _raw(each: LogRecord) -> Raw:
    headers = each.headers or _headers(each.sent_from)
    return Raw(each.topic, each.offset, each.value, each.timestamp_ms, each.key, headers)


def _headers(origin: Origin | None) -> Sequence[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in headers_of(origin).items()] if origin else ()


def sampled_on(*days: int, name: str = "customer") -> str:
    """An id that is sampled at the midnights these many days after the beginning, and on none of the 40 days before."""
    asked = np.arange(days[0] - 40, days[-1] + 1)
    candidates = (f"{name}-{number}" for number in count())
    return next(candidate for candidate in candidates if sampled_days(candidate, asked) == list(days))


def sampled_days(name: str, days: NDArray[np.int64]) -> list[int]:
    """Those of some days after the beginning on which a customer is sampled."""
    hashes = np.full(len(days), customer_hash(name), np.uint64)
    return [int(day) for day in days[is_sampled(hashes, days + BEGIN_MS // DAY_MS)]]


@dataclass
class World:
    """One partition, chunks of any size. Records keep their stream times: by default that of the event itself."""

    models: Models = PINNED
    rules: Rules = TWO_OUTCOMES
    store: MemoryPartitionStore | None = None
    lockstep: bool = False
    due_at_once: int = 5_000
    may_lag: bool = False
    number: int = 0
    partitions: int = 1

    def __post_init__(self) -> None:
        self.outbox = KeptOutbox()
        self._partition = self.store or MemoryPartitionStore(StoredPartition())
        self._claims = 0
        self._assembly = Assembly(self.number, self.partitions, self.rules, lockstep=self.lockstep)
        self.applying = Applying(
            self.number,
            "test",
            self._partition,
            self.outbox,
            self._assembly,
            self.due_at_once,
            {},
            may_lag=self.may_lag,
        )
        self._offsets: dict[str, int] = {}
        self._events = 0
        self._now_ms = 0
        asyncio.run(self._claim())

    async def _claim(self) -> None:
        await self.applying.load(await self._partition.claim("test"))
        self._claims += 1
        self._assembly.timeline = f"claim {self._claims}"  # of its own for each, and the same in every run

    def claim_again(self) -> None:
        """After what is stored has become another, as a worker does that starts."""
        self._now_ms = self.stored.head.stream_time_ms
        asyncio.run(self._claim())

    def record(self, topic: str, value: bytes | None, *, timestamp_ms: int | None = None) -> LogRecord:
        """The next record of a topic."""
        offset = self._offsets.get(topic, 0)
        self._offsets[topic] = offset + 1
        timestamp_ms = timestamp_ms or BEGIN_MS + 4_000 * DAY_MS
        return LogRecord(topic, offset, timestamp_ms, b"key", value, decode(topic, value, timestamp_ms, RULES))

    def rerouted(self, *sent: Outgoing) -> list[LogRecord]:
        """The next records of `events.rerouted`, as another partition has sent them."""
        records = []
        for message in sent:
            record, origin = self.record(REROUTED, None), origin_of(message.headers, SOURCE_TOPICS)
            written_ms = origin.timestamp_ms if origin else record.timestamp_ms
            decoded = decode(REROUTED, message.value, written_ms, RULES)
            changed = {"key": message.key, "value": message.value, "decoded": decoded, "sent_from": origin}
            records.append(msgspec.structs.replace(record, headers=message.headers, **changed))
        return records

    def apply(self, records: list[LogRecord], times_ms: Sequence[int], end_ms: int | None = None) -> None:
        """One chunk; of a replay, if its last record is the clock's."""
        previous: dict[str, int] = {}
        for record in records:
            previous.setdefault(record.topic, record.offset)
        times = np.maximum.accumulate(np.array([self._now_ms, *times_ms], np.int64))[1:]
        end_ms = max(end_ms or 0, int(times[-1]) if len(times) else 0, self._now_ms)
        self._now_ms = end_ms
        clock_ms = records[-1].decoded.time_ms if records and records[-1].topic == CLOCK else None
        batch = Batch(in_columns(records), previous, clock_ms)
        asyncio.run(self.applying.apply(batch, StreamTimes(times, end_ms), self.models))

    def send(self, *events: dict[str, Any], topic: str = PURCHASES) -> "World":
        """Events in one chunk, each at the stream time of its own event time."""
        records = [self.record(topic, msgspec.json.encode(event)) for event in events]
        self.apply(records, [event["event_time_ms"] for event in events])
        return self

    def purchase(self, customer: str | None, day: float, **changes: Any) -> "World":
        """One purchase in a chunk of its own."""
        self._events += 1
        return self.send(purchase(customer, day, **({"event_id": f"order-{self._events}"} | changes)))

    def refund(self, customer: str, day: float, **changes: Any) -> "World":
        """One refund in a chunk of its own."""
        self._events += 1
        return self.send(refund(customer, day, **({"event_id": f"refund-{self._events}"} | changes)))

    def page_view(self, customer: str, day: float) -> "World":
        """One page view in a chunk of its own."""
        self._events += 1
        return self.send(engagement("page_view", customer, day, event_id=f"view-{self._events}"), topic=ENGAGEMENT)

    def late(self, event: dict[str, Any], at_day: float) -> "World":
        """An event in a chunk of its own, at another stream time than its own time."""
        at_ms = BEGIN_MS + round(at_day * DAY_MS)
        self.apply([self.record(PURCHASES, msgspec.json.encode(event))], [at_ms])
        return self

    def silence_until(self, day: float) -> "World":
        """A tick: nothing arrives until then."""
        self.apply([], [], BEGIN_MS + round(day * DAY_MS))
        return self

    def messages(self, *topics: str) -> list[dict[str, Any]]:
        """Published JSON of these topics, in order."""
        return [msgspec.json.decode(m.value) for m in self.outbox.outgoing() if m.topic in topics and m.value]

    def labels(self, customer: str) -> list[dict[str, Any]]:
        """A customer's labels, in order."""
        return [m for m in self.messages(LABELS) if m.get("customer_id") == customer]

    def state(self, customer: str) -> Any:
        """The customer's record as stored."""
        return unpack([self.stored.states[customer]])[0]

    def alerts(self, customer: str) -> list[str]:
        """Kinds of a customer's alert messages, in order."""
        return [m["type"] for m in self.messages(CHURN_ALERTS) if m["customer_id"] == customer]

    def segment_changes(self, customer: str) -> list[tuple[str, str]]:
        """(left, entered) of a customer, in order."""
        return [(m["left"], m["entered"]) for m in self.messages(SEGMENT_CHANGES) if m["customer_id"] == customer]

    def view(self, customer: str) -> View:
        """The customer's view as stored."""
        return decode_view(self.stored.views[customer])

    @property
    def stored(self) -> Any:
        """What the store holds of the partition."""
        return self._partition._stored

    def total(self, name: str) -> int:
        """One total of the shop."""
        return int(self.stored.totals.get(name, 0))
