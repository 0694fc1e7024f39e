"""A history: what a shop's files tell, as the events that would have been sent, in the order of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.events import Event, Refund


@dataclass(frozen=True)
class Summary:
    """What a history holds. Times are in ms since 1970, UTC; both are 0 without events."""

    events: int
    refunds: int
    guests: int
    customers: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True)
class History:
    """Events in order of (event_time_ms, event_id), and what the files held that is none.

    Attributes:
        events: all of one history, each id once.
        skipped: reason -> how many orders, or lines where the reason says so, were left out.
    """

    events: Sequence[Event]
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> Summary:
        """Counts and times of the events.

        >>> History(events=[]).summary
        Summary(events=0, refunds=0, guests=0, customers=0, first_ms=0, last_ms=0)
        """
        customers = [event.customer_id for event in self.events]
        return Summary(
            events=len(customers),
            refunds=sum(isinstance(event, Refund) for event in self.events),
            guests=customers.count(None),
            customers=len(set(customers) - {None}),
            first_ms=self.events[0].event_time_ms if self.events else 0,
            last_ms=self.events[-1].event_time_ms if self.events else 0,
        )
