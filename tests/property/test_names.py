"""Ids have the places in which they first came, whatever they are and however they come together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offline.columns.comers import Comers
from offline.columns.names import Names

texts = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.sampled_from("abc"), max_size=30)


@given(st.lists(texts, max_size=6), st.integers(1, 300))
def test_each_id_has_the_place_in_which_it_first_came(batches: list[list[str]], times: int) -> None:
    names, expected = Names(), dict[str, int]()
    for batch in batches:
        many = [text for number in range(times) for text in (*batch, *(f"{number}{text}" for text in batch))]
        assert names.places_of(many).tolist() == [expected.setdefault(text, len(expected)) for text in many]
    assert (list(names), len(names)) == (list(expected), len(expected))


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=6))
def test_who_comes_is_numbered_by_the_first_time(batches: list[list[int]]) -> None:
    names, expected = Names(), dict[int, int]()
    names.places_of([f"c{number}" for number in range(10)])
    comers = Comers(names)
    for batch in batches:
        found = comers.places_of(np.array(batch, np.int64))
        assert found.tolist() == [expected.setdefault(row, len(expected)) for row in batch]
    assert comers.listed() == [f"c{row}" for row in expected]
    assert len(comers) == len(expected)
