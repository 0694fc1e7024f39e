"""The topics, what each may carry, and how each is created."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from msgspec import Struct

from schemas.clock import ClockRecord
from schemas.events import Engagement, Event, Purchase, Refund
from schemas.identities import Erasure, IdentityRecord, Merge
from schemas.messages import (
    ChurnAlertClosed,
    ChurnAlertOpened,
    DriftNoticed,
    EpochPassed,
    Label,
    ModelDecision,
    SegmentChanged,
)
from schemas.profiles import Profile
from schemas.units import DAY_MS

PURCHASES = "events.purchases"
ENGAGEMENT = "events.engagement"
PROFILES = "events.profiles"
CLOCK = "events.clock"
REROUTED = "events.rerouted"
CHURN_ALERTS = "marketing.churn-alerts"
SEGMENT_CHANGES = "marketing.segment-changes"
LABELS = "labels"
INVALID = "events.invalid"
DRIFT = "ebb.drift"
REPLAYED = "events.replayed"
"""Notes of the dead letters that were sent again; only `ebb dead-letters` reads and writes it."""

SOURCE_TOPICS = (PURCHASES, ENGAGEMENT, PROFILES)
"""What producers write events to."""

INPUT_TOPICS = (*SOURCE_TOPICS, REROUTED, CLOCK)
"""What the workers read, each partition of all of them together."""

KINDS_OF: Mapping[str, tuple[type[Struct], ...]] = {
    PURCHASES: (Purchase, Refund),
    ENGAGEMENT: get_args(Engagement),
    PROFILES: (Profile, Erasure, Merge),
    CLOCK: (ClockRecord,),
    REROUTED: (*get_args(Event), *get_args(IdentityRecord)),
}
"""The kinds an input topic may carry; another kind there is a dead letter `wrong_topic`."""

MESSAGES_OF: Mapping[str, tuple[type[Struct], ...]] = {
    CHURN_ALERTS: (ChurnAlertOpened, ChurnAlertClosed),
    SEGMENT_CHANGES: (SegmentChanged,),
    LABELS: (Label, EpochPassed, ModelDecision),
    DRIFT: (DriftNoticed,),
}
"""The messages Ebb sends on each topic. `events.invalid` carries whatever bytes could not be applied."""

PASSED_OVER = b"ebb: passed over"
"""The key of a record without a value that only takes an offset, until `ebb repartition` has deleted it."""

INPUT_BYTES_MAX = 8 * 1024 * 1024
INVALID_BYTES_MAX = INPUT_BYTES_MAX + 64 * 1024  # a dead letter is the original value and its metadata in headers


@dataclass(frozen=True)
class TopicSpec:
    """How a topic is created. `partitions` None means the one count that all input topics share."""

    name: str
    partitions: int | None
    config: Mapping[str, str]

    def allows(self, partitions: int, shared: int) -> bool:
        """Whether it may have so many partitions where the shared count is `shared`.

        Messages go to a customer's partition of their own topic, so those of an earlier, larger count may stay.

        >>> [topic.allows(6, 4) for topic in TOPICS if topic.name in (PURCHASES, CHURN_ALERTS, LABELS)]
        [False, True, False]
        """
        wanted = self.partitions or shared
        is_output = self.partitions is None and self.name not in INPUT_TOPICS
        return partitions == wanted or (is_output and partitions > wanted)


def _config(retention_days: int, message_bytes_max: int = 1024 * 1024) -> dict[str, str]:
    """Topic settings; `retention_days` -1 keeps everything. Kafka deletes files, so a day of records makes one."""
    retention_ms = retention_days * DAY_MS if retention_days >= 0 else -1
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "segment.ms": str(DAY_MS),
        "max.message.bytes": str(message_bytes_max),
    }


TOPICS = (
    TopicSpec(PURCHASES, None, _config(7, INPUT_BYTES_MAX)),
    TopicSpec(ENGAGEMENT, None, _config(7, INPUT_BYTES_MAX)),
    TopicSpec(PROFILES, None, _config(7, INPUT_BYTES_MAX)),
    TopicSpec(CLOCK, None, _config(7, INPUT_BYTES_MAX)),
    TopicSpec(REROUTED, None, _config(7, INVALID_BYTES_MAX)),  # an input message and where it came from
    TopicSpec(CHURN_ALERTS, None, _config(30)),
    TopicSpec(SEGMENT_CHANGES, None, _config(30)),
    TopicSpec(LABELS, 1, _config(30)),  # models are functions of this log, which the archive keeps whole
    TopicSpec(INVALID, None, _config(30, INVALID_BYTES_MAX)),
    TopicSpec(DRIFT, 1, _config(30)),
    TopicSpec(REPLAYED, 1, _config(-1)),  # some bytes a letter; it has to outlive the letters
)
