"""The archived journal is what Redis says it is, or it is left alone; models lie under what they answer."""

from pathlib import Path

import msgspec
import pytest

from ebb.history.archiving import archive_journal, archive_model
from offline.archive.files import JOURNAL, ArchiveError
from offline.archive.reading import read_batches
from offline.archive.records import records_of
from offline.archive.standing import archived_model
from stream.features.layout import LAYOUT
from stream.memory_store import MemoryModelStore
from stream.redis_store.journal import PackedEntry
from stream.scoring.documents import encode
from stream.signing import Keyring, seal
from stream.worker.journal_entry import JournalEntry, encode_entry
from tests.live_lane import run
from tests.world import silence_document


class Journal:
    """A journal that may lose what it had last, and go on."""

    def __init__(self) -> None:
        self.kept: list[PackedEntry] = []
        self._clock_ms, self.version_now = 1_000, 1

    def write(self, *versions: int) -> None:
        for version in versions:
            self._clock_ms += 1
            said = encode_entry(JournalEntry(version, {}, self._clock_ms, [], {}, tick=True))
            self.kept.append(PackedEntry(f"{self._clock_ms}-0", said))

    def entries(self, partition: int, after: str = "") -> list[PackedEntry]:
        return [entry for entry in self.kept if not after or entry.entry_id > after][:3]

    def version(self, partition: int) -> int:
        return self.version_now

    def entry(self, partition: int, entry_id: str) -> PackedEntry | None:
        return next((entry for entry in self.kept if entry.entry_id == entry_id), None)


def archived(folder: Path) -> list[bytes]:
    return [record.value for record in records_of(read_batches(folder, JOURNAL, 0))]


def said(journal: Journal) -> list[bytes]:
    return [entry.packed for entry in journal.kept]


def test_entries_are_added_and_those_that_redis_has_lost_are_taken_back(tmp_path):
    journal = Journal()
    journal.write(2, 3, 5, 8, 9, 10, 11)
    assert archive_journal(journal, tmp_path, 0) == 7
    assert archive_journal(journal, tmp_path, 0) == 0
    del journal.kept[-3:]  # it came back older
    journal.write(10, 12, 13, 14)
    assert archive_journal(journal, tmp_path, 0) == 4
    assert archived(tmp_path) == said(journal)
    del journal.kept[:6]  # the bound of the stream
    journal.write(15)
    assert archive_journal(journal, tmp_path, 0) == 1
    assert archived(tmp_path)[-3:] == said(journal)


def test_a_redis_rebuilt_from_the_archive_goes_on_and_one_begun_anew_is_refused(tmp_path):
    journal, rebuilt, anew = Journal(), Journal(), Journal()
    journal.write(2, 3)
    archive_journal(journal, tmp_path, 0)
    anew.write(1, 2, 3, 4)
    with pytest.raises(ArchiveError, match="another past"):
        archive_journal(anew, tmp_path, 0)
    assert archived(tmp_path) == said(journal)
    with pytest.raises(ArchiveError, match="another past"):
        archive_journal(Journal(), tmp_path, 0)  # begun anew, and nothing has happened yet
    rebuilt.version_now = 1_003
    assert archive_journal(rebuilt, tmp_path, 0) == 0
    rebuilt.write(1_003, 1_004)
    assert archive_journal(rebuilt, tmp_path, 0) == 2
    assert archived(tmp_path) == said(journal) + said(rebuilt)


def test_a_version_that_begins_again_under_another_question_replaces_none_of_before(tmp_path):
    ring = Keyring.from_text("test:" + "5e" * 32)

    def sealed(question: int) -> bytes:
        return seal(encode(msgspec.structs.replace(silence_document(version="250"), question=question)), ring)

    async def two_nights() -> None:
        for question in (7, 8):
            store = MemoryModelStore()
            await store.publish("churn_30d", "250", sealed(question), 0)
            await archive_model(store, ["250"], tmp_path, LAYOUT, "churn_30d", question)

    run(two_nights())
    for question in (7, 8):
        assert archived_model(tmp_path, LAYOUT, "churn_30d", "250", question) == sealed(question)
    assert archived_model(tmp_path, LAYOUT, "churn_30d", "250", 9) is None
