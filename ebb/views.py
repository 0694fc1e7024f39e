"""What is known of customers, as readers get it, and the questions it comes from. No I/O: `ebb.lookup` asks them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

import stream.views
from schemas.misfits import MALFORMED
from stream.customers.segments import SEGMENTS
from stream.errors import EbbError, LayoutError, UnknownCustomerError
from stream.redis_store.asking import Question
from stream.redis_store.lookup import Members, StoredViews

Item = TypeVar("Item")


class View(stream.views.View, frozen=True):
    """A customer as last decided: segment, scores, value at risk, alert, reasons, features.

    `redis-cli GET` shows the same fields in JSON; docs/events.md describes them.
    """

    @property
    def as_of(self) -> datetime:
        """Stream time of the decision, UTC."""
        return utc(self.as_of_ms)

    @property
    def valid_until(self) -> datetime:
        """Until then no shown probability moves by .05 unless an event arrives or a new model is taken up, UTC."""
        return utc(self.valid_until_ms)

    def to_json(self) -> str:
        """The view as it is stored."""
        return msgspec.json.encode(self).decode()


class Page(list[Item]):
    """Some results, and the stream time they are from (UTC); `as_of` is None before the first event."""

    def __init__(self, items: Iterable[Item], as_of: datetime | None) -> None:
        super().__init__(items)
        self.as_of = as_of


@dataclass(frozen=True)
class SegmentSize:
    """A segment: how many customers, which share of all (0 to 1), and their mean value at risk in major units.

    The mean is over `sampled` customers drawn at random: over all where `sampled` equals `customers`.
    """

    name: str
    customers: int
    share: float
    mean_value_at_risk: float
    sampled: int


def customer(views: StoredViews, customer_id: str) -> Question[View]:
    """A customer's view.

    Raises:
        UnknownCustomerError: none of its events has been applied.
    """
    return _known(customer_id, (yield from views.get(customer_id)) if _is_text(customer_id) else None)


def customer_with_state(views: StoredViews, customer_id: str) -> Question[tuple[View, bytes | None]]:
    """A customer's view and packed record.

    Raises:
        UnknownCustomerError: none of its events has been applied.
    """
    view, state = (yield from views.with_state(customer_id)) if _is_text(customer_id) else (None, None)
    return _known(customer_id, view), state


def customers(views: StoredViews, customer_ids: Iterable[str]) -> Question[dict[str, View]]:
    """Customer id -> view, in the order given. Unknown customers are absent.

    Raises:
        TypeError: one id in place of several, or an id that is no text.
    """
    if isinstance(customer_ids, str):
        raise TypeError(f"Several ids are asked for, and {customer_ids!r} is one. Write [{customer_ids!r}].")
    wanted = list(filter(_is_text, dict.fromkeys(customer_ids)))
    found = yield from views.get_many(wanted)
    return {name: _decoded(stored) for name, stored in zip(wanted, found, strict=True) if stored is not None}


def members(views: StoredViews, segment: str, page_size: int) -> Members:
    """A walk over a segment's customers.

    Raises:
        EbbError: there is no such segment.
        ValueError: pages would be empty.
    """
    if page_size < 1:
        raise ValueError(f"A page has at least one customer, not {page_size}.")
    if segment not in SEGMENTS:
        raise EbbError(f"There is no segment {segment!r}. Choose one of {', '.join(SEGMENTS)}.")
    return views.members(segment, page_size)


def next_page(walk: Members) -> Question[Page[str] | None]:
    """The next ids of a walk; None after the last."""
    page = yield from walk.next_page()
    return None if page is None else Page(page[0], _as_of(page[1]))


def most_at_risk(views: StoredViews, n: int) -> Question[Page[View]]:
    """The `n` customers with the most value at risk, most first.

    Raises:
        ValueError: `n` is negative.
    """
    if n < 0:
        raise ValueError(f"How many customers? {n} is negative.")
    candidates, time_ms = yield from views.riskiest(n)
    found = yield from customers(views, candidates)
    ranked = sorted(found.values(), key=lambda view: (-Decimal(view.value_at_risk or 0), view.customer_id))
    return Page(ranked[:n], _as_of(time_ms))


def segment_sizes(views: StoredViews) -> Question[Page[SegmentSize]]:
    """All segments with their sizes."""
    counts, time_ms = yield from views.segments()
    everybody = max(1, sum(count.customers for count in counts.values()))
    sizes = (
        SegmentSize(name, count.customers, count.customers / everybody, count.mean_value_at_risk, count.sampled)
        for name, count in counts.items()
    )
    return Page(sizes, _as_of(time_ms))


_decoder = msgspec.json.Decoder(View)


def utc(time_ms: int) -> datetime:
    """A time in ms since 1970 as a datetime in UTC.

    >>> utc(1_291_924_860_000).isoformat()
    '2010-12-09T20:01:00+00:00'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _is_text(customer_id: object) -> bool:
    """Whether it is Unicode: what a shell hands over may be other bytes, and no customer is called so.

    Raises:
        TypeError: it is no `str`, such as a number that a table has read from the text.
    """
    if not isinstance(customer_id, str):
        raise TypeError(f"A customer id is text, and {customer_id!r} is {type(customer_id).__name__}. Write str(…).")
    return not any("\ud800" <= sign <= "\udfff" for sign in customer_id)


def _as_of(time_ms: int) -> datetime | None:
    return utc(time_ms) if time_ms else None


def _known(customer_id: str, stored: bytes | None) -> View:
    if stored is None:
        raise UnknownCustomerError(
            f"Customer {customer_id!r} is unknown: no event of this customer has been applied. "
            "Check the id; events of the last seconds may still be on their way."
        )
    return _decoded(stored)


def _decoded(stored: bytes) -> View:
    try:
        return _decoder.decode(stored)
    except MALFORMED as error:
        raise LayoutError(
            f"A stored view cannot be read ({error}): another version of Ebb wrote it. Use that version, or replay."
        ) from error
