"""Every rate of the simulated shop, with its unit and why it is what it is.

"Online Retail" is Online Retail II, December 2009 to December 2010: `ebb.simulate.figures` measures the same four
figures of both, and docs/simulated-shop.md prints them side by side.
"""

from dataclasses import dataclass, field
from datetime import date

from schemas.units import DAY_MS


@dataclass(frozen=True)
class SegmentBehaviour:
    """A hidden segment: how its customers buy.

    Attributes:
        name: as it stands in the truth.
        share_of_new: of the customers who join while the shop is watched.
        share_of_old: of those who were there before; who stays accumulates.
        gap_days: mean days between two needs to buy, at average season, times a gamma factor of shape 4.
        order_size: basket value as a multiple of the shop's.
        leaves: chance to drop out after a purchase at average satisfaction.
    """

    name: str
    share_of_new: float
    share_of_old: float
    gap_days: float
    order_size: float
    leaves: float


SEGMENTS = (
    SegmentBehaviour("devoted", 0.08, 0.12, 26.0, 2.1, 0.003),
    SegmentBehaviour("regular", 0.48, 0.58, 70.0, 1.0, 0.02),
    SegmentBehaviour("occasional", 0.24, 0.30, 240.0, 0.45, 0.05),
    SegmentBehaviour("one_off", 0.20, 0.00, 90.0, 0.45, 0.9),
)
"""Calibrated on Online Retail: a third of its customers order once, one in a hundred buys on 63 days of the year."""


@dataclass(frozen=True)
class ShopSettings:
    """A shop. Rates are chances per event or per customer and day, as their names say."""

    customers: int = 10_000
    days: int = 730
    seed: int = 1
    start: date = date(2024, 1, 1)
    currency: str = "GBP"
    event_prefix: str = ""  # before every event id: a second run of one seed would repeat the ids of the first

    # Customers
    segments: tuple[SegmentBehaviour, ...] = SEGMENTS
    joining_per_day_per_old: float = 0.0036  # new customers a day for each who was there: 57 % join in a year
    never_ordering_yet: float = 0.08  # of those who join do not buy on their first day; some never do
    fading_per_day: float = 0.0006  # drop-out for reasons outside the shop: half of all within three years
    profile_share: float = 0.8  # of customers give a profile at all
    field_given: float = 0.7  # of the fields of a profile are filled, each on its own
    profile_change_per_day: float = 0.0015  # people move house and change their minds every two years

    # Buying
    basket_minor: float = 31_500.0  # of an order of average size, before season and chance; Online Retail: mean 460 GBP
    lines_mean: float = 4.0  # Online Retail has 21 lines an order: a wholesaler's. Four keep the log to behaviour
    planning_days_mean: float = 1.5  # from the need to the order: the sessions between are what precedes a purchase
    planning_days_max: int = 9
    abandons: float = 0.2  # of planned orders end with a cart that is left; half come back within three days
    in_store_without_session: float = 0.6  # of orders in the store are not prepared online
    browsing_per_need: float = 4.0  # sessions without any plan, for each need: 12 % of sessions end with an order
    browsing_while_planning: float = 0.5  # a day with a plan has a session with this chance
    pages_mean: float = 4.0  # pages of a visit after its first; the carts come on top
    problem: float = 0.07  # of orders arrive late, broken or wrong
    problem_unhappiness: float = 0.55  # of satisfaction, on a scale from 0 to 1, for one such order
    happiness_memory: float = 0.7  # weight of what was before against the latest order

    # After an order
    review: float = 0.08  # of orders; shops report 2 to 15 %
    support_after_problem: float = 0.6
    support_otherwise: float = 0.015
    refund_after_problem: float = 0.5
    refund_otherwise: float = 0.04
    share_after_good_order: float = 0.02
    joins_loyalty: float = 0.6  # of customers, at their first order
    cooling_days: int = 45  # who dropped out still looks in, ever more rarely, for so long

    # Guests and the way of events to Kafka
    guest_share: float = 0.1  # of sessions; Online Retail: 12 % of its events have no customer
    guest_buys: float = 0.1
    late: float = 0.01  # of events reach Kafka late: a phone without network, a till that sends at night
    late_hours_mean: float = 5.0  # at most 9 times that, below the two days after which shops stop waiting
    duplicate: float = 0.005  # of events are sent twice, as at-least-once producers do, within ten minutes
    misrouted: float = 0.0  # of events are put where librdkafka's default partitioner (CRC-32) would put them

    # A change of how customers behave, at this day of the shop
    concept_change_day: int | None = None
    changed_need: float = 0.6  # times the needs of before
    changed_browsing: float = 2.0  # times the browsing: looking no longer means buying
    changed_leaving: float = 2.5  # times the chance to drop out after a purchase

    start_ms: int = field(init=False)

    def __post_init__(self) -> None:
        """Refuse a shop that cannot be."""
        if self.customers < 1 or self.days < 1:
            raise ValueError(f"customers={self.customers} and days={self.days} must be at least 1")
        object.__setattr__(self, "start_ms", (self.start - date(1970, 1, 1)).days * DAY_MS)

    def is_changed(self, day: int) -> bool:
        """Whether the concept change has happened."""
        return self.concept_change_day is not None and day >= self.concept_change_day
