"""Events that are objects as columns, by the way of a record: written, and read by the rules of a deployment."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from offline.addresses import topic_of
from offline.columns.names import Names
from offline.columns.reading import Sent, Told, told
from offline.columns.values import Values
from offline.duplicates import NO_ID, repeated
from schemas.decode import DecodeRules
from schemas.events import Event
from schemas.topics import INPUT_TOPICS
from stream.features.vocabulary import Vocabulary

_PLACE = {topic: place for place, topic in enumerate(INPUT_TOPICS)}


@dataclass(frozen=True)
class Taken:
    """What a worker of one partition takes of events.

    Attributes:
        told: what they tell.
        kept: shape (events,), which are accepted and no repeat.
    """

    told: Told
    kept: NDArray[np.bool_]


def taken_of(events: Sequence[Event], rules: DecodeRules, received_ms: int, vocabulary: Vocabulary) -> Taken:
    """Events as columns.

    Args:
        events: in the order in which they are published.
        rules: which of them are accepted.
        received_ms: Kafka timestamp that they count as having, ms since 1970.
        vocabulary: the names the deployment declares.
    """
    topic = np.array([_PLACE[topic_of(event)] for event in events], np.int64)
    values = pa.array(list(map(msgspec.json.Encoder().encode, events)), pa.binary())
    sent = Sent(Values(values), INPUT_TOPICS, topic, np.full(len(events), received_ms))
    found = told(sent, rules, vocabulary, Names())
    id_hash = np.where(found.is_event, found.facts.id_hash, np.uint64(NO_ID))
    return Taken(found, found.is_event & ~repeated(id_hash, topic))
