"""A simulated shop to Kafka at some pace: its history as a replay, or live at wall-clock times."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from time import monotonic, sleep, time_ns
from typing import Any

import numpy as np

from ebb.simulate.delivery import Slice
from ebb.simulate.encoding import TOPICS
from ebb.simulate.routing import partitions_of
from ebb.simulate.unbroken import unbroken
from offline.broker import broker_errors
from offline.replay import EventRecord, Moments, Replayed, event_producer, paced, publish_moments
from schemas.units import DAY_MS

FLUSH_WITHIN_S = 30.0
MOMENT_S = 0.1
_TIME_FIELD = b'"event_time_ms":'

OnSent = Callable[[int], None]
"""Told how many events have been sent."""


def publish_paced(slices: Iterable[Slice], servers: list[str], partitions: int, rate: float) -> Replayed:
    """Write the days of a shop to the input topics, with clock records at midnights, at most `rate` events a second.

    `ebb.simulate.history.publish_history` writes the same as fast as it can.

    Raises:
        BrokerError: Kafka is away, or the topics are not as expected.
    """
    return publish_moments(_midnights(slices, partitions), 0, servers, partitions, rate=rate)


def publish_in_motion(
    slices: Iterable[Slice], servers: list[str], partitions: int, seconds_per_day: float, on_sent: OnSent | None = None
) -> Replayed:
    """Write the days of a shop at the pace at which they would pass if a day took `seconds_per_day`.

    Clock records follow every tenth of a second, so that deadlines of silence fire as time passes.

    Raises:
        BrokerError: Kafka is away, or the topics are not as expected.
    """
    report = (lambda progress: on_sent(progress.events)) if on_sent else None
    return publish_moments(_in_motion(slices, partitions, seconds_per_day), 0, servers, partitions, report)


def _midnights(slices: Iterable[Slice], partitions: int) -> Moments:
    begun = False
    for sent in slices:
        if not begun:
            yield sent.begin_ms, ()
            begun = True
        yield sent.end_ms, records(sent, partitions)


def _in_motion(slices: Iterable[Slice], partitions: int, seconds_per_day: float, moment_s: float = MOMENT_S) -> Moments:
    """Each moment is given out when its time has come on the wall."""
    began_s, moments = monotonic(), max(round(seconds_per_day / moment_s), 1)
    for day, sent in enumerate(slices):
        events = list(records(sent, partitions))
        for moment in range(moments):
            until_ms = sent.begin_ms + DAY_MS * (moment + 1) // moments
            from_ms = sent.begin_ms + DAY_MS * moment // moments
            first, end = np.searchsorted(sent.sent_ms, (from_ms, until_ms)).tolist()
            last = moment == moments - 1  # what the last slice still has on its way goes with its last moment
            sleep(max(began_s + (day + (moment + 1) / moments) * seconds_per_day - monotonic(), 0.0))
            yield until_ms, events[first : len(events) if last else end]


def records(sent: Slice, partitions: int) -> Iterator[EventRecord]:
    """The events of a slice as they are written to Kafka."""
    for topic, partition, key, value, time_ms in zip(
        sent.topic.tolist(),
        partitions_of(sent, partitions).tolist(),
        sent.keys,
        sent.values,
        sent.event_time_ms.tolist(),
        strict=True,
    ):
        yield EventRecord(TOPICS[topic], partition, key, value, time_ms)


def publish_live(
    slices: Iterable[Slice],
    servers: list[str],
    partitions: int,
    events_per_s: float,
    seconds: float | None = None,
    on_sent: OnSent | None = None,
) -> int:
    """Send a shop's events as if they happened now: one after another at a steady rate, each at the time it is sent.

    A late event keeps its distance to the time it was sent. The shop's days pass as fast as the rate makes them.
    Ctrl-C ends it like the end of the days, once the event that is being sent is; a second one does not wait for that.

    Args:
        slices: of `Shop.slices`; it ends with them, if not before.
        servers: host:port of brokers.
        partitions: of every input topic.
        events_per_s: how many are sent.
        seconds: how long; None is until the slices end.
        on_sent: called after every event.

    Returns:
        How many events were sent; Kafka has them all.

    Raises:
        BrokerError: Kafka is away for longer than the client waits, two minutes, or a record is refused.
    """
    count, began_s = 0, monotonic()
    with broker_errors(servers), event_producer(servers) as producer:
        pace = paced(events_per_s)
        answers: deque[Any] = deque()  # of events that are on their way
        with suppress(KeyboardInterrupt), unbroken() as sending:
            for late_ms, event in _with_lateness(slices, partitions):
                next(pace)
                if seconds is not None and monotonic() - began_s >= seconds:
                    break
                value = _restamped(event.value, time_ns() // 1_000_000 - late_ms)
                with sending:
                    answers.append(producer.send(event.topic, key=event.key, value=value, partition=event.partition))
                    count += 1
                while answers and answers[0].is_done:
                    answers.popleft().get()
                if on_sent:
                    on_sent(count)
        producer.flush(timeout=FLUSH_WITHIN_S)
        for answer in answers:
            answer.get(timeout=FLUSH_WITHIN_S)
    return count


def _restamped(value: bytes, time_ms: int) -> bytes:
    """The same event at another time.

    >>> _restamped(b'{"type":"page_view","event_id":"1","event_time_ms":0,"customer_id":"ada"}', 7)
    b'{"type":"page_view","event_id":"1","event_time_ms":7,"customer_id":"ada"}'
    """
    begin = value.index(_TIME_FIELD) + len(_TIME_FIELD)
    end = begin
    while value[end : end + 1].isdigit():
        end += 1
    return b"%b%d%b" % (value[:begin], time_ms, value[end:])


def _with_lateness(slices: Iterable[Slice], partitions: int) -> Iterator[tuple[int, EventRecord]]:
    for sent in slices:
        late_ms = (sent.sent_ms - sent.event_time_ms).tolist()
        yield from zip(late_ms, records(sent, partitions), strict=True)
