"""A walk over a segment asks Redis page by page; here Redis answers as SSCAN may."""

from collections.abc import Generator, Sequence
from typing import Any

from stream.redis_store.lookup import Members


def answered(question: Generator[Any, list[Any], Any], replies: list[list[Any]]) -> Any:
    """What a question comes to with these replies, a round trip each."""
    try:
        next(question)
        while True:
            question.send(replies.pop(0))
    except StopIteration as end:
        return end.value


def scanned(cursor: int, *customers: bytes, time_ms: bytes = b"7") -> list[Any]:
    """A partition's time, and a page of its members with the cursor of the next one; 0 is the last."""
    return [time_ms, [cursor, list(customers)]]


def pages(partitions: int, page_size: int, replies: Sequence[list[Any]]) -> list[tuple[list[str], int]]:
    walk, left = Members(partitions, "Champions", page_size), list(replies)
    found = list(iter(lambda: answered(walk.next_page(), left), None))
    assert left == []
    return found


def test_whom_redis_names_again_is_returned_once():
    replies = [scanned(3, b"ada", b"bob"), scanned(5, b"bob", b"ada", b"eve"), scanned(0, b"ada")]
    assert pages(1, 2, replies) == [(["ada", "bob"], 7), (["eve"], 7)]


def test_a_page_is_as_old_as_the_oldest_partition_in_it():
    replies = [scanned(0, b"ada", time_ms=b"9"), scanned(0, b"bob", b"eve", time_ms=b"5")]
    assert pages(2, 2, replies) == [(["ada", "bob"], 5), (["eve"], 5)]


def test_of_a_segment_without_members_there_is_no_page():
    assert pages(2, 10, [scanned(0), scanned(0, time_ms=b"5")]) == []
