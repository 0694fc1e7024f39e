"""What the input logs come to: the records as they lie in Kafka, rerouted ones among them; no lane, no journal.

A misrouted record counts where it was sent on to, in `events.rerouted`, and never where its producer had put it.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Protocol

import numpy as np

from ebb.history.archived_log import SET_ASIDE
from offline.duplicates import NO_ID, repeated
from offline.verify import NOBODY_GONE, Recomputed, counting, folded
from schemas.decode import DecodeRules, Rejection, decode
from schemas.events import Event, Input
from schemas.origin import HOPS, Origin, origin_of
from schemas.partition import partition_of
from schemas.topics import INPUT_TOPICS, REROUTED, SOURCE_TOPICS
from stream.features.hashes import event_hash
from stream.features.vocabulary import NOTHING_DECLARED, Vocabulary
from stream.identities.known import Identity


class Logged(Protocol):
    """A record as a consumer hands it over; `timestamp` in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


Place = tuple[str, int, int]
"""(topic, partition, offset)."""


def recompute_logs(
    records: Sequence[Logged],
    partitions: int,
    rules: DecodeRules,
    vocabulary: Vocabulary = NOTHING_DECLARED,
    set_aside: Set[Place] = frozenset(),
    identities: Mapping[str, Identity] = NOBODY_GONE,
) -> Recomputed:
    """Fold what the workers folded of the input logs.

    Args:
        records: each topic-partition in the order of its log.
        partitions: of every input topic.
        rules: what the deployment accepts.
        vocabulary: the names the deployment declares.
        set_aside: the `source_*` places of dead letters with the reason `bug`, which were not applied.
        identities: what became of ids, as the deployment keeps it.
    """
    events = [record for record in records if record.topic in INPUT_TOPICS]
    decoded = [_decoded(record, rules, set_aside) for record in events]
    redirected = [HOPS in dict(record.headers) for record in events]  # it counts where it was written
    hashes = [
        event_hash(event.event_id) if isinstance(event, Event) and not is_copy else NO_ID
        for event, is_copy in zip(decoded, redirected, strict=True)
    ]
    lanes = [INPUT_TOPICS.index(record.topic) * partitions + record.partition for record in events]
    repeats = repeated(np.array(hashes, np.uint64), np.array(lanes, np.int64))
    counted = [
        event
        for record, event, is_repeat, is_copy in zip(events, decoded, repeats.tolist(), redirected, strict=True)
        if isinstance(event, Event) and not (is_repeat or is_copy) and _is_at_home(event, record.partition, partitions)
    ]
    rejected = sum(isinstance(event, Rejection) for event in decoded)
    known = counting(counted, identities)
    return folded(known, vocabulary, rules.currency, rejected=rejected, duplicates=int(repeats.sum()))


def _decoded(record: Logged, rules: DecodeRules, set_aside: Set[Place]) -> Input | Rejection:
    """What a worker reads of a record."""
    origin = Origin(record.topic, record.partition, record.offset, record.timestamp)
    if record.topic == REROUTED:
        origin = origin_of(record.headers, SOURCE_TOPICS) or origin
    if (origin.topic, origin.partition, origin.offset) in set_aside:
        return SET_ASIDE
    return decode(record.topic, record.value, origin.timestamp_ms, rules)


def _is_at_home(event: Event, partition: int, partitions: int) -> bool:
    return event.customer_id is None or partition_of(event.customer_id, partitions) == partition
