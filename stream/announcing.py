"""What a step has to say, and which record or deadline made it say so."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from stream.changes import Changes
from stream.chunk import IntArray, RowArray, StreamTimes
from stream.drafts import MessageDraft, Order


class Announcer:
    """Drafts messages, each in the place that its cause has in the log.

    The cause is the customer's record or deadline of the current round; a deadline comes before the first record whose
    stream time has reached it.
    """

    def __init__(self, customers: Sequence[str], times: StreamTimes, changes: Changes) -> None:
        self._customers, self._times, self._changes = customers, times, changes
        self._record = np.zeros(len(customers), np.int64)
        self._deadline_ms = np.zeros(len(customers), np.int64)  # 0: the record itself is the cause

    def deadlines_fire(self, rows: RowArray, deadline_ms: IntArray) -> None:
        """From here on these rows speak because of their deadlines."""
        self._record[rows] = np.searchsorted(self._times.of_record, deadline_ms, side="left")
        self._deadline_ms[rows] = deadline_ms

    def records_apply(self, rows: RowArray, index: IntArray) -> None:
        """From here on these rows speak because of the records at `index`."""
        self._record[rows] = index
        self._deadline_ms[rows] = 0

    def say(self, row: int, kind: str, topic: str, build: type[msgspec.Struct], **fields: Any) -> None:
        """Draft a message about the customer of `row`; of two with one cause, the smaller `kind` comes first."""
        customer = self._customers[row]
        fields["customer_id"] = customer
        order = _order(int(self._record[row]), int(self._deadline_ms[row]), customer, kind)
        self._changes.drafts.append(MessageDraft(order, topic, customer, build, fields))

    def causes(self, rows: RowArray) -> tuple[IntArray, IntArray]:
        """Of each row the record that makes it speak, and its deadline, 0 where the record itself is the cause."""
        return self._record[rows], self._deadline_ms[rows]

    def say_all(
        self,
        topic: str,
        build: type[msgspec.Struct],
        records: IntArray,
        deadlines_ms: IntArray,
        kinds: Sequence[str],
        fields: Iterable[Mapping[str, Any]],
    ) -> None:
        """`say` of many, whose causes were kept.

        Args:
            topic: of the messages.
            build: makes one.
            records, deadlines_ms: shape (messages,), as `causes` gave them.
            kinds: of each.
            fields: of each, `customer_id` among them.
        """
        drafts = self._changes.drafts
        each = zip(records.tolist(), deadlines_ms.tolist(), kinds, fields, strict=True)
        for record, deadline_ms, kind, of in each:
            customer = of["customer_id"]
            drafts.append(MessageDraft(_order(record, deadline_ms, customer, kind), topic, customer, build, of))


def _order(record: int, deadline_ms: int, customer: str, kind: str) -> Order:
    """Of a message that this record or deadline is the cause of."""
    return record, int(deadline_ms == 0), deadline_ms, customer, kind
