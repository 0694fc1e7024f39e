"""Hashes of many ids are those of each, however long they are and however many there are at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.columns.hashing import BYTES_MAX, hashes_of
from stream.features.hashes import event_hash

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
