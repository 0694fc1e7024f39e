"""Where a record goes: the topic of its kind, and the partition of its customer."""

from schemas.events import Event
from schemas.identities import Erasure, Merge
from schemas.partition import partition_of
from schemas.topics import KINDS_OF, SOURCE_TOPICS

Addressed = Event | Erasure | Merge
"""What anybody may write of a customer."""

_TOPIC_OF = {kind: topic for topic in SOURCE_TOPICS for kind in KINDS_OF[topic]}


def topic_of(event: Addressed) -> str:
    """The input topic that carries records of this kind.

    >>> from schemas.events import PageView
    >>> topic_of(PageView(event_id="1", event_time_ms=0))
    'events.engagement'
    """
    return _TOPIC_OF[type(event)]


def key_of(event: Addressed) -> str:
    """The customer; a guest's event is keyed by its own id, so that guests spread over the partitions."""
    return event.customer_id or event.event_id


def partition_for(event: Addressed, partitions: int) -> int:
    """The partition of the event's key."""
    return partition_of(key_of(event), partitions)
