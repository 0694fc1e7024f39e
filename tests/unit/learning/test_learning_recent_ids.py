from stream.learning.recent_ids import RecentIds


def test_an_id_is_new_once_within_the_window():
    recent = RecentIds(limit=3)
    assert [recent.add(x) for x in "abcabc"] == [True, True, True, False, False, False]


def test_what_left_the_window_is_new_again_and_a_repeat_does_not_prolong():
    recent = RecentIds(limit=2)
    assert [recent.add(x) for x in ("a", "b", "a", "c", "a", "b")] == [True, True, False, True, True, True]


def test_restored_ids_keep_their_order_of_leaving():
    first = RecentIds(limit=2)
    for x in ("a", "b"):
        first.add(x)
    second = RecentIds.from_bytes(first.to_bytes(), limit=2)
    assert len(first.to_bytes()) == 16
    assert [second.add(x) for x in ("c", "b", "a")] == [True, False, True]
