"""The way of events to Kafka: some come late, some twice, some to the wrong partition."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebb.simulate.draws import BoolArray, Draws, IntArray
from ebb.simulate.season import HOUR_MS, MINUTE_MS
from ebb.simulate.settings import ShopSettings

SENT_AGAIN_WITHIN_MS = 10 * MINUTE_MS


@dataclass(frozen=True)
class Sent:
    """Events as columns, shape (events,) each.

    Attributes:
        sent_ms: ascending within a `Slice`; `event_time_ms` is earlier for late events and repeats.
        topic: places in `ebb.simulate.TOPICS`.
        customer: places in the population, -1 for a guest.
        misrouted: whether it goes to the partition that CRC-32 of the key names, not murmur2.
        keys: Kafka keys: the customer id, for a guest the event id.
        values: JSON.
    """

    sent_ms: IntArray
    event_time_ms: IntArray
    topic: NDArray[np.uint8]
    customer: IntArray
    misrouted: BoolArray
    keys: list[bytes]
    values: list[bytes]

    def __len__(self) -> int:
        """How many events."""
        return len(self.values)

    def take(self, places: NDArray[np.intp]) -> "Sent":
        """The events at these places, in this order."""
        chosen = places.tolist()
        return Sent(
            self.sent_ms[places],
            self.event_time_ms[places],
            self.topic[places],
            self.customer[places],
            self.misrouted[places],
            [self.keys[place] for place in chosen],
            [self.values[place] for place in chosen],
        )

    def and_then(self, other: "Sent") -> "Sent":
        """Both, one after the other."""
        return Sent(
            np.concatenate([self.sent_ms, other.sent_ms]),
            np.concatenate([self.event_time_ms, other.event_time_ms]),
            np.concatenate([self.topic, other.topic]),
            np.concatenate([self.customer, other.customer]),
            np.concatenate([self.misrouted, other.misrouted]),
            self.keys + other.keys,
            self.values + other.values,
        )


@dataclass(frozen=True)
class Slice(Sent):
    """Events in the order they are sent. Arrays and lists have shape (events,).

    Attributes:
        begin_ms: nothing in it was sent before.
        end_ms: everything in it was sent before, save in the last slice, which also has what was still on its way.
    """

    begin_ms: int
    end_ms: int


class Delivery:
    """What is on its way. Holds the events that are sent on later days than they happen."""

    def __init__(self, settings: ShopSettings, draws: Draws) -> None:
        self._settings, self._draws = settings, draws
        nothing = np.zeros(0, np.int64)
        self._waiting = Sent(
            nothing, nothing, nothing.astype(np.uint8), nothing, nothing.astype(np.bool_), keys=[], values=[]
        )

    def deliver(self, happened: Sent, day: int, end_ms: int | None) -> Sent:
        """What is sent before `end_ms`, in order; None is for the last day, when everything is.

        Args:
            happened: the day's events, `sent_ms` as if nothing went wrong.
            day: of the shop.
            end_ms: the end of the day.
        """
        on_the_way = self._waiting.and_then(self._with_mishaps(happened, day))
        goes = np.ones(len(on_the_way.keys), np.bool_) if end_ms is None else on_the_way.sent_ms < end_ms
        self._waiting = on_the_way.take(np.flatnonzero(~goes))
        going = np.flatnonzero(goes)
        return on_the_way.take(going[np.argsort(on_the_way.sent_ms[going], kind="stable")])

    def _with_mishaps(self, happened: Sent, day: int) -> Sent:
        settings, draws, number = self._settings, self._draws, np.arange(len(happened.keys))
        late = draws.uniform("late", day, number) < settings.late
        delay = draws.exponential("late by", day, number) * settings.late_hours_mean * HOUR_MS
        happened.sent_ms[late] += delay[late].astype(np.int64)
        happened.misrouted[:] = draws.uniform("misrouted", day, number) < settings.misrouted
        twice = np.flatnonzero(draws.uniform("twice", day, number) < settings.duplicate)
        again = happened.take(twice)
        again.sent_ms[:] += 1 + draws.below(SENT_AGAIN_WITHIN_MS, "again after", day, twice)
        return happened.and_then(again)
