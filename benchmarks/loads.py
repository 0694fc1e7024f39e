"""Events of a shop as Kafka records: who comes when is what a load is named after.

Everything is drawn from a seed: the same arguments give the same bytes.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebb.simulate import TOPICS, Shop, ShopSettings, Slice
from schemas.topics import ENGAGEMENT, PURCHASES
from schemas.units import DAY_MS

CUSTOMERS = 100_000
EVENTS_PER_CUSTOMER_DAY = 5.0  # a lively shop; it says how fast event time advances, and so how many deadlines come due
PURCHASE_SHARE = 0.25
PRODUCTS = 5_000
ZIPF_EXPONENT = 1.1
SESSION_EVENTS_PER_CUSTOMER_DAY = 0.4  # of the simulated shop, at least
REFUND = b'{"type":"refund"'

ENGAGEMENTS = {
    "page_view": (0.40, ""),
    "product_view": (0.28, ',"product_id":"P{product}"'),
    "add_to_cart": (0.12, ',"product_id":"P{product}","quantity":1'),
    "search": (0.08, ',"query":"garden table {product}"'),
    "email_open": (0.06, ',"campaign_id":"spring-{campaign}"'),
    "email_click": (0.03, ',"campaign_id":"spring-{campaign}"'),
    "remove_from_cart": (0.03, ',"product_id":"P{product}","quantity":1'),
}
"""Kind of engagement -> its share, and its fields."""


class Record(NamedTuple):
    """One record to publish."""

    topic: str
    key: bytes
    value: bytes
    event_time_ms: int


Arrivals = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Customer numbers and event times in ms, in the order of time."""


def uniform(events: int, end_ms: int, random: np.random.Generator, customers: int = CUSTOMERS) -> Arrivals:
    """Nearly every event is another customer's."""
    return random.integers(0, customers, events), _times(events, end_ms, random, customers)


def zipf(events: int, end_ms: int, random: np.random.Generator, customers: int = CUSTOMERS) -> Arrivals:
    """The customer of rank r comes with weight r^-1.1: the first one has about one event in eleven."""
    weights = np.arange(1, customers + 1, dtype=np.float64) ** -ZIPF_EXPONENT
    ranks = np.searchsorted(np.cumsum(weights) / weights.sum(), random.random(events))
    return random.permutation(customers)[ranks], _times(events, end_ms, random, customers)


LOADS = ("uniform", "zipf", "sessions")
_ARRIVALS: dict[str, Callable[..., Arrivals]] = {"uniform": uniform, "zipf": zipf}


def records(load: str, events: int, seed: int, end_ms: int, customers: int = CUSTOMERS) -> list[Record]:
    """The records of a load in the order they are published.

    Args:
        load: one of `LOADS`.
        events: how many.
        seed: of everything drawn.
        end_ms: about the time of the last one, ms since 1970.
        customers: how many there are; not all need come.

    >>> [record.topic for record in records("uniform", 3, 7, 1_700_000_000_000)]
    ['events.engagement', 'events.engagement', 'events.engagement']
    """
    if load == "sessions":
        return sessions(events, seed, end_ms, customers)
    random = np.random.default_rng([seed, *load.encode()])
    who, times = _ARRIVALS[load](events, end_ms, random, customers)
    return written(who, times, random)


def sessions(events: int, seed: int, end_ms: int, customers: int) -> list[Record]:
    """What customers do in the simulated shop until `end_ms`: visits of some eight events, some 7 % of them come a day.

    Purchases and engagement only, none late or twice, no guests: what all contestants can be asked to agree on.
    """
    days = int(events / (SESSION_EVENTS_PER_CUSTOMER_DAY * customers)) + 2
    start = datetime.fromtimestamp(end_ms / 1000, UTC).date() - timedelta(days=days - 1)
    settings = ShopSettings(customers, days, seed, start, late=0.0, duplicate=0.0, guest_share=0.0)
    made = [record for sent in Shop(settings).slices() for record in _of_slice(sent) if record.event_time_ms <= end_ms]
    return made[-events:]


def _of_slice(sent: Slice) -> Iterator[Record]:
    rows = zip(sent.topic.tolist(), sent.keys, sent.values, sent.event_time_ms.tolist(), strict=True)
    for topic, key, value, time_ms in rows:
        if TOPICS[topic] in (PURCHASES, ENGAGEMENT) and not value.startswith(REFUND):
            yield Record(TOPICS[topic], key, value, time_ms)


def written(
    who: NDArray[np.int64],
    times: NDArray[np.int64],
    random: np.random.Generator,
    purchase_share: float = PURCHASE_SHARE,
) -> list[Record]:
    """Arrivals with something that the customer does: purchases of one to three lines, and engagement."""
    events = len(who)
    kinds, shares = list(ENGAGEMENTS), [share for share, _ in ENGAGEMENTS.values()]
    kind = random.choice(len(kinds), events, p=shares)
    kind[random.random(events) < purchase_share] = -1
    ids = random.integers(0, 2**63, (events, 2))
    numbers = random.integers(0, 2**31, (events, 8))
    rows = zip(who.tolist(), times.tolist(), kind.tolist(), ids.tolist(), numbers.tolist(), strict=True)
    return [
        _purchase(customer, time_ms, f"{a:016x}{b:016x}", drawn)
        if code < 0
        else _engagement(kinds[code], customer, time_ms, f"{a:016x}{b:016x}", drawn)
        for customer, time_ms, code, (a, b), drawn in rows
    ]


def customer_id(number: int) -> str:
    """The id of the customer of this number."""
    return f"c-{number:07d}"


def _times(events: int, end_ms: int, random: np.random.Generator, per_event: float) -> NDArray[np.int64]:
    """Poisson arrivals that end at `end_ms`, at `EVENTS_PER_CUSTOMER_DAY` of `per_event` customers."""
    mean_gap_ms = DAY_MS / (EVENTS_PER_CUSTOMER_DAY * per_event)
    since_first = np.cumsum(random.exponential(mean_gap_ms, events))
    times: NDArray[np.int64] = (end_ms - since_first[-1] + since_first).astype(np.int64)
    return times


def _purchase(customer: int, time_ms: int, event_id: str, drawn: list[int]) -> Record:
    lines = ",".join(
        f'{{"product_id":"P{number % PRODUCTS:05d}","quantity":{number // 7 % 4 + 1},'
        f'"unit_price":"{number // 11 % 90 + 1}.{number // 13 % 100:02d}"}}'
        for number in drawn[: drawn[7] % 3 + 1]
    )
    channel = ("online", "app", "in_store")[drawn[6] % 3]
    value = (
        f'{{"type":"purchase","event_id":"{event_id}","event_time_ms":{time_ms},"customer_id":"{customer_id(customer)}",'
        f'"currency":"GBP","lines":[{lines}],"channel":"{channel}"}}'
    )
    return Record(PURCHASES, customer_id(customer).encode(), value.encode(), time_ms)


def _engagement(kind: str, customer: int, time_ms: int, event_id: str, drawn: list[int]) -> Record:
    fields = ENGAGEMENTS[kind][1].format(product=f"{drawn[0] % PRODUCTS:05d}", campaign=drawn[1] % 20)
    value = (
        f'{{"type":"{kind}","event_id":"{event_id}","event_time_ms":{time_ms},'
        f'"customer_id":"{customer_id(customer)}"{fields}}}'
    )
    return Record(ENGAGEMENT, customer_id(customer).encode(), value.encode(), time_ms)
