"""Records of one topic as columns: which are certainly events, and what those tell."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.money import exponent_of
from schemas.rules import DecodeRules
from stream.columns.facts import envelopes_in, fill_facts
from stream.columns.scanning import Records, scan
from stream.columns.texts import texts_of
from stream.features.facts import Envelopes
from stream.features.packed_facts import blank_packed
from stream.features.vocabulary import Vocabulary

IntArray = NDArray[np.int64]


class EventColumns(NamedTuple):
    """What records tell, shape (records,); of what is not surely an event it means nothing.

    Attributes:
        is_sure: which of them `decode` certainly accepts as events.
        envelopes: kinds, times, and hashes of ids.
        customers: ids; None of a guest.
        has_customer: which are no guest's.
        lengths: bytes of each value.
        facts: packed, see `packed_facts`.
    """

    is_sure: NDArray[np.bool_]
    envelopes: Envelopes
    customers: Sequence[str | None]
    has_customer: NDArray[np.bool_]
    lengths: IntArray
    facts: NDArray[np.uint8]


ReadColumns = Callable[[str, Sequence[bytes | None], Sequence[int]], EventColumns | None]
"""(topic, values, Kafka timestamps in ms) -> their columns; None where all of them are to be decoded."""


def columns_by(rules: DecodeRules, vocabulary: Vocabulary) -> ReadColumns:
    """Reads records by the rules of a deployment.

    >>> from schemas.topics import ENGAGEMENT
    >>> from stream.features.vocabulary import NOTHING_DECLARED
    >>> read = columns_by(DecodeRules(currency="GBP"), NOTHING_DECLARED)
    >>> view = b'{"type":"page_view","event_id":"v1","event_time_ms":1291900000000,"customer_id":"ada"}'
    >>> found = read(ENGAGEMENT, [view, b"{", None], [1291900000000] * 3)
    >>> found.is_sure.tolist(), found.customers
    ([True, False, False], ['ada', None, None])
    """
    return partial(_columns, rules=rules, vocabulary=vocabulary)


def _columns(
    topic: str,
    values: Sequence[bytes | None],
    timestamps_ms: Sequence[int],
    rules: DecodeRules,
    vocabulary: Vocabulary,
) -> EventColumns:
    present = [value or b"" for value in values]
    joined, lengths = b"".join(present), np.fromiter(map(len, present), np.int64, len(present))
    data, ends = np.frombuffer(joined, np.uint8), np.cumsum(lengths)
    scanned = scan(data, ends - lengths, ends, [topic], np.zeros(len(values), np.int64), rules.currency)
    records = scanned.records
    envelopes = envelopes_in(records, data)
    facts, packed = blank_packed(envelopes)
    fill_facts(facts, scanned, data, vocabulary, exponent_of(rules.currency))
    is_sure = surely_events(records, lengths, np.array(timestamps_ms, np.int64), rules)
    return EventColumns(is_sure, envelopes, _customers(records, data), records.customer_end > 0, lengths, packed)


def surely_events(
    records: Records, lengths: IntArray, timestamps_ms: IntArray, rules: DecodeRules
) -> NDArray[np.bool_]:
    """Which records are certainly events: taken by the scan, and neither too early, too late nor too long."""
    time_ms, early, late = records.time_ms, rules.earliest_event_time_ms, timestamps_ms + rules.latest_lead_ms
    sure: NDArray[np.bool_] = (records.kind > 0) & (time_ms >= early) & (time_ms <= late) & (lengths <= rules.max_bytes)
    return sure


def _customers(records: Records, data: NDArray[np.uint8]) -> Sequence[str | None]:
    texts = texts_of(data, records.customer_start, records.customer_end)
    return texts if records.customer_end.all() else [text or None for text in texts]
