"""An archive holds each record once, in order, as Kafka has it, wherever its writer was stopped."""

import random
from pathlib import Path
from threading import Thread

import pytest

from offline.archive.files import TEMPORARY, ArchiveError, contained, files, gaps, locked, log_folder
from offline.archive.reading import last_record, read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.archive.writing import LogArchive

TOPIC = "events.purchases"


def record(offset: int) -> ArchivedRecord:
    """One in five has no value, one in seven no key; offsets are not dense."""
    value = None if offset % 5 == 0 else b"\xff%d" % offset
    return ArchivedRecord(offset, 1_000 + offset, None if offset % 7 == 0 else b"k", value, [("h", b"1"), ("h", None)])


def archived(folder: Path, begin: int = 0, end: int | None = None) -> list[ArchivedRecord]:
    return list(records_of(read_batches(folder, TOPIC, 0, begin, end)))


def grow(folder: Path, times: int, seed: int = 1) -> list[ArchivedRecord]:
    """Run after run, each adding a little."""
    dice, written, offset = random.Random(seed), [], 3
    for _ in range(times):
        log = LogArchive(folder, TOPIC, 0)
        records = [record(offset := offset + dice.randint(1, 3)) for _ in range(dice.randint(0, 40))]
        log.add(records)
        log.flush()
        written += records
    return written


def test_each_record_comes_back_once_in_order_and_as_it_was(tmp_path):
    written = grow(tmp_path, times=120)
    assert archived(tmp_path) == written
    assert last_record(tmp_path, TOPIC, 0) == written[-1]
    middle = written[700].offset
    assert archived(tmp_path, begin=middle, end=middle + 50) == [r for r in written if middle <= r.offset < middle + 50]
    assert gaps(files(tmp_path, TOPIC, 0)) == []
    assert len(files(tmp_path, TOPIC, 0)) < 12  # not one a run


def test_a_writer_killed_between_joining_files_and_deleting_them_leaves_each_record_once(tmp_path):
    written = grow(tmp_path, times=20)
    old = files(tmp_path, TOPIC, 0)[0]
    kept = old.path.read_bytes()
    log = LogArchive(tmp_path, TOPIC, 0)
    more = [record(offset) for offset in range(log.position, log.position + 5_000)]
    log.add(more)
    log.flush()
    old.path.write_bytes(kept)  # it had no time to delete it
    half = log_folder(tmp_path, TOPIC, 0) / f"{old.path.name}{TEMPORARY}"
    half.write_bytes(kept[:100])  # nor to end another one
    assert archived(tmp_path) == [*written, *more]
    assert contained(tmp_path, TOPIC, 0) == [old]
    with locked(tmp_path):
        LogArchive(tmp_path, TOPIC, 0)
    assert not old.path.exists()
    assert not half.exists()
    assert archived(tmp_path) == [*written, *more]


def test_files_of_two_writers_that_overlap_give_each_record_once(tmp_path):
    ours, theirs = LogArchive(tmp_path, TOPIC, 0), LogArchive(tmp_path, TOPIC, 0)
    ours.add([record(offset) for offset in range(100)])
    theirs.add([record(offset) for offset in range(70)])
    theirs.flush()
    theirs.add([record(offset) for offset in range(70, 130)])
    ours.flush()
    theirs.flush()
    assert [each.offset for each in archived(tmp_path)] == list(range(130))


def test_a_second_archiver_is_refused_and_what_was_lost_is_a_gap(tmp_path):
    with locked(tmp_path), pytest.raises(ArchiveError, match="Another `ebb archive`"), locked(tmp_path):
        pass
    log = LogArchive(tmp_path, TOPIC, 0)
    log.add([record(0), record(8)])
    log.skip_to(20)
    log.add([record(25)])
    log.flush()
    assert gaps(files(tmp_path, TOPIC, 0)) == [(9, 20)]
    assert [each.offset for each in archived(tmp_path)] == [0, 8, 25]


def test_a_log_is_cut_at_any_offset(tmp_path):
    written = grow(tmp_path, times=30)
    log = LogArchive(tmp_path, TOPIC, 0)
    for place in (400, 300, 299, 0):
        log.cut(written[place].offset)
        assert archived(tmp_path) == written[:place]


def test_whoever_has_patience_writes_when_the_other_has_ended(tmp_path):
    written = []

    def write() -> None:
        with locked(tmp_path, patience_s=60):
            written.append("second")

    second = Thread(target=write)
    with locked(tmp_path):
        second.start()
        written.append("first")
    second.join()
    assert written == ["first", "second"]


def test_a_damaged_file_is_named(tmp_path):
    grow(tmp_path, times=3)
    file = files(tmp_path, TOPIC, 0)[0]
    file.path.write_bytes(b"PAR1" + b"\0" * 50)
    with pytest.raises(ArchiveError, match=file.path.name):
        archived(tmp_path)


def test_a_byte_that_rots_is_not_read_for_what_was_written(tmp_path):
    noise = random.Random(1).randbytes(100_000)  # nothing of it can be compressed: it lies there as it is
    log = LogArchive(tmp_path, TOPIC, 0)
    log.add([ArchivedRecord(0, 0, b"k", noise)])
    log.flush()
    (file,) = files(tmp_path, TOPIC, 0)
    content = bytearray(file.path.read_bytes())
    content[50_000] ^= 1
    file.path.write_bytes(content)
    with pytest.raises(ArchiveError, match=f"{file.path.name}.* checksum"):
        archived(tmp_path)
    with pytest.raises(ArchiveError, match=file.path.name):
        last_record(tmp_path, TOPIC, 0)
