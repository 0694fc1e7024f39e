"""Records come back from their bytes as they were, and whatever else is stored is seen to be none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.features.sparse import marks_of, squeezed, widened

WIDTHS = st.sampled_from([8, 64, 72, 560])


@st.composite
def records(draw: st.DrawFn) -> np.ndarray:
    width, count = draw(WIDTHS), draw(st.integers(0, 4))
    word = st.one_of(st.just(b"\0" * 8), st.binary(min_size=8, max_size=8))
    words = draw(st.lists(word, min_size=count * width // 8, max_size=count * width // 8))
    return np.frombuffer(b"".join(words), np.uint8).reshape(count, width)


@given(records())
def test_records_come_back_as_they_were(given_records):
    stored = squeezed(given_records).listed()
    again = widened(stored, given_records.shape[1])
    assert again is not None
    assert again.tobytes() == given_records.tobytes()
    width = given_records.shape[1] // 8
    words = given_records.reshape(len(given_records), width, 8).any(axis=2).sum(axis=1)
    assert [len(each) for each in stored] == [marks_of(given_records.shape[1]) + 8 * n for n in words.tolist()]


@given(st.lists(st.binary(max_size=40), max_size=4), WIDTHS)
def test_bytes_are_records_or_are_refused(stored, width):
    found = widened(stored, width)
    for at, each in enumerate(stored):
        alone = widened([each], width)
        assert (alone is None) <= (found is None)
        if found is not None and alone is not None:
            assert found[at].tobytes() == alone.tobytes()
        if alone is not None and each:
            marked = int.from_bytes(each[: marks_of(width)], "little")
            assert marked < 1 << width // 8
            assert len(each) == marks_of(width) + 8 * marked.bit_count()
