"""What an archive has of an erased customer goes; everything else stays as it was, and so do the erasures."""

import json

import pytest

from offline.archive.erased import ERASED, ErasedPlace, erased_places, note_erased
from offline.archive.erasing import take_out
from offline.archive.files import files
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.archive.writing import LogArchive
from schemas.topics import ENGAGEMENT, LABELS

ADA = "Zoë {7}"
ERASED_MS = 1_000


def row(offset, fields, key=ADA):
    value = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return ArchivedRecord(offset, offset, key.encode(), value)


def event(time_ms, customer=ADA, **fields):
    return {"type": "page_view", "event_id": str(time_ms), "customer_id": customer, "event_time_ms": time_ms, **fields}


HERS = [row(3, event(5)), row(4, event(ERASED_MS), key="another key"), row(5, b"{broken")]
OTHERS = [
    row(7, event(ERASED_MS + 1)),
    row(8, event(5, type="erasure")),
    row(11, event(5, type="merge", into="bob")),
    row(13, event(5, type="release")),
    row(9, event(5, customer="bob", note=f"like {ADA}")),
    row(10, b"{broken", key="bob"),
    row(12, event(6, customer="bob")),
]


def archived(folder, topic):
    return list(records_of(read_batches(folder, topic, 0)))


def write(folder, topic, records):
    log = LogArchive(folder, topic, 0)
    log.add(records)
    log.flush()


def test_only_what_is_hers_until_then_goes(tmp_path):
    label = {"type": "label", "customer_id": ADA, "snapshot_ms": 7}
    write(tmp_path, ENGAGEMENT, sorted([*HERS, *OTHERS], key=lambda record: record.offset))
    write(tmp_path, LABELS, [row(0, label), row(1, label | {"customer_id": "bob"}, key="bob")])
    names = [file.path.name for file in files(tmp_path, ENGAGEMENT, 0)]
    assert take_out(tmp_path, [ADA], ERASED_MS) == len(HERS) + 1
    assert archived(tmp_path, ENGAGEMENT) == sorted(OTHERS, key=lambda record: record.offset)
    assert [record.offset for record in archived(tmp_path, LABELS)] == [1]
    assert [file.path.name for file in files(tmp_path, ENGAGEMENT, 0)] == names
    assert take_out(tmp_path, [ADA], ERASED_MS) == 0


def test_the_places_of_what_goes_stay_and_are_those_of_no_other(tmp_path):
    misspelled = row(6, event("5"))
    write(tmp_path, ENGAGEMENT, sorted([*HERS, misspelled, *OTHERS], key=lambda record: record.offset))
    write(tmp_path, LABELS, [row(0, {"type": "label", "customer_id": ADA, "snapshot_ms": 7})])
    note_erased(tmp_path, ENGAGEMENT, 0, [ErasedPlace(3, 3)])  # a process that ended before it erased
    take_out(tmp_path, [ADA], ERASED_MS)
    assert erased_places(tmp_path, ENGAGEMENT, 0) == [(3, 3), (4, 4), (5, 0), (6, 0)]
    assert (tmp_path / ENGAGEMENT / "partition=0" / ERASED).read_bytes() == b"[[3,3],[4,4],[5,0],[6,0]]"
    assert erased_places(tmp_path, LABELS, 0) == []


@pytest.mark.parametrize("spelled", [r"Zo\u00EB {7}", r"Z\u006fë {7}", r"Zoë\u0020{7}"])
def test_so_does_what_a_producer_has_spelled_in_a_way_of_its_own(tmp_path, spelled):
    value = json.dumps(event(5), ensure_ascii=False).replace(ADA, spelled)
    assert json.loads(value)["customer_id"] == ADA
    his = row(1, json.dumps(event(6, customer="bob", note="\n")).encode(), key="bob")
    write(tmp_path, ENGAGEMENT, [row(0, value.encode(), key="another key"), his])
    assert take_out(tmp_path, [ADA], ERASED_MS) == 1
    assert archived(tmp_path, ENGAGEMENT) == [his]
