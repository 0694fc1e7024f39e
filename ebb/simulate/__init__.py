"""A shop with known truth: events as they would reach Kafka, and the hidden reasons for them.

>>> from ebb.simulate import TOPICS, Shop, ShopSettings, partitions_of
>>> shop = Shop(ShopSettings(customers=50, days=30, seed=1))
>>> sent = next(shop.slices())  # a day, in the order events are sent
>>> topic, key, value = TOPICS[sent.topic[0]], sent.keys[0], sent.values[0]
>>> partitions_of(sent, 4)[0] in range(4)
True
>>> shop.world.people.dropped_out_ms[0]  # the truth as of this day: when a customer left, -1 while it is there
np.int64(-1)

Sent at wall-clock times: `ebb.simulate.publishing.publish_live`; a day in so many seconds: `publish_in_motion`.

The same settings give the same bytes on every machine. A slice holds one day; memory is that of the population and a
day. docs/simulated-shop.md says how customers behave and how near that is to a real shop.
"""

from ebb.simulate.delivery import Slice
from ebb.simulate.encoding import TOPICS
from ebb.simulate.routing import partitions_of
from ebb.simulate.settings import ShopSettings
from ebb.simulate.shop import Shop

__all__ = ["TOPICS", "Shop", "ShopSettings", "Slice", "partitions_of"]
