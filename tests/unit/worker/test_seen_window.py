"""The window of event ids against the obvious: look through the last records."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream import last_records
from stream.last_records import LastRecords
from stream.ports import SeenBlock
from stream.worker import seen
from stream.worker.seen import BLOCK_RECORDS, NO_ID, WINDOW_RECORDS, SeenWindow

SMALL_BLOCK, FEW_PLACES = 4, 2


def obvious(log: list[int], window: int) -> list[bool]:
    """Whether each id is among the `window` records before it."""
    return [value != NO_ID and value in log[max(0, at - window) : at] for at, value in enumerate(log)]


def stored(blocks: list[bytes], block: SeenBlock) -> list[bytes]:
    """The blocks as a store keeps them."""
    kept = [*blocks[: len(blocks) - block.replaces_last], block.packed]
    return kept[block.drop_first :]


@settings(deadline=None)
@given(
    chunks=st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=12),
    window=st.integers(1, 10),
    restarts=st.sets(st.integers(0, 11)),
)
def test_duplicates_are_those_of_the_obvious_search_across_chunks_and_restarts(
    chunks: list[list[int]], window: int, restarts: set[int]
) -> None:
    blocks: list[bytes] = []
    found: list[bool] = []
    with small_sizes():
        kept = SeenWindow(blocks, window)
        for number, chunk in enumerate(chunks):
            if number in restarts:
                kept = SeenWindow(blocks, window)
            found += kept.duplicates(chunk)
            block = kept.block_of(chunk)
            kept.advance(chunk, block)
            blocks = stored(blocks, block)
            assert sum(len(each) // 8 for each in blocks) < window + SMALL_BLOCK + max(map(len, chunks))
    assert found == obvious([value for chunk in chunks for value in chunk], window)


class small_sizes:  # noqa: N801 - it is used like a function
    """Blocks and tables so small that a few records fill them."""

    def __enter__(self) -> None:
        self._before = seen.BLOCK_RECORDS, last_records.PLACES_AT_LEAST
        seen.BLOCK_RECORDS, last_records.PLACES_AT_LEAST = SMALL_BLOCK, FEW_PLACES

    def __exit__(self, *_: object) -> None:
        seen.BLOCK_RECORDS, last_records.PLACES_AT_LEAST = self._before


def test_nothing_changes_before_the_records_are_applied() -> None:
    window = SeenWindow([])
    window.block_of([5])
    assert window.duplicates([5]) == [False]


def test_a_record_without_an_id_repeats_nothing_and_takes_its_place() -> None:
    window = SeenWindow([], window=2)
    log = [5, NO_ID, NO_ID, 5]
    assert window.duplicates(log) == [False, False, False, False]


def test_a_full_window_has_two_places_an_id_however_many_records_went_through() -> None:
    last, chunk = LastRecords(WINDOW_RECORDS + BLOCK_RECORDS), 2**12
    ids = np.random.default_rng(1).integers(1, 2**63, 3 * WINDOW_RECORDS, np.uint64)
    for first in range(0, len(ids), chunk):
        assert len(last._hashes) == 2 * WINDOW_RECORDS
        last.remember(ids[first : first + chunk], first, first - WINDOW_RECORDS)
    kept = np.arange(len(ids) - WINDOW_RECORDS, len(ids))
    np.testing.assert_array_equal(last.numbers_of(ids[kept]), kept)
