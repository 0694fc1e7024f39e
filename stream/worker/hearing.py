"""What the live clock has heard of each topic, kept with every commit: who goes on in an old log has heard it too.

A function of the records that were applied, in their order, wherever they are cut into commits.
"""

from collections.abc import Mapping

import numpy as np

from schemas.topics import CLOCK
from stream.clock import NO_SAY, LiveClock, LoggedTimes, SupportedMaximum
from stream.worker.log_records import TOPIC_NUMBERS, LogRecords

Heard = Mapping[str, bytes]
"""Topic -> what was heard of it, as `SupportedMaximum.packed` gives it."""

_TOPICS_WITH_A_SAY = np.array([NO_SAY if topic == CLOCK else number for topic, number in TOPIC_NUMBERS.items()])


def live_clock(stream_time_ms: int, heard: Heard) -> LiveClock:
    """The clock that goes on from what is stored."""
    known = {TOPIC_NUMBERS[topic]: SupportedMaximum(packed) for topic, packed in heard.items() if packed}
    return LiveClock(stream_time_ms, known)


def logged_times(records: LogRecords) -> LoggedTimes:
    """Records as the live clock sees them."""
    return LoggedTimes(
        topic=_TOPICS_WITH_A_SAY[records.topic],
        order_ms=records.order_ms,
        customer=records.customer_crc32,
        time_ms=records.event_time_ms,
        vouches=records.has_customer | (records.customer_crc32 != 0),  # what is lost or set aside was heard before
    )


def heard_after(heard: Heard, records: LogRecords, stream_time_ms: int) -> dict[str, bytes]:
    """What changes of it with some more records: topic -> what was heard of it then; empty where nothing is left of it.

    Args:
        heard: before them.
        records: in the order they take effect.
        stream_time_ms: at their end; what it has passed is forgotten of every topic.
    """
    changed, topics = {}, [topic for topic in records.topics if topic != CLOCK]
    logged = logged_times(records) if topics else None
    for topic in dict.fromkeys([*heard, *topics]):
        before = heard.get(topic, b"")
        supported = SupportedMaximum(before)
        if logged and topic in topics:
            supported.hear(TOPIC_NUMBERS[topic], logged)
        after = supported.packed(stream_time_ms)
        if after != before:
            changed[topic] = after
    return changed
