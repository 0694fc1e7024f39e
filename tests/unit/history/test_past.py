"""A past read back from an archive is what the lane applied, whatever the log alone would say."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from ebb.history.past import PartitionPast
from ebb.history.stretches import Stretch, coalesced
from offline.archive.files import JOURNAL
from offline.archive.records import ArchivedRecord
from offline.archive.writing import LogArchive
from schemas.decode import DecodeRules
from schemas.decode_many import decode_many
from schemas.events import OrderLine, Purchase
from schemas.origin import Origin, headers_of
from schemas.topics import INPUT_TOPICS, PURCHASES, REROUTED
from schemas.units import DAY_MS
from stream.worker.hearing import logged_times
from stream.worker.journal_entry import JournalEntry, encode_entry
from tests.world import BEGIN_MS

RULES = DecodeRules(currency="GBP")


def purchase(number: int, event_time_ms: int = BEGIN_MS) -> bytes:
    lines = [OrderLine(product_id="85048", quantity=2, unit_price="12.50")]
    whole = Purchase(
        event_id=str(number), customer_id="12748", event_time_ms=event_time_ms, currency="GBP", lines=lines
    )
    return msgspec.json.encode(whole)


def archived(folder: Path, topic: str, *records: ArchivedRecord) -> None:
    log = LogArchive(folder, topic, 0)
    log.add(records)
    log.flush()


def read_back(folder: Path, *entries: JournalEntry) -> list[Stretch]:
    archived(folder, JOURNAL, *(ArchivedRecord(entry.version, 0, b"1-0", encode_entry(entry)) for entry in entries))
    past = PartitionPast(folder, 0, decode, "replay")
    return list(past.journaled())


def decode(topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
    """It fails on one purchase."""
    assert purchase(1) not in values
    return decode_many(topic, values, timestamps_ms, RULES)


def reasons(stretches: list[Stretch]) -> list[str | None]:
    return [getattr(each, "reason", None) for stretch in stretches for each in stretch.records.decoded]


def test_what_a_bug_made_a_dead_letter_stays_one_and_is_decoded_no_more(tmp_path):
    archived(tmp_path, PURCHASES, *(ArchivedRecord(at, BEGIN_MS, b"12748", purchase(at)) for at in range(3)))
    entry = JournalEntry(1, {PURCHASES: (0, 3)}, BEGIN_MS, [(0, BEGIN_MS)], {}, tick=False, set_aside=[(PURCHASES, 1)])
    assert reasons(read_back(tmp_path, entry)) == [None, "bug", None]


def test_what_was_set_aside_has_its_place_among_the_topics_and_the_clock_hears_it(tmp_path):
    times = {PURCHASES: (1, 5), REROUTED: (3,)}
    for topic, some in times.items():
        records = [
            ArchivedRecord(at, BEGIN_MS + 9, b"12748", purchase(time + 10, BEGIN_MS + time))
            for at, time in enumerate(some)
        ]
        archived(tmp_path, topic, *records)
    entry = JournalEntry(
        1,
        {PURCHASES: (0, 2), REROUTED: (0, 1)},
        BEGIN_MS,
        [(0, BEGIN_MS)],
        {},
        tick=False,
        set_aside=[(PURCHASES, 1)],
        set_aside_heard=[(BEGIN_MS + 5, 7)],
    )
    (stretch,) = read_back(tmp_path, entry)
    assert (stretch.records.event_time_ms - BEGIN_MS).tolist() == [1, 3, 5]
    assert logged_times(stretch.records).vouches.tolist() == [True, True, True]
    assert stretch.records.customer_crc32[2] == 7


def test_a_rerouted_event_is_as_early_as_its_producer_wrote_it(tmp_path):
    """It waited for days to be sent on: by then its time was not one of the future any more."""
    ahead_ms = BEGIN_MS + 2 * DAY_MS
    sent_on = headers_of(Origin(PURCHASES, 3, 0, BEGIN_MS))
    headers = [(name, text.encode()) for name, text in sent_on.items()]
    archived(tmp_path, REROUTED, ArchivedRecord(0, BEGIN_MS + 3 * DAY_MS, b"12748", purchase(0, ahead_ms), headers))
    entry = JournalEntry(1, {REROUTED: (0, 1)}, BEGIN_MS, [(0, BEGIN_MS)], {}, tick=False)
    (reason,) = reasons(read_back(tmp_path, entry))
    assert reason == "event_time_too_late"


def test_what_a_lost_commit_has_sent_says_nothing_in_its_place(tmp_path):
    headers = [
        (name, text.encode()) for name, text in headers_of(Origin(PURCHASES, 3, 0, BEGIN_MS + 9, hops=1)).items()
    ]
    sent = [ArchivedRecord(at, BEGIN_MS, b"12748", purchase(at + 5, BEGIN_MS + at), headers) for at in range(3)]
    archived(tmp_path, REROUTED, *sent)
    archived(tmp_path, PURCHASES, ArchivedRecord(0, BEGIN_MS + 9, b"12748", purchase(9, BEGIN_MS + 1)))
    both = {PURCHASES: (0, 1), REROUTED: (0, 3)}
    entry = JournalEntry(1, both, BEGIN_MS, [(0, BEGIN_MS)], {}, tick=False, lost=[1])
    (stretch,) = read_back(tmp_path, entry)
    said = zip(stretch.records.topic, stretch.records.offset.tolist(), stretch.records.is_event.tolist(), strict=True)
    names = [(INPUT_TOPICS[topic], offset, is_event) for topic, offset, is_event in said]
    assert names == [(REROUTED, 0, True), (PURCHASES, 0, True), (REROUTED, 1, False), (REROUTED, 2, True)]


def test_what_was_sent_in_another_timeline_is_another_step(tmp_path):
    sent_in = ["", "a", "", "a", "b", ""]
    entries = [
        JournalEntry(version, {}, BEGIN_MS + version, [], {}, tick=True, timeline=timeline)
        for version, timeline in enumerate(sent_in, 1)
    ]
    steps = list(coalesced(iter(read_back(tmp_path, *entries))))
    assert [(step.end_ms - BEGIN_MS, step.timeline) for step in steps] == [(4, "a"), (6, "b")]


def test_what_was_put_off_for_a_bug_is_put_off_between_the_same_steps(tmp_path):
    ticks = [JournalEntry(version, {}, BEGIN_MS + version, [], {}, tick=True) for version in (1, 2, 4, 5)]
    until_ms = {"ada": BEGIN_MS + DAY_MS}
    put_off = JournalEntry(3, {}, BEGIN_MS + 2, [], {}, tick=False, postponed=until_ms)
    steps = list(coalesced(iter(read_back(tmp_path, *ticks[:2], put_off, *ticks[2:]))))
    assert [(step.end_ms - BEGIN_MS, step.postponed) for step in steps] == [(2, {}), (2, until_ms), (5, {})]


def test_what_no_entry_speaks_of_goes_on_where_the_entries_end_also_when_steps_are_joined(tmp_path):
    taken = [ArchivedRecord(at, BEGIN_MS, b"12748", purchase(at + 5)) for at in (0, 1, 4, 5)]
    archived(tmp_path, PURCHASES, *taken)
    entry = JournalEntry(1, {PURCHASES: (0, 2)}, BEGIN_MS, [(0, BEGIN_MS)], {}, tick=False)
    archived(tmp_path, JOURNAL, ArchivedRecord(1, 0, b"1-0", encode_entry(entry)))
    past = PartitionPast(tmp_path, 0, decode, "live")
    assert [stretch.records.offset.tolist() for stretch in past.journaled()] == [[0, 1]]
    (left,) = past.unnoted()
    assert (left.records.offset.tolist(), left.first, past.unjournaled) == ([4, 5], {PURCHASES: 2}, 2)
    earlier = replace(left, records=left.records.part(0, 1), times=left.times[:1])
    later = replace(left, records=left.records.part(1), times=left.times[1:], first={PURCHASES: 5})
    (joined,) = coalesced(iter([earlier, later]))
    assert (joined.records.offset.tolist(), joined.first) == ([4, 5], {PURCHASES: 2})
