import numpy as np
import pytest

from stream.errors import LayoutError
from stream.features.layout import DECISION, ENGAGEMENT, FEATURES, LAYOUT, STATE, empty
from stream.features.stored import pack, unpack
from tests.unit.features.histories import START_MS, folded


def test_the_record_keeps_its_byte_budget():
    assert FEATURES.itemsize <= 384
    assert ENGAGEMENT.itemsize <= 128
    assert DECISION.itemsize <= 64
    assert STATE.itemsize == FEATURES.itemsize + DECISION.itemsize + ENGAGEMENT.itemsize


@pytest.mark.parametrize("block", [FEATURES, ENGAGEMENT, DECISION])
def test_every_field_is_little_endian_packed_and_aligned(block):
    end = 0
    for name in block.names:
        field, offset = block.fields[name][:2]
        assert offset == end
        assert field.base == field.base.newbyteorder("<")
        assert offset % field.base.itemsize == 0
        end = offset + field.itemsize
    assert end == block.itemsize
    assert block.itemsize % 8 == 0


def test_what_a_customer_has_nothing_of_takes_no_bytes():
    view = {"type": "page_view", "event_id": "v", "event_time_ms": START_MS}
    states = folded([(1, view)])
    stored = pack(states)
    assert [len(each) for each in stored] == [9, 9 + 5 * 8, 9]
    assert unpack(stored).tobytes() == states.tobytes()


def test_what_earlier_releases_stored_is_read():
    view = {"type": "page_view", "event_id": "v", "event_time_ms": START_MS}
    states = folded([(0, view)])
    states["decision"]["due_ms"][1] = 5
    whole, short = states[0].tobytes(), states[1].tobytes()[: FEATURES.itemsize + DECISION.itemsize]
    assert unpack([whole, None, short, pack(states)[0]]).tobytes() == states.take([0, 2, 1, 0]).tobytes()


def test_a_decision_survives_storage():
    states = empty(2)
    states["decision"]["due_ms"] = [5, 0]
    assert unpack(pack(states[::-1]))["decision"]["due_ms"].tolist() == [0, 5]


def test_a_customer_never_seen_is_all_zero_and_writable():
    states = unpack([None, b""])
    assert states.tobytes() == empty(2).tobytes()
    states["decision"]["segment"] = 3
    assert pack(empty(0)) == []
    assert len(unpack([])) == 0


def test_bytes_of_another_layout_are_refused_with_their_length():
    with pytest.raises(LayoutError, match=rf"has 100 bytes that are no state of layout {LAYOUT}"):
        unpack([np.zeros(100, "u1").tobytes()])
