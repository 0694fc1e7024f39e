"""What `ebb recover` takes for the standing of an archive, and what it refuses."""

from pathlib import Path

import pytest

from ebb.history.recoverable import standing_of
from offline.archive.files import JOURNAL, ArchiveError
from offline.archive.records import ArchivedRecord
from offline.archive.standing import MODELS
from offline.archive.writing import LogArchive
from schemas.topics import CHURN_ALERTS, PURCHASES
from stream.errors import SettingError
from stream.settings.load import load_worker_settings
from stream.settings.worker import WorkerSettings


def settings_of(partitions: int) -> WorkerSettings:
    return load_worker_settings({"EBB_MODEL_KEYS": "test:" + "5e" * 32, "EBB_PARTITIONS": str(partitions)})


def keep(folder: Path, topic: str, partition: int) -> None:
    """Archive a record."""
    log = LogArchive(folder, topic, partition)
    log.add([ArchivedRecord(0, 0, b"ada", b"{}")])
    log.flush()


def test_of_topics_alone_the_settings_say_how_it_stood(tmp_path: Path) -> None:
    keep(tmp_path, PURCHASES, 1)
    keep(tmp_path, CHURN_ALERTS, 5)  # topics of messages may have more
    assert standing_of(tmp_path, settings_of(2)).partitions == 2


@pytest.mark.parametrize("beside", [JOURNAL, MODELS])
def test_beside_a_journal_or_models_it_may_not_be_missing(tmp_path: Path, beside: str) -> None:
    keep(tmp_path, PURCHASES, 0)
    (tmp_path / beside).mkdir()
    with pytest.raises(ArchiveError, match=r"standing.json is missing: "):
        standing_of(tmp_path, settings_of(2))


def test_topics_with_more_partitions_than_the_settings_are_refused(tmp_path: Path) -> None:
    keep(tmp_path, PURCHASES, 0)
    keep(tmp_path, PURCHASES, 4)
    with pytest.raises(SettingError, match=r"EBB_PARTITIONS=2, but topics in .* have 5 partitions"):
        standing_of(tmp_path, settings_of(2))
