"""Eight bytes at once say what one after another would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.columns.tokens import NONE, string_end
from stream.columns.words_of_bytes import BYTES, first_not_plain, is_same, word_at

SIGNS = st.sampled_from([*b'az09 ~"\\', 0, 1, 0x1F, 0x7F, 0x80, 0xDC, 0xFE, 0xFF])


@given(st.lists(SIGNS, min_size=BYTES, max_size=BYTES).map(bytes))
def test_what_is_not_plain_is_found_at_its_place(data: bytes) -> None:
    not_plain = [at for at, sign in enumerate(data) if not ord(" ") <= sign <= ord("~") or sign in b'"\\']

    assert first_not_plain(np.frombuffer(data, np.uint8), 0) == (not_plain[0] if not_plain else BYTES)


@given(st.lists(SIGNS, max_size=30).map(bytes), st.integers(0, 30))
def test_a_string_ends_at_its_quote_wherever_it_begins(data: bytes, start: int) -> None:
    start = min(start, len(data))
    rest = data[start:]
    plain = rest.partition(b'"')[0]
    is_plain = b'"' in rest and b"\\" not in plain and all(ord(" ") <= sign <= ord("~") for sign in plain)

    found = string_end(np.frombuffer(data, np.uint8), start, len(data))

    assert found == (start + len(plain) if is_plain else NONE)


@given(st.binary(max_size=30), st.integers(0, 30), st.integers(0, 12))
def test_a_word_has_the_bytes_up_to_its_end_and_zeros(data: bytes, start: int, length: int) -> None:
    start = min(start, len(data))
    end = min(start + length, len(data))

    word = word_at(np.frombuffer(data, np.uint8), start, end)

    assert int(word) == int.from_bytes(data[start:end][:BYTES], "little")


@given(
    st.lists(st.sampled_from([b"", b"tea", b"teapot-7", b"teapot-77", b"a longer name of tea"]), min_size=2, max_size=4)
)
def test_two_spans_are_the_same_when_their_bytes_are(texts: list[bytes]) -> None:
    data = np.frombuffer(b"".join(texts), np.uint8)
    ends = np.cumsum([len(text) for text in texts])

    found = [
        is_same(data, ends[0] - len(texts[0]), ends[0], data, end - len(text), end)
        for text, end in zip(texts, ends, strict=True)
    ]

    assert found == [text == texts[0] for text in texts]
