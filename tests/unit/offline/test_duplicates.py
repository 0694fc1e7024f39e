import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offline.duplicates import NO_ID, WINDOW_RECORDS, repeated
from stream.worker import seen


def test_the_window_is_the_workers():
    assert (WINDOW_RECORDS, NO_ID) == (seen.WINDOW_RECORDS, seen.NO_ID)


@given(
    records=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=60),
    window=st.integers(1, 8),
)
def test_a_whole_log_at_once_gives_what_the_worker_finds_record_by_record(records, window):
    hashes = np.array([value for value, _ in records], np.uint64)
    lanes = np.array([lane for _, lane in records], np.int64)
    windows = {lane: seen.SeenWindow([], window) for lane in (0, 1)}
    expected = []
    for value, lane in records:
        expected += windows[lane].duplicates([value])
        windows[lane].advance([value], windows[lane].block_of([value]))
    assert repeated(hashes, lanes, window).tolist() == expected
