"""Drift on its way out: watched with every batch of labels, said on `ebb.drift`, saved with its offset."""

from collections.abc import Sequence

import msgspec
from aiokafka.errors import KafkaError

from schemas.messages import DriftNoticed, Label
from schemas.topics import DRIFT
from stream.drafts import message_id
from stream.errors import BrokerUnavailableError
from stream.learning.drift_watch import WEEK_MS, DriftWatch, Measured
from stream.metrics import learner as metrics
from stream.outcomes.declaration import Outcome
from stream.ports import ModelStore
from stream.scoring.documents import MIX
from stream.worker.producer import start_outbox_producer, stop_producer

DRIFT_NAME = "drift"  # among the learners that are saved


class Drift:
    """Watches labels, and keeps what is to be said until somebody has taken it.

    Args:
        outcomes: that are watched.
        sampled: the outcome whose labels are a sample of customers.
    """

    def __init__(self, outcomes: Sequence[Outcome], sampled: str) -> None:
        self._watch = DriftWatch([outcome.name for outcome in outcomes], sampled, MIX)
        self._to_say: list[DriftNoticed] = []
        self._shown: dict[tuple[str, str], Measured] = {}

    async def restore(self, store: ModelStore) -> int | None:
        """Take up what was saved, and return its offset; None if nothing was.

        Raises:
            StoreUnavailableError: Redis does not answer.
            LayoutError: saved by another layout.
        """
        saved = await store.load_learner(DRIFT_NAME)
        if saved is None:
            return None
        self._watch = self._watch.restored(saved[1])
        return saved[0]

    def learn(self, labels: Sequence[Label]) -> None:
        """Watch labels in their order."""
        self._to_say += [_said(moved) for moved in self._watch.learn(labels)]
        measured = self._watch.measured
        for each in (measured[name] for name in measured if measured[name] is not self._shown.get(name)):
            metrics.DRIFT.labels(each.measure, each.subject).set(each.value)
            metrics.DRIFT_LIMIT.labels(each.measure, each.subject).set(each.limit)
        self._shown = dict(measured)

    async def save(self, store: ModelStore, next_offset: int) -> None:
        """Save the watch with the offset up to which it has seen labels."""
        await store.save_learner(DRIFT_NAME, next_offset, self._watch.to_bytes(), b"{}")

    def take(self) -> list[DriftNoticed]:
        """What has moved since this was last asked."""
        taken, self._to_say = self._to_say, []
        return taken


async def say(servers: Sequence[str], messages: Sequence[DriftNoticed]) -> None:
    """Write messages and wait until Kafka has them; said before the watch is saved, each comes at least once.

    Raises:
        BrokerUnavailableError: Kafka does not take them.
    """
    try:
        producer = await start_outbox_producer(servers)
        try:
            for message in messages:
                await producer.send_and_wait(DRIFT, msgspec.json.encode(message), key=message.subject.encode())
                metrics.DRIFT_NOTICED.labels(message.measure).inc()
        finally:
            await stop_producer(producer)
    except KafkaError as error:
        at = ",".join(servers)
        raise BrokerUnavailableError(f"Kafka at {at} does not take a message for {DRIFT}: {error!r}") from error


def _said(moved: Measured) -> DriftNoticed:
    return DriftNoticed(
        message_id=message_id("drift", moved.measure, moved.subject, moved.week),
        subject=moved.subject,
        measure=moved.measure,
        value=moved.value,
        limit=moved.limit,
        noticed_ms=(moved.week + 1) * WEEK_MS,
    )
