"""Which dead letters are sent again, where to, and why the others are left."""

import msgspec
import pytest

from offline.dead_letters import DeadLetter
from offline.sending_again import CLOCK_RECORD, INTERNAL, Ready, _ready
from schemas.clock import ClockRecord
from schemas.decode import DecodeRules
from schemas.identities import Arrival, Erasure, Merge, Release
from schemas.origin import Origin
from schemas.partition import partition_of
from schemas.topics import CLOCK, PROFILES, REROUTED

NOW_MS = 1_291_990_000_000
PARTITIONS = 4
WHO = {"event_id": "1", "event_time_ms": NOW_MS, "customer_id": "ada"}


def ready(topic: str, record: msgspec.Struct) -> Ready | str:
    """What becomes of a letter with this record."""
    origin = Origin(topic, 0, 7, NOW_MS)
    letter = DeadLetter("0:7", topic, b"k", msgspec.json.encode(record), "bug", "", "", origin, NOW_MS)
    return _ready(letter, PARTITIONS, DecodeRules("GBP"), NOW_MS, None)


@pytest.mark.parametrize("topic", [PROFILES, REROUTED])
@pytest.mark.parametrize("record", [Erasure(**WHO), Merge(**WHO, into="bob")], ids=["erasure", "merge"])
def test_erasures_and_merges_go_to_the_profiles_of_their_customer(topic: str, record: Erasure | Merge) -> None:
    value = msgspec.json.encode(record)
    expected = Ready(Origin(topic, 0, 7, NOW_MS), "0:7", PROFILES, partition_of("ada", PARTITIONS), b"ada", value)
    assert ready(topic, record) == expected


def test_what_ebb_itself_has_sent_for_a_merge_is_not_called_a_clock_record() -> None:
    arrival = Arrival(**WHO, merged=["bob"], merged_ms=[NOW_MS], layout="")
    assert ready(REROUTED, arrival) == INTERNAL
    assert ready(REROUTED, Release(**WHO, merged_ms=NOW_MS, erased_ms=NOW_MS)) == INTERNAL
    assert ready(CLOCK, ClockRecord(time_ms=NOW_MS)) == CLOCK_RECORD
