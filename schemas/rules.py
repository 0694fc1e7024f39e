"""What an event must keep beyond its shape: version, customer, identifiers, money, time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from schemas.clock import ClockRecord
from schemas.events import NOTHING, Event, Input, OrderLine, Purchase, Refund, RefundLine
from schemas.identifiers import identifier_fault, is_plain
from schemas.identities import Arrival, Erasure, Merge, Release
from schemas.money import MINOR_UNITS, billionths, exponent_of
from schemas.profiles import Profile
from schemas.rejection import Rejection, quoted, reject
from schemas.units import DAY_MS

ORDER_MINOR_MAX = 10**15  # minor units; 9,000 such orders of one customer still fit 64 bits
READABLE_VERSION = 1
_event_time_ms, _schema_version = attrgetter("event_time_ms"), attrgetter("schema_version")
YEAR_1990_MS = 631_152_000_000
_LOOKED_AT_ONE_BY_ONE = (Profile, Erasure, Merge, Arrival, Release)


@dataclass(frozen=True)
class DecodeRules:
    """What a deployment accepts.

    Attributes:
        currency: the one reporting currency, ISO 4217.
        earliest_event_time_ms: an event before it comes from a broken clock.
        latest_lead_ms: how far an event may be ahead of its Kafka timestamp.
        max_bytes: the longest value that is decoded.
    """

    currency: str
    earliest_event_time_ms: int = YEAR_1990_MS
    latest_lead_ms: int = DAY_MS
    max_bytes: int = 1_000_000

    @cached_property
    def order_billionths_max(self) -> int:
        """The largest order, in billionths of a major unit."""
        return ORDER_MINOR_MAX * MINOR_UNITS[exponent_of(self.currency)]


def broken_rule(record: Input, value: bytes, kafka_timestamp_ms: int, rules: DecodeRules) -> Rejection | None:
    """The first rule a decoded record breaks, or None."""
    if record.schema_version != READABLE_VERSION:
        fault = version_fault(record.schema_version, record.compatible_with)
        if fault is not None:
            return fault
    if isinstance(record, ClockRecord):
        return _time_fault("time_ms", record.time_ms, kafka_timestamp_ms, rules)
    fault = None if is_plain(value) else identifier_fault(record)
    if isinstance(record, (Purchase, Refund)):
        fault = fault or _money_fault(record, rules)
    elif isinstance(record, Profile):
        fault = fault or (_amount_fault("income", record.income) if record.income is not None else None)
    elif isinstance(record, Merge) and record.into == record.customer_id:
        fault = fault or reject("invalid_field", "into: is the customer itself", "into")
    return fault or _time_fault("event_time_ms", record.event_time_ms, kafka_timestamp_ms, rules)


def keep_rules(events: Sequence[Event], kafka_timestamps_ms: Sequence[int], rules: DecodeRules) -> bool:
    """Whether it is certain, looking at all of them together, that no event breaks a rule; their text is plain.

    False is no judgement: `broken_rule` says of each.
    """
    if not events:
        return True
    kinds = set(map(type, events))
    times_ms = list(map(_event_time_ms, events))
    if (
        not kinds.isdisjoint(_LOOKED_AT_ONE_BY_ONE)
        or set(map(_schema_version, events)) != {READABLE_VERSION}
        or min(times_ms) < rules.earliest_event_time_ms
        or max(times_ms) > min(kafka_timestamps_ms) + rules.latest_lead_ms
    ):
        return False
    if kinds.isdisjoint((Purchase, Refund)):
        return True
    return _orders_keep_rules([event for event in events if isinstance(event, (Purchase, Refund))], rules)


def _orders_keep_rules(orders: Sequence[Purchase | Refund], rules: DecodeRules) -> bool:
    if {order.currency for order in orders} != {rules.currency}:
        return False
    lines: list[OrderLine | RefundLine] = [line for order in orders for line in order.lines]
    quantities = [abs(line.quantity) for line in lines]
    try:
        prices = [billionths(line.unit_price) for line in lines]
        discounted = [
            billionths(line.discount) <= price * quantity
            for line, price, quantity in zip(lines, prices, quantities, strict=True)
            if line.discount != NOTHING
        ]
    except ValueError:
        return False
    largest_order = max(prices) * max(quantities) * max(len(order.lines) for order in orders)
    return min(quantities) > 0 and all(discounted) and largest_order <= rules.order_billionths_max


def version_fault(schema_version: object, compatible_with: object) -> Rejection | None:
    """Why a schema version cannot be read, or None. A later version can if it says that readers of version 1 can.

    >>> version_fault(2, 1), version_fault(2, None).reason
    (None, 'unsupported_version')
    """
    if schema_version == READABLE_VERSION and type(schema_version) is int:
        return None
    later = isinstance(schema_version, int) and schema_version > READABLE_VERSION
    if later and isinstance(compatible_with, int) and compatible_with <= READABLE_VERSION:
        return None
    why = f"schema_version is {quoted(schema_version)}, compatible_with {quoted(compatible_with)}; version 1 is read"
    return reject("unsupported_version", why, "schema_version")


def _time_fault(field: str, time_ms: int, kafka_timestamp_ms: int, rules: DecodeRules) -> Rejection | None:
    if time_ms < rules.earliest_event_time_ms:
        why = f"{field} {quoted(time_ms)} is before the earliest event time {rules.earliest_event_time_ms}"
        return reject("event_time_too_early", why, field)
    if time_ms > kafka_timestamp_ms + rules.latest_lead_ms:
        lead = f"more than {rules.latest_lead_ms} ms after the Kafka timestamp {kafka_timestamp_ms}"
        return reject("event_time_too_late", f"{field} {quoted(time_ms)} is {lead}", field)
    return None


def _money_fault(order: Purchase | Refund, rules: DecodeRules) -> Rejection | None:
    """What is wrong with an order's currency, quantities or amounts, found in one pass without rounding."""
    if order.currency != rules.currency:
        why = f"currency is {quoted(order.currency)}, the reporting currency {rules.currency}"
        return reject("wrong_currency", why, "currency")
    lines: Sequence[OrderLine | RefundLine] = order.lines
    total = 0
    try:
        for line in lines:
            before_discount = billionths(line.unit_price) * abs(line.quantity)
            if not line.quantity or (line.discount != NOTHING and billionths(line.discount) > before_discount):
                return _first_line_fault(lines)
            total += before_discount
    except ValueError:
        return _first_line_fault(lines)
    if total > rules.order_billionths_max:
        return reject("amount_out_of_range", f"the order is more than {ORDER_MINOR_MAX} minor units", "lines")
    return None


def _first_line_fault(lines: Sequence[OrderLine | RefundLine]) -> Rejection | None:
    faults = (_line_fault(f"lines[{place}]", line) for place, line in enumerate(lines))
    return next(filter(None, faults), None)


def _line_fault(path: str, line: OrderLine | RefundLine) -> Rejection | None:
    fault = _amount_fault(f"{path}.unit_price", line.unit_price) or _amount_fault(f"{path}.discount", line.discount)
    if fault is not None:
        return fault
    if not line.quantity:
        return reject("invalid_field", f"{path}.quantity: is 0", f"{path}.quantity")
    if billionths(line.discount) > billionths(line.unit_price) * abs(line.quantity):
        return reject("invalid_field", f"{path}.discount: more than quantity times unit price", f"{path}.discount")
    return None


def _amount_fault(path: str, amount: str) -> Rejection | None:
    try:
        billionths(amount)
    except ValueError as error:
        return reject("invalid_field", f"{path}: {quoted(amount)} is {error}", path)
    return None
