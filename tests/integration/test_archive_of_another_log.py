"""An archive goes no further than its log: of a topic that was made again nothing is mixed in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from ebb.services.embedded_broker import EmbeddedBroker
from ebb.topic_admin import create_topics
from offline.archive.from_kafka import archive_topics
from offline.archive.reading import read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.archive.writing import LogArchive
from schemas.topics import PURCHASES
from stream.errors import LogRecreatedError

AT_MS = 1_700_000_000_000
ONE, OTHER = b"one", b"other"


@pytest.fixture
def another_kafka(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[str]:
    binaries = pytestconfig.rootpath / ".ebb" / "bin"
    with EmbeddedBroker(tmp_path / "another-broker", binaries=binaries) as service:
        yield service.address


def write(server: str, *values: bytes) -> None:
    """All topics, and records of purchases; each time at the same moments."""
    create_topics([server], 1)
    producer = KafkaProducer(bootstrap_servers=server)
    for offset, value in enumerate(values):
        producer.send(PURCHASES, value, key=b"ada", partition=0, timestamp_ms=AT_MS + offset).get(timeout=10)
    producer.close()


def keep(folder: Path, *values: bytes) -> None:
    """An archive of a Kafka that has told no ids."""
    log = LogArchive(folder, PURCHASES, 0)
    log.add([ArchivedRecord(offset, AT_MS + offset, b"ada", value) for offset, value in enumerate(values)])
    log.flush()


def kept(folder: Path) -> list[bytes | None]:
    return [record.value for record in records_of(read_batches(folder, PURCHASES, 0))]


def test_a_topic_with_another_id_is_refused_though_its_records_are_alike(
    embedded_kafka: str, another_kafka: str, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    write(embedded_kafka, ONE)
    archive_topics([embedded_kafka], folder)
    write(another_kafka, ONE, OTHER)
    with pytest.raises(LogRecreatedError, match=r"events.purchases partition 0 has another id .* Archive into another"):
        archive_topics([another_kafka], folder)
    assert kept(folder) == [ONE]


@pytest.mark.parametrize(
    ("archived", "why"),
    [
        ([ONE, OTHER], "holds another record at offset 1 than was archived"),
        ([ONE, ONE, ONE], "ends at offset 2, and 3 are archived"),
    ],
)
def test_a_log_that_is_another_by_its_records_is_refused(
    archived: list[bytes], why: str, embedded_kafka: str, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    keep(folder, *archived)
    write(embedded_kafka, ONE, ONE)
    with pytest.raises(LogRecreatedError, match=f"events.purchases partition 0 {why}: it was deleted and made again"):
        archive_topics([embedded_kafka], folder)
    assert kept(folder) == archived


def test_a_log_that_is_the_same_goes_on(embedded_kafka: str, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    keep(folder, ONE, ONE)
    write(embedded_kafka, ONE, ONE, OTHER)
    assert archive_topics([embedded_kafka], folder).records == 1
    assert kept(folder) == [ONE, ONE, OTHER]
