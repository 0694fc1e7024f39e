"""The shop: its days as slices of encoded events, and the truth about it."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ebb.simulate.day import events_of_day
from ebb.simulate.delivery import Delivery, Sent, Slice
from ebb.simulate.encoding import TOPIC_OF_KIND, encoded, event_id
from ebb.simulate.parts import GUEST, Part
from ebb.simulate.settings import ShopSettings
from ebb.simulate.world import ShopWorld, open_shop
from schemas.units import DAY_MS


class Shop:
    """A simulated shop. Its days can be gone through once; `world` holds the truth as it stands.

    >>> shop = Shop(ShopSettings(customers=20, days=3))
    >>> days = list(shop.slices())
    >>> len(days), days[0].values[0][:27]
    (3, b'{"type":"profile","event_id')
    """

    def __init__(self, settings: ShopSettings) -> None:
        self.settings = settings
        self.world: ShopWorld = open_shop(settings)
        self._delivery = Delivery(settings, self.world.draws)
        self._names: list[str | None] = [*self.world.people.ids, None]
        self._keys = [customer.encode() for customer in self.world.people.ids]
        self._next_day = 0

    @property
    def days_gone(self) -> int:
        """How many days the shop has seen."""
        return self._next_day

    def slices(self) -> Iterator[Slice]:
        """The days that have not been gone through, each with the events sent on it."""
        while self._next_day < self.settings.days:
            day, self._next_day = self._next_day, self._next_day + 1
            begin_ms = self.settings.start_ms + day * DAY_MS
            last = self._next_day == self.settings.days
            happened = self._encoded(events_of_day(self.world, day), day)
            sent = self._delivery.deliver(happened, day, None if last else begin_ms + DAY_MS)
            yield Slice(begin_ms=begin_ms, end_ms=begin_ms + DAY_MS, **vars(sent))

    def _encoded(self, parts: list[Part], day: int) -> Sent:
        """A day's parts as one, in the order they came."""
        numbers: Counter[str] = Counter()
        keys: list[bytes] = []
        values: list[bytes] = []
        for part in parts:
            first = numbers[part.kind]
            numbers[part.kind] += len(part)
            ids = [event_id(self.world.prefix, day, part.kind, first + number) for number in range(len(part))]
            values += encoded(part, ids, self._names)
            keys += self._keys_of(part, ids)
        time_ms = np.concatenate([part.time_ms for part in parts])
        topic = np.repeat(
            np.array([TOPIC_OF_KIND[part.kind] for part in parts], np.uint8), [len(part) for part in parts]
        )
        customer = np.concatenate([part.customer for part in parts])
        return Sent(time_ms.copy(), time_ms, topic, customer, np.zeros(len(keys), np.bool_), keys, values)

    def _keys_of(self, part: Part, ids: list[str]) -> list[bytes]:
        keys = self._keys
        return [
            keys[place] if place != GUEST else ids[number].encode()
            for number, place in enumerate(part.customer.tolist())
        ]
