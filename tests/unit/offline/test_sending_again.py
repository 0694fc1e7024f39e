"""Which dead letters are sent again, where to, and why the others are left."""

from collections import Counter
from types import SimpleNamespace

import msgspec
import pytest

from ebb.cli.dead_letter_pages import describe, line_of
from offline.dead_letters import DeadLetter, dead_letter_of
from offline.sending_again import CLOCK_RECORD, INTERNAL, OF_INGEST, Ready, SentAgain, _ready
from schemas.clock import ClockRecord
from schemas.decode import DecodeRules
from schemas.identities import Arrival, Erasure, Merge, Release
from schemas.origin import Origin
from schemas.partition import partition_of
from schemas.rejection import reject
from schemas.topics import CLOCK, PROFILES, REROUTED
from stream.ingest.mapping.records import SourceRecord
from stream.ingest.process import dead_letter

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


def test_what_ingest_has_refused_has_a_place_and_is_not_sent_for_an_event() -> None:
    source = SourceRecord("shop.orders", 2, 17, NOW_MS, None, b"{}")
    sent = dead_letter(source, reject("no_event", "no [[event]] of the map applies"), 0, PARTITIONS)
    record = SimpleNamespace(partition=2, offset=5, timestamp=NOW_MS, key=None, value=b"{}", headers=sent.headers)
    letter = dead_letter_of(record)
    assert (letter.topic, letter.source) == ("shop.orders", Origin("shop.orders", 2, 17, NOW_MS))
    assert "shop.orders-2@17" in line_of(letter)
    assert _ready(letter, PARTITIONS, DecodeRules("GBP"), NOW_MS, lambda each: each) == OF_INGEST
    left = describe(SentAgain(left=Counter({OF_INGEST: 1})), dry_run=False)
    assert ("write them to these topics again" in left, "--fix" in left) == (True, False)
    record.headers = [(name, text) for name, text in sent.headers if name != "source_topic"]
    assert dead_letter_of(record).source is None
