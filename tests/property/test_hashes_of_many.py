"""Hashes of many ids are those of each, however long they are and however many there are at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.columns.hashing import BYTES_MAX, hashes_of
from stream.features.hashes import event_hash
from stream.outcomes.sampling import MANY, customer_hash, customer_hashes

ids = st.lists(st.text(st.characters(codec="ascii"), max_size=BYTES_MAX), max_size=20)


@given(ids, st.integers(1, 10))
def test_hashes_of_many_ids_are_those_of_each(few: list[str], times: int) -> None:
    texts = [f"{number}{text}"[:BYTES_MAX] for number in range(times) for text in few]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = ends - np.array([len(text) for text in texts], np.int64)
    found = hashes_of(np.frombuffer("".join(texts).encode(), np.uint8), starts, ends)
    assert found.tolist() == [event_hash(text) for text in texts]


def test_an_id_of_every_length_has_the_hash_of_itself() -> None:
    texts = ["x" * length for length in range(BYTES_MAX + 1)]
    ends = np.cumsum(range(BYTES_MAX + 1))
    found = hashes_of(np.frombuffer("".join(texts).encode(), np.uint8), np.r_[0, ends[:-1]], ends)
    assert found.tolist() == [event_hash(text) for text in texts]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=32), max_size=20))
def test_customers_are_sampled_alike_alone_and_among_many(customers: list[str]) -> None:
    for asked in (customers, customers * MANY):
        assert customer_hashes(asked).tolist() == [customer_hash(customer) for customer in asked]


def test_an_id_of_more_than_a_block_is_refused() -> None:
    longest = "i" * BYTES_MAX
    assert customer_hashes([longest] * MANY).tolist() == [customer_hash(longest)] * MANY
    with pytest.raises(ValueError, match="more than 128 bytes"):
        customer_hashes([longest + "d"] * MANY)
