"""Records that a lane reads as columns are the records it would have decoded, whatever was sent."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decode_many import decode_many
from schemas.origin import Origin, headers_of
from schemas.topics import CLOCK, ENGAGEMENT, REROUTED, SOURCE_TOPICS
from stream.columns.events import columns_by
from stream.worker.log_records import LogRecords
from stream.worker.reading import FEW, Reader, leaving_bugs
from stream.worker.sorting import facts_at
from tests.property.test_records_as_columns import RECEIVED_MS, RULES, values
from tests.unit.features.histories import VOCABULARY
from tests.world import Raw

EXPONENT = 2
COLUMNS = (
    "fetched", "customer", "has_customer", "topic", "kind", "offset", "timestamp_ms", "event_time_ms", "order_ms",
    "customer_crc32", "id_hash", "weight", "hops",
)  # fmt: skip
"""Of records, but for what differs with the way in which they were read."""


def decode(topic: str, values: Sequence[bytes | None], times_ms: Sequence[int]) -> Sequence[Any]:
    return decode_many(topic, values, times_ms, RULES)


def sent(values: Sequence[bytes | None], topic: str, headers: Sequence[tuple[str, bytes]]) -> list[Raw]:
    """So many of them that they are read as columns."""
    count = len(values) * (FEW // len(values) + 1)
    return [Raw(topic, at, values[at % len(values)], RECEIVED_MS + at % 3, headers=headers) for at in range(count)]


def require_the_same(one: LogRecords, other: LogRecords) -> None:
    """They hold the same, and events the same facts."""
    for name in COLUMNS:
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    assert list(map(repr, one)) == list(map(repr, other))
    places = one.is_event.nonzero()[0]
    rows = list(range(len(places)))
    expected = vars(facts_at(places, rows, other, VOCABULARY, EXPONENT))
    for name, column in vars(facts_at(places, rows, one, VOCABULARY, EXPONENT)).items():
        assert column.flags.c_contiguous
        assert (column.dtype, column.tolist()) == (expected[name].dtype, expected[name].tolist()), name


SENT_ON = [
    (name, text.encode())
    for name, text in headers_of(Origin(ENGAGEMENT, 3, 9, RECEIVED_MS - 5, hops=1, path=(("eve", 7),))).items()
]


@given(
    st.lists(values, min_size=1, max_size=12),
    st.sampled_from([*SOURCE_TOPICS, REROUTED, CLOCK]),
    st.sampled_from([(), SENT_ON]),
)
def test_columns_are_the_records_that_decoding_makes(
    drawn: list[bytes | None], topic: str, headers: Sequence[tuple[str, bytes]]
) -> None:
    fetched = sent(drawn, topic, headers)
    found = Reader(decode, columns_by(RULES, VOCABULARY)).records(topic, fetched)
    require_the_same(found, Reader(decode).records(topic, fetched))


@given(st.lists(values, min_size=4, max_size=12), st.randoms(use_true_random=False))
def test_columns_stay_with_their_records_when_these_are_cut_and_reordered(
    drawn: list[bytes | None], order: Any
) -> None:
    fetched = sent(drawn, ENGAGEMENT, ())
    places = list(range(len(fetched)))
    order.shuffle(places)
    chosen = np.array(places[: len(places) // 2], np.intp)
    found = Reader(decode, columns_by(RULES, VOCABULARY)).records(ENGAGEMENT, fetched)
    expected = Reader(decode).records(ENGAGEMENT, fetched)
    require_the_same(found.take(chosen).part(1), expected.take(chosen).part(1))


def test_what_a_bug_keeps_from_being_columns_is_decoded() -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    view = b'{"type":"page_view","event_id":"v1","event_time_ms":1291900000000,"customer_id":"ada"}'
    fetched = sent([view], ENGAGEMENT, ())
    expected = Reader(decode).records(ENGAGEMENT, fetched)
    require_the_same(Reader(decode, leaving_bugs(fails)).records(ENGAGEMENT, fetched), expected)
    with pytest.raises(ZeroDivisionError):
        Reader(decode, fails).records(ENGAGEMENT, fetched)
