"""Customers as Ebb sees them now: `from ebb import Lookup`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Self, TypeVar

import msgspec

import stream.views
from stream.customers.segments import SEGMENTS
from stream.errors import EbbError, LayoutError, UnknownCustomerError
from stream.features.layout import LAYOUT
from stream.redis_store.lookup import StoredViews
from stream.settings.load import load_common_settings

PAGE_SIZE = 1000

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
        """Until then nothing changes unless an event arrives or a new model is taken up, UTC."""
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


class Lookup:
    """Reads views from Redis. Holds a pool of connections; threads may share it.

    Args:
        url: of the deployment's Redis; EBB_REDIS_URL when absent.

    Raises:
        StoreUnavailableError: Redis does not answer; every method may raise it too.
        SettingError: nothing has ever run on that Redis, or a setting is wrong.
        LayoutError: another version of Ebb wrote it.
    """

    def __init__(self, url: str | None = None) -> None:
        self._views = StoredViews(url or load_common_settings().redis_url, LAYOUT)

    def get(self, customer_id: str) -> View:
        """The customer's view, in one round trip.

        Raises:
            UnknownCustomerError: none of its events has been applied.
        """
        stored = self._views.get(customer_id) if _is_text(customer_id) else None
        if stored is None:
            raise UnknownCustomerError(
                f"Customer {customer_id!r} is unknown: no event of this customer has been applied. "
                "Check the id; events of the last seconds may still be on their way."
            )
        return _decoded(stored)

    def get_many(self, customer_ids: Iterable[str]) -> dict[str, View]:
        """Customer id -> view, in the order given and in one round trip. Unknown customers are absent."""
        wanted = list(filter(_is_text, dict.fromkeys(customer_ids)))
        found = zip(wanted, self._views.get_many(wanted), strict=True)
        return {customer: _decoded(stored) for customer, stored in found if stored is not None}

    def members(self, segment: str, page_size: int = PAGE_SIZE) -> Iterator[Page[str]]:
        """The ids of a segment's customers, page by page.

        Who is in the segment all the while is returned once; who enters or leaves meanwhile may be there or not.
        """
        if segment not in SEGMENTS:
            raise EbbError(f"There is no segment {segment!r}. Choose one of {', '.join(SEGMENTS)}.")
        for customers, time_ms in self._views.members(segment, page_size):
            yield Page(customers, _as_of(time_ms))

    def at_risk(self, n: int = 10) -> Page[View]:
        """The `n` customers with the most value at risk, most first."""
        time_ms = self._views.stream_time_ms()
        views = self.get_many(self._views.riskiest(n)).values()
        ranked = sorted(views, key=lambda view: (-Decimal(view.value_at_risk or 0), view.customer_id))
        return Page(ranked[:n], _as_of(time_ms))

    def segments(self) -> Page[SegmentSize]:
        """All segments with their sizes, in two round trips however many customers there are."""
        time_ms = self._views.stream_time_ms()
        counts = self._views.segments()
        everybody = max(1, sum(count.customers for count in counts.values()))
        sizes = (
            SegmentSize(name, count.customers, count.customers / everybody, count.mean_value_at_risk, count.sampled)
            for name, count in counts.items()
        )
        return Page(sizes, _as_of(time_ms))

    def close(self) -> None:
        """Release the connections."""
        self._views.close()

    def __enter__(self) -> Self:
        """`with Lookup() as lookup:` closes it at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


_decoder = msgspec.json.Decoder(View)


def utc(time_ms: int) -> datetime:
    """A time in ms since 1970 as a datetime in UTC.

    >>> utc(1_291_924_860_000).isoformat()
    '2010-12-09T20:01:00+00:00'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _is_text(customer_id: str) -> bool:
    """Whether it is Unicode: what a shell hands over may be other bytes, and no customer is called so."""
    return not any("\ud800" <= sign <= "\udfff" for sign in customer_id)


def _as_of(time_ms: int) -> datetime | None:
    return utc(time_ms) if time_ms else None


def _decoded(stored: bytes) -> View:
    try:
        return _decoder.decode(stored)
    except msgspec.DecodeError as error:
        raise LayoutError(
            f"A stored view cannot be read ({error}): another version of Ebb wrote it. Use that version, or replay."
        ) from error
