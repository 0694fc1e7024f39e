"""Partitions of many customers are those of each."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.partition import murmur2, partition_of
from stream.byte_rows import byte_rows
from stream.columns.murmur2 import murmur2_of
from stream.worker.homes import MANY, partitions_of


@given(st.lists(st.binary(max_size=140), min_size=1, max_size=50))
def test_hashes_of_keys_of_all_lengths_are_those_of_each(keys: list[bytes]) -> None:
    assert murmur2_of(*byte_rows(keys).spans).tolist() == [murmur2(key) for key in keys]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=32)), st.integers(1, 64))
def test_partitions_of_few_and_of_many_are_those_of_each(customers: list[str], partitions: int) -> None:
    for asked in (customers, customers * MANY):
        assert partitions_of(asked, partitions) == [partition_of(customer, partitions) for customer in asked]
