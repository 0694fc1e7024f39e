"""Whether a log is the one that was read: by where it ends, and by the last record that was read of it."""

import zlib
from dataclasses import dataclass

import pytest
from faust.types import TP

from schemas.topics import PASSED_OVER, PURCHASES
from stream.errors import LogRecreatedError
from stream.ports import LogPosition
from stream.worker.log_check import Seen, refuse_another

LOG = TP(PURCHASES, 3)
APPLIED = LogPosition(8, 1_000, zlib.crc32(b"last"))


@dataclass(frozen=True)
class Found:
    """The record of a fetch at offset 7; as it was applied, unless a test says otherwise."""

    offset: int = 7
    timestamp: int = 1_000
    value: bytes | None = b"last"
    key: bytes | None = b"ada"


@pytest.mark.parametrize("found", [Found(value=b"another"), Found(value=None), Found(timestamp=1_001)])
def test_another_record_where_the_last_one_was_is_another_log(found):
    with pytest.raises(LogRecreatedError, match="partition 3 holds another record at offset 7 than the one Redis has"):
        refuse_another(LOG, APPLIED, Seen(7, found, end=20))


def test_a_log_that_ends_before_what_was_applied_is_another_one():
    with pytest.raises(LogRecreatedError, match="partition 3 ends at offset 7, but Redis has applied 8"):
        refuse_another(LOG, APPLIED, Seen(7, end=7))


@pytest.mark.parametrize(
    "seen",
    [
        Seen(7, Found(), end=20),
        Seen(7, end=8),  # compaction or a transaction took the record, and nothing came since
        Seen(7, Found(offset=8, value=b"later"), end=20),  # likewise, and this one came
        Seen(7, Found(value=None, key=PASSED_OVER), end=20),
        Seen(7),  # nobody has answered
    ],
)
def test_the_same_record_is_the_same_log_and_so_is_one_of_which_nothing_can_be_told(seen):
    refuse_another(LOG, APPLIED, seen)


def test_a_record_that_was_never_noted_is_compared_with_none():
    refuse_another(LOG, LogPosition(8), Seen(7, Found(), end=20))


@pytest.mark.parametrize(
    ("seen", "is_clear"),
    [
        (Seen(7), False),
        (Seen(7, end=8), False),  # there is a record to come
        (Seen(7, end=7), True),
        (Seen(7, Found(), end=8), True),
        (Seen(7, out_of_range=True), True),
    ],
)
def test_a_log_is_asked_until_it_has_shown_a_record_or_its_end(seen, is_clear):
    assert seen.is_clear is is_clear
